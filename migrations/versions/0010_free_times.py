"""The next free times of each service: public pages show them and never ask Cal.com."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "free_time",
        sa.Column("service_id", BIG_ID, nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_free_time_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_free_time")),
        sa.UniqueConstraint("service_id", "start_at", name=op.f("uq_free_time_service_id_start_at")),
    )


def downgrade() -> None:
    op.drop_table("free_time")
