"""What was asked to be done with a booking: by whom, and what came of it."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "booking_act",
        sa.Column("booking_id", BIG_ID, nullable=False),
        sa.Column("form_token", sa.String(64), nullable=False),
        sa.Column("uid", sa.String(200), nullable=False),
        sa.Column("verb", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(32), nullable=False),
        sa.Column("staff_id", BIG_ID, nullable=True),
        sa.Column("subject", sa.String(320), nullable=False),
        sa.Column("seat_uid", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refusal", sa.String(32), nullable=True),
        sa.Column("told", sa.String(500), nullable=True),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_act_booking_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_booking_act_staff_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_act")),
        sa.UniqueConstraint("form_token", name=op.f("uq_booking_act_form_token")),
    )
    op.create_index(op.f("ix_booking_act_booking_id"), "booking_act", ["booking_id"])


def downgrade() -> None:
    op.drop_table("booking_act")
