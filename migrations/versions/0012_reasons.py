"""Why a booker failed somebody is one of a few words, whoever writes it. No code ever wrote another one."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WORDS = ("", "timeout", "refused", "blocked", "failed", "taken", "not_accepted", "no_answer", "other")
TABLES = ("analytics_event", "daily_funnel")


def upgrade() -> None:
    for name in TABLES:
        with op.batch_alter_table(name) as table:
            table.alter_column("reason", existing_type=sa.String(20), type_=sa.String(32), existing_nullable=False)
            table.create_check_constraint(op.f(f"ck_{name}_reason_is_known"), sa.column("reason").in_(WORDS))


def downgrade() -> None:
    for name in TABLES:
        with op.batch_alter_table(name) as table:
            table.drop_constraint(op.f(f"ck_{name}_reason_is_known"), type_="check")
            table.alter_column("reason", existing_type=sa.String(32), type_=sa.String(20), existing_nullable=False)
