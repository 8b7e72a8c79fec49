"""An attempt's own reference, which travels with the booking, and why it was refused."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("booking_attempt") as table:
        table.add_column(sa.Column("reference", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("refusal", sa.String(length=32), nullable=True))
    attempt = sa.table("booking_attempt", sa.column("id"), sa.column("reference"), sa.column("state"))
    connection = op.get_bind()
    for row in connection.execute(sa.select(attempt.c.id)).all():
        reference = secrets.token_urlsafe(16)
        connection.execute(attempt.update().where(attempt.c.id == row.id).values(reference=reference))
    # Nothing writes "open" any more: it had never reached Cal.com.
    connection.execute(attempt.update().where(attempt.c.state == "open").values(state="refused"))
    with op.batch_alter_table("booking_attempt") as table:
        table.alter_column("reference", existing_type=sa.String(length=64), nullable=False)
        table.create_unique_constraint(op.f("uq_booking_attempt_reference"), ["reference"])


def downgrade() -> None:
    with op.batch_alter_table("booking_attempt") as table:
        table.drop_constraint(op.f("uq_booking_attempt_reference"), type_="unique")
        table.drop_column("refusal")
        table.drop_column("reference")
