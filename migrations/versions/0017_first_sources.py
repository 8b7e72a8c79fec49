"""What first brought a person, kept with them; and the last two words of a campaign with a booking's source."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

WORDS = {"source": 100, "medium": 100, "campaign": 150, "term": 150, "content": 150, "referrer": 200, "path": 200}


def upgrade() -> None:
    for name in ("term", "content"):
        op.add_column(
            "booking_source", sa.Column(f"first_{name}", sa.String(150), server_default=sa.text("''"), nullable=False)
        )
    op.add_column("contact", sa.Column("first_visited_at", sa.DateTime(timezone=True), nullable=True))
    for name, length in (WORDS | {"click_kind": 20}).items():
        op.add_column(
            "contact", sa.Column(f"first_{name}", sa.String(length), server_default=sa.text("''"), nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("contact") as table:
        for name in (*WORDS, "click_kind", "visited_at"):
            table.drop_column(f"first_{name}")
    with op.batch_alter_table("booking_source") as table:
        table.drop_column("first_term")
        table.drop_column("first_content")
