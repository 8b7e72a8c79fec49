"""A proof of the booker's address, where the event type wants one: Cal.com sends a code there, and it comes back with
the form. What is remembered between the two stands in the visitor's own session: of which address, as a hash."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from flask import Response, session
from flask_limiter import RateLimitExceeded

from hds.bookings.booker import cal
from hds.bookings.steps import OK, DetailsStep
from hds.calcom import fields
from hds.extensions import limiter
from hds.lib import limits
from hds.lib.times import utcnow

SENT_TO = "code_sent_to"  # in the session
EMPTY = "Enter the code from the mail."
WRONG = "That code is wrong, or too old. Look at the newest mail, or have another one sent."


class Notice(StrEnum):
    """What a page of this says above the form. Nothing was booked."""

    CODE_SENT = "code_sent"
    CODES_TOO_OFTEN = "codes_too_often"


@dataclass(frozen=True)
class Proof:
    """Of the address that somebody typed into this form."""

    page: DetailsStep

    @property
    def email(self) -> str:
        return fields.email(self.page.form.email.data) or ""

    @property
    def name(self) -> str:
        """What the session knows it by: another service may want none."""
        return hashlib.sha256(f"code {self.page.service.id} {self.email}".encode()).hexdigest()[:32]

    @property
    def is_needed(self) -> bool:
        """Either the event type says so, or Cal.com did when the address was to be booked."""
        event_type = self.page.booker.event_type
        return (event_type is not None and event_type.needs_email_verification) or self.was_sent

    @property
    def was_sent(self) -> bool:
        return bool(session.get(SENT_TO) == self.name)

    def missing(self) -> Response | None:
        """The page that asks for the code, until the right one is in the form. Raises CalError."""
        form = self.page.form
        if not self.is_needed:
            return None
        form.asks_code = self.was_sent
        if not self.was_sent or form.wants_another_code:
            return self.send()
        if not form.code.data:
            return self.refuse(EMPTY)
        return None if cal().is_right_code(self.email, form.code.data) else self.refuse(WRONG)

    def send(self) -> Response:
        """Has the code sent, by Cal.com: not too often, as it goes to whichever address was typed."""
        try:
            with (
                limiter.limit(limits.CODES, scope="codes"),
                limiter.limit(limits.CODES_TO_ONE, key_func=lambda: self.name, scope="codes to one"),
            ):
                pass
        except RateLimitExceeded:
            self.page.form.asks_code = self.was_sent
            return self._show(429, Notice.CODES_TOO_OFTEN)
        cal().send_code(self.email)
        session[SENT_TO] = self.name
        self.page.form.asks_code = True
        self.page.form.code.data = ""
        return self._show(OK, Notice.CODE_SENT)

    def refuse(self, why: str) -> Response:
        self.page.form.asks_code = True
        self.page.form.code.errors = [why]
        return self._show(422, None)

    def _show(self, status: int, notice: Notice | None) -> Response:
        start = self.page.form.start_at
        return self.page.show(start or utcnow(), status=status, notice=notice)
