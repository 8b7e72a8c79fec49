"""What came in and went out, as the site would have stored it."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from hds.extensions import db
from hds.lib.times import utcnow
from hds.mail.models import Message, MessageState
from hds.webhooks.models import DeliveryState, InboxDelivery


@pytest.fixture
def make_delivery(app: Flask) -> Callable[..., InboxDelivery]:
    def make(body: Any = None, *, state: DeliveryState = DeliveryState.APPLIED, **given: Any) -> InboxDelivery:
        raw = body if isinstance(body, bytes) else json.dumps(body or {"n": utcnow().isoformat()}).encode()
        values: dict[str, Any] = {"sender": "cal", "headers": {"X-Cal-Webhook-Version": "2021-10-20"}, "attempts": 1}
        delivery = InboxDelivery(
            **(values | given), digest=hashlib.sha256(raw).hexdigest(), body=raw, state=state, state_at=utcnow()
        )
        db.session.add(delivery)
        db.session.commit()
        return delivery

    return make


@pytest.fixture
def make_message(app: Flask) -> Callable[..., Message]:
    def make(state: MessageState = MessageState.SENT, *, is_rendered: bool = True, **given: Any) -> Message:
        values: dict[str, Any] = {"kind": "booking_confirmed", "recipient": "priya@acme.example", "attempts": 1}
        words: dict[str, Any] = {
            "subject": "Your consultation is confirmed",
            "text": "Until Tuesday.\n",
            "html": '<html><body><h1 style="color: #0b5563">Until Tuesday</h1><script>alert(1)</script></body></html>',
        }
        message = Message(**(values | (words if is_rendered else {}) | given), state=state, state_at=utcnow())
        db.session.add(message)
        db.session.commit()
        return message

    return make
