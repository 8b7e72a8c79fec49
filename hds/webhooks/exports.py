"""Deliveries as they leave in JSON."""

from typing import Any

from hds.extensions import db
from hds.webhooks.models import InboxDelivery

COLUMNS = (
    InboxDelivery.id,
    InboxDelivery.trigger,
    InboxDelivery.state,
    InboxDelivery.attempts,
    InboxDelivery.booking_uid,
)


def deliveries_as_json() -> list[dict[str, Any]]:
    """All of them, the newest first; their bodies stay where they are."""
    rows = db.session.execute(db.select(*COLUMNS).order_by(InboxDelivery.id.desc()))
    return [dict(row) for row in rows.mappings()]
