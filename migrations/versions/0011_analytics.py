"""Visits, the steps they took, the sums of each day, and what brought a booking."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "visit",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("visitor", sa.String(32), nullable=False),
        *texts(first_path=200, referrer=200, utm_source=100, utm_medium=100, utm_campaign=150),
        *texts(utm_term=150, utm_content=150, click_kind=20, device=10, language=10),
        sa.Column("pages", sa.Integer(), nullable=False),
        *moments("first_seen_at", "last_seen_at", "last_came_at"),
        *texts(last_referrer=200, last_source=100, last_medium=100, last_campaign=150, last_click_kind=20),
        *moments("created_at"),
        sa.Column("id", BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
        sa.UniqueConstraint("day", "visitor", name=op.f("uq_visit_day_visitor")),
    )
    op.create_table(
        "analytics_event",
        sa.Column("visit_id", BIG_ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *texts(step=32, service=100, reason=20),
        *moments("at", "created_at"),
        sa.Column("id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["visit_id"], ["visit.id"], name=op.f("fk_analytics_event_visit_id_visit"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analytics_event")),
        sa.UniqueConstraint(
            "visit_id", "step", "service", "reason", name=op.f("uq_analytics_event_visit_id_step_service_reason")
        ),
    )
    op.create_index(
        op.f("ix_analytics_event_day_step_service_reason_visit_id"),
        "analytics_event",
        ["day", "step", "service", "reason", "visit_id"],
    )
    op.create_table(
        "daily_funnel",
        sa.Column("day", sa.Date(), nullable=False),
        *texts(step=32, service=100, reason=20, source=200, campaign=150),
        sa.Column("visits", sa.Integer(), nullable=False),
        *moments("created_at"),
        sa.Column("id", BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_funnel")),
        sa.UniqueConstraint(
            "day",
            "step",
            "service",
            "reason",
            "source",
            "campaign",
            name=op.f("uq_daily_funnel_day_step_service_reason_source_campaign"),
        ),
    )
    op.create_table(
        "daily_visits",
        sa.Column("day", sa.Date(), nullable=False),
        *texts(aspect=32, value=200),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        *moments("created_at"),
        sa.Column("id", BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_visits")),
        sa.UniqueConstraint("day", "aspect", "value", name=op.f("uq_daily_visits_day_aspect_value")),
    )
    op.create_table(
        "booking_source",
        sa.Column("booking_id", BIG_ID, nullable=False),
        sa.Column("visit_id", BIG_ID, nullable=True),
        *moments("visited_at"),
        *texts(first_path=200, first_referrer=200, first_source=100, first_medium=100, first_campaign=150),
        *texts(first_click_kind=20),
        *texts(last_referrer=200, last_source=100, last_medium=100, last_campaign=150, last_click_kind=20),
        *moments("created_at"),
        sa.Column("id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_source_booking_id_booking"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["visit_id"], ["visit.id"], name=op.f("fk_booking_source_visit_id_visit"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_source")),
        sa.UniqueConstraint("booking_id", name=op.f("uq_booking_source_booking_id")),
    )
    op.create_index(op.f("ix_booking_source_visit_id"), "booking_source", ["visit_id"])


def downgrade() -> None:
    for table in ("booking_source", "daily_visits", "daily_funnel", "analytics_event", "visit"):
        op.drop_table(table)


def texts(**lengths: int) -> list[sa.Column]:
    return [sa.Column(name, sa.String(length), nullable=False) for name, length in lengths.items()]


def moments(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in names]
