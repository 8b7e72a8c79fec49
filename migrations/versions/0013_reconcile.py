"""Who stated a fact, which payment is only inferred, and how far Cal.com's list of bookings has been read."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("booking_event", sa.Column("source", sa.String(32), server_default="webhook", nullable=False))
    op.add_column("payment", sa.Column("is_inferred", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "reconciliation",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("position", sa.DateTime(timezone=True), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_page", sa.JSON(), nullable=False),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.String(200), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation")),
        sa.UniqueConstraint("name", name=op.f("uq_reconciliation_name")),
    )
    op.create_index(
        op.f("ix_reconciliation_due_at"),
        "reconciliation",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("reconciliation")
    with op.batch_alter_table("payment") as table:
        table.drop_column("is_inferred")
    with op.batch_alter_table("booking_event") as table:
        table.drop_column("source")
