"""What Cal.com says of each service's event type, what of it the site took over, and how the account is connected."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("service", sa.Column("duration_options", sa.JSON(), nullable=True))
    op.add_column("service", sa.Column("questions", sa.JSON(), nullable=True))
    op.add_column("service", sa.Column("seats", sa.Integer(), nullable=True))
    op.add_column("service", sa.Column("can_cancel", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("service", sa.Column("can_move", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("service", sa.Column("told", sa.JSON(), nullable=True))
    op.add_column("service", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("service", sa.Column("taken", sa.JSON(), nullable=True))
    op.add_column("service", sa.Column("event_type_state", sa.String(32), nullable=True))
    op.create_table(
        "cal_account",
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.String(300), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cal_account")),
    )


def downgrade() -> None:
    op.drop_table("cal_account")
    columns = ("event_type_state", "taken", "told_at", "told", "can_move", "can_cancel", "seats", "questions")
    with op.batch_alter_table("service") as table:
        for name in (*columns, "duration_options"):
            table.drop_column(name)
