"""The time that somebody's form holds at Cal.com, while it is open."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "slot_hold",
        sa.Column("browser", sa.String(64), nullable=False),
        sa.Column("service_id", BIG_ID, nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("reservation_uid", sa.String(200), nullable=True),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["service_id"], ["service.id"], name=op.f("fk_slot_hold_service_id_service"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot_hold")),
        sa.UniqueConstraint("browser", name=op.f("uq_slot_hold_browser")),
    )
    op.create_index(op.f("ix_slot_hold_until_at"), "slot_hold", ["until_at"])


def downgrade() -> None:
    op.drop_table("slot_hold")
