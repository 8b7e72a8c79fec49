"""What a booking was numbered before it turned out to be one with another."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "former_booking",
        sa.Column("former_id", BIG_ID, nullable=False),
        sa.Column("booking_id", BIG_ID, nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_former_booking_booking_id_booking"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_booking")),
        sa.UniqueConstraint("former_id", "booking_id", name=op.f("uq_former_booking_former_id_booking_id")),
    )
    op.create_index(op.f("ix_former_booking_booking_id"), "former_booking", ["booking_id"])


def downgrade() -> None:
    op.drop_table("former_booking")
