"""A payment may be as large as the price it is for: 2,147,483,647 of the smallest unit is 1,350 dollars in rupiah."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("payment") as table:
        table.alter_column("amount", existing_type=sa.Integer(), type_=BIG)


def downgrade() -> None:
    with op.batch_alter_table("payment") as table:
        table.alter_column("amount", existing_type=BIG, type_=sa.Integer())
