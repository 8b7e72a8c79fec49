"""/v2/bookings/verification/email: a code that proves whose address it is. No key is needed, and no version."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from flask import request

from ..refusals import Refusal
from ..times import iso_ms, utcnow
from .blueprint import api, desk, json_body, success
from .booking_input import email_of

MINUTES = 15


@api.get("/bookings/verification/email/check")
def is_proof_needed() -> Any:
    """Whether this person wants their own address proven, whatever they book. In the sandbox nobody does."""
    email_of(request.args.get("email"), "email")
    return success(False)


@api.post("/bookings/verification/email/send-code")
def send_code() -> Any:
    """Where Cal.com sends a mail, the host's page shows the code."""
    email = email_of(json_body().get("email"), "email").lower()
    code, until = f"{secrets.randbelow(10**6):06}", iso_ms(utcnow() + timedelta(minutes=MINUTES))
    desk().store.run("INSERT OR REPLACE INTO email_code (email, code, until_at) VALUES (?, ?, ?)", email, code, until)
    return success({"sent": True})


@api.post("/bookings/verification/email/verify-code")
def verify_code() -> Any:
    body = json_body()
    if not _is_right(email_of(body.get("email"), "email"), body.get("code")):
        raise Refusal(400, "invalid_code")
    return success({"verified": True})


def require(email: str, code: object) -> None:
    """Refuses a booking without the right code."""
    if not code:
        raise Refusal(400, "email_verification_required")
    if not _is_right(email, code):
        raise Refusal(400, "invalid_verification_code")


def _is_right(email: str, code: object) -> bool:
    found = desk().store.one(
        "SELECT code FROM email_code WHERE email = ? AND until_at > ?", email.lower(), iso_ms(utcnow())
    )
    return found is not None and found["code"] == code
