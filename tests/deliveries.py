"""Deliveries as Cal.com sends them: compact JSON, raw UTF-8, signed over those very bytes. None of it is our code."""

import hashlib
import hmac
import json
from copy import deepcopy
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hds.extensions import db
from hds.webhooks import jobs
from hds.webhooks.models import InboxDelivery
from tests.factories import in_days

PAYLOADS = Path(__file__).parent / "payloads"
SECRET = "whsec_test_only_not_a_real_secret"
URL = "/api/webhooks/cal"

FILES = {
    "CREATED": "booking_created.v2021-10-20.json",
    "REQUESTED": "booking_requested.v2021-10-20.json",
    "RESCHEDULED": "booking_rescheduled.v2021-10-20.json",
    "CANCELLED": "booking_cancelled.v2021-10-20.json",
    "REJECTED": "booking_rejected.v2021-10-20.json",
    "PAYMENT_INITIATED": "booking_payment_initiated.v2021-10-20.json",
    "PAID": "booking_paid.v2021-10-20.json",
    "MEETING_ENDED": "meeting_ended.flat.v2021-10-20.json",
    "MEETING_STARTED": "meeting_started.flat.v2021-10-20.json",
    "ABSENT": "booking_no_show_updated.marked.v2021-10-20.json",
    "PRESENT": "booking_no_show_updated.unmarked.v2021-10-20.json",
    "PING": "ping_test.v2021-10-20.json",
}
DROP = object()


@cache
def _read(file: str) -> Any:
    return json.loads((PAYLOADS / file).read_text())


def delivery(name: str, *, stated_at: datetime | None = None, **changed: Any) -> dict[str, Any]:
    """A body like Cal.com's example for that trigger, with some fields of its payload changed or (DROP) left out.

    Its times are moved into the days to come, so that tests do not age.
    """
    body: dict[str, Any] = deepcopy(_read(FILES.get(name, name)))
    inner = body.get("payload", body)
    if "startTime" in inner:
        start = in_days(5 if name == "RESCHEDULED" else 3)
        changed = {"startTime": iso(start), "endTime": iso(start + timedelta(minutes=30)), **changed}
    for field, value in changed.items():
        if value is DROP:
            inner.pop(field, None)
        else:
            inner[field] = value
    if stated_at:
        body["createdAt"] = iso(stated_at)
    return body


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_sent(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def sign(raw: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def post(client: Any, body: Any, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else as_sent(body)
    signed = {"X-Cal-Signature-256": sign(raw), "X-Cal-Webhook-Version": "2021-10-20", **headers}
    return client.post(URL, data=raw, headers=signed, content_type="application/json")


def arrive(client: Any, *bodies: Any) -> list[InboxDelivery]:
    """Post them one after another, each applied before the next, and return their rows."""
    db.session.rollback()  # what the test itself has read; an open transaction would keep SQLite's writers waiting
    for body in bodies:
        assert post(client, body).status_code == 200
        jobs.drain()
    return list(db.session.scalars(db.select(InboxDelivery).order_by(InboxDelivery.id)))
