"""What we ask of somebody who moves or cancels their booking."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, TextAreaField
from wtforms.validators import DataRequired, Length

from hds.bookings.calendar import read_start
from hds.bookings.questions import text
from hds.lib.times import iso_utc, say_day, say_time, say_zone, utcnow

LONGEST_REASON = 1000
LONGEST_TOKEN = 200
SAY_WHY = "Say why, in a few words."


class ChangeForm(FlaskForm):
    """The token is made once and makes every repetition the same act."""

    form_token = HiddenField()
    reason = TextAreaField(
        "Why?",
        filters=[text],
        validators=[Length(max=LONGEST_REASON, message=f"Shorten this to {LONGEST_REASON} characters, please.")],
    )

    def prepare(self) -> None:
        if not 0 < len(self.form_token.data or "") <= LONGEST_TOKEN:
            self.form_token.data = secrets.token_urlsafe(24)

    def require_reason(self) -> None:
        self.reason.validators = [DataRequired(SAY_WHY), *self.reason.validators]
        self.reason.flags.required = True

    @property
    def act_token(self) -> str:
        return _short(self.form_token.data or "")


class MoveForm(ChangeForm):
    """`start` is what was chosen in the month; where that is gone, one of those that are offered instead."""

    zone = HiddenField()
    start = RadioField("Choose another time", choices=[], validate_choice=False)

    @property
    def start_at(self) -> datetime | None:
        return read_start(self.start.data or "", utcnow())

    @property
    def act_token(self) -> str:
        """Another time is another act."""
        return _short(f"{self.form_token.data} {self.start.data}")

    def offer(self, times: Sequence[datetime], zone: ZoneInfo, why: str) -> None:
        """Offer these as radios. None of them is chosen beforehand: nobody shall move by accident."""
        self.start.choices = [
            (iso_utc(moment), f"{say_day(moment.date())}, {say_time(moment, zone)}") for moment in times
        ]
        self.start.label.text = f"Choose another time ({say_zone(zone)})"
        self.start.data = None
        if times:
            self.start.errors = [why]
        else:  # nothing to point at
            self.form_errors.append(why)


def _short(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()
