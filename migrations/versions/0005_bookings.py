"""Bookings: what happened, who takes part, what was paid, what was typed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "booking",
        sa.Column("uid", sa.String(length=200), nullable=False),
        sa.Column("previous_uids", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service_id", BIG_ID, nullable=True),
        sa.Column("contact_id", BIG_ID, nullable=True),
        sa.Column("event_type_id", BIG_ID, nullable=True),
        sa.Column("event_type_slug", sa.String(length=200), nullable=True),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("meeting_url", sa.String(length=2000), nullable=True),
        sa.Column("location", sa.String(length=500), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("price_amount", BIG_ID, nullable=True),
        sa.Column("price_currency", sa.String(length=3), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_booking_contact_id_contact")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_booking_service_id_service")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking")),
        sa.UniqueConstraint("uid", name=op.f("uq_booking_uid")),
    )
    op.create_index(op.f("ix_booking_changed_at"), "booking", ["changed_at"], unique=False)
    op.create_index(op.f("ix_booking_contact_id"), "booking", ["contact_id"], unique=False)
    op.create_index(op.f("ix_booking_service_id"), "booking", ["service_id"], unique=False)
    op.create_index(op.f("ix_booking_start_at"), "booking", ["start_at"], unique=False)
    op.create_index(op.f("ix_booking_status"), "booking", ["status"], unique=False)
    op.create_table(
        "booking_event",
        sa.Column("booking_id", BIG_ID, nullable=False),
        sa.Column("delivery_id", BIG_ID, nullable=True),
        sa.Column("uid", sa.String(length=200), nullable=False),
        sa.Column("previous_uid", sa.String(length=200), nullable=True),
        sa.Column("ical_uid", sa.String(length=500), nullable=True),
        sa.Column("ical_sequence", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_event_booking_id_booking"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["inbox_delivery.id"],
            name=op.f("fk_booking_event_delivery_id_inbox_delivery"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_event")),
        sa.UniqueConstraint("uid", "kind", "subject", name=op.f("uq_booking_event_uid_kind_subject")),
    )
    op.create_index(op.f("ix_booking_event_booking_id"), "booking_event", ["booking_id"], unique=False)
    op.create_index(op.f("ix_booking_event_ical_uid"), "booking_event", ["ical_uid"], unique=False)
    op.create_index(op.f("ix_booking_event_previous_uid"), "booking_event", ["previous_uid"], unique=False)
    op.create_index(op.f("ix_booking_event_uid"), "booking_event", ["uid"], unique=False)
    op.create_table(
        "contact_booking",
        sa.Column("booking_id", BIG_ID, nullable=False),
        sa.Column("contact_id", BIG_ID, nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_contact_booking_booking_id_booking"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_contact_booking_contact_id_contact")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_booking")),
        sa.UniqueConstraint("booking_id", "contact_id", name=op.f("uq_contact_booking_booking_id_contact_id")),
    )
    op.create_index(op.f("ix_contact_booking_contact_id"), "contact_booking", ["contact_id"], unique=False)
    op.create_table(
        "payment",
        sa.Column("booking_id", BIG_ID, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_payment_booking_id_booking"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("booking_id", name=op.f("uq_payment_booking_id")),
    )
    op.create_table(
        "booking_attempt",
        sa.Column("form_token", sa.String(length=64), nullable=False),
        sa.Column("service_id", BIG_ID, nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("phone", sa.String(length=50), nullable=True),
        sa.Column("place", sa.String(length=20), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booking_uid", sa.String(length=200), nullable=True),
        sa.Column("meeting_url", sa.String(length=2000), nullable=True),
        sa.Column("awaits_approval", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_booking_attempt_service_id_service")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_attempt")),
        sa.UniqueConstraint("form_token", name=op.f("uq_booking_attempt_form_token")),
    )


def downgrade() -> None:
    op.drop_table("booking_attempt")
    op.drop_table("payment")
    op.drop_table("contact_booking")
    op.drop_table("booking_event")
    op.drop_table("booking")
