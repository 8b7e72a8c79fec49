"""What an attempt's form asked beside the name: answers, guests, the length, and a place in the booker's own words."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("booking_attempt", sa.Column("answers", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("booking_attempt", sa.Column("guests", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("booking_attempt", sa.Column("minutes", sa.Integer(), nullable=True))
    op.add_column("booking_attempt", sa.Column("place_detail", sa.String(500), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("booking_attempt") as table:
        for name in ("place_detail", "minutes", "guests", "answers"):
            table.drop_column(name)
