"""What we ask of somebody who books."""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from flask import request
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import EmailField, Field, HiddenField, RadioField, StringField, TelField, TextAreaField
from wtforms.validators import DataRequired, Length, StopValidation

from hds.bookings.attempts import Order
from hds.bookings.booker import TYPED, Booker, Place
from hds.bookings.calendar import read_start
from hds.bookings.questions import (
    LONGEST_LINE,
    PREFIX,
    AtMost,
    Question,
    Required,
    addresses,
    ask,
    check_addresses,
    check_phone,
    hidden_answers,
    is_worded,
    left_over,
    line,
    phone,
    prefilled,
    text,
)
from hds.calcom import fields
from hds.calcom.answers import BookingField
from hds.calcom.booker import Asked
from hds.calcom.responses import Answer
from hds.lib.times import iso_utc, say_day, say_time, say_zone, utcnow

LONGEST_NAME = 200
LONGEST_NOTES = 2000
ASKED_ALREADY = "Anything else that we should know?"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,64}", re.ASCII)


def _digits(value: str | None) -> str:
    return re.sub(r"[\s-]", "", line(value))[:20]


class DetailsForm(FlaskForm):
    """One per booker: `offer` says where it can be. The token is made once and makes every repetition the same."""

    form_token = HiddenField()
    zone = HiddenField()
    start = RadioField("Choose another time", choices=[], validate_choice=False)
    name = StringField(
        "Your name",
        filters=[line],
        validators=[DataRequired("Enter your name."), Length(max=LONGEST_NAME, message="Shorten your name, please.")],
    )
    email = EmailField("E-mail address", filters=[line], validators=[DataRequired("Enter your e-mail address.")])
    place = RadioField("How shall we meet?", choices=[], validate_choice=False)
    phone = TelField("Phone number", filters=[phone])
    address = StringField("Your address", filters=[line])
    elsewhere = StringField("Where shall we meet?", filters=[line])
    guests = TextAreaField("Your guests", filters=[text], validators=[check_addresses])
    notes = TextAreaField(
        "What would you like to talk about?",
        filters=[text],
        validators=[Length(max=LONGEST_NOTES, message=f"Shorten this to {LONGEST_NOTES} characters, please.")],
    )
    code = StringField("The code from the mail", filters=[_digits])
    another_code = HiddenField()  # the value of a button
    # Nobody sees this one; what fills it in is no person.
    company_fax = StringField("Leave this empty")

    asks_code = False
    places: Sequence[Place] = ()
    questions: Sequence[Question] = ()
    left_over: Sequence[tuple[str, str]] = ()  # typed into what is not asked for now
    prefilled: Mapping[str, list[str]] = MappingProxyType({})
    unseen: Mapping[str, Answer] = MappingProxyType({})  # answers to questions that are hidden

    def offer(
        self, places: Sequence[Place], asked: Asked | None = None, prefilled: Mapping[str, list[str]] | None = None
    ) -> None:
        """What this form asks: where one can meet, and the event type's questions, where these are known."""
        self.places, self.prefilled = places, prefilled or {}
        self.place.choices = [(place.key, place.label) for place in places]
        if not self.place.data and places:
            self.place.data = places[0].key
        if not self.token:
            self.form_token.data = secrets.token_urlsafe(24)
        self._ask(asked or Asked(), is_known=asked is not None)

    def ask_for(self, booker: Booker) -> None:
        """The same, as this booker has it. The page's address may answer a part beforehand."""
        asked = booker.asked if booker.event_type else None
        self.offer(booker.places, asked, prefilled(booker.event_type, request.args.to_dict(flat=False)))

    def _ask(self, asked: Asked, *, is_known: bool) -> None:
        typed = request.form if self.is_submitted() else MultiDict()
        self.questions = ask(self, asked.questions, typed, self.prefilled)
        self.unseen = hidden_answers(asked.hidden, self.prefilled)
        is_asked = {name: self.asks_for(name) for name in TYPED}
        is_asked |= {"notes": asked.notes is not None, "guests": asked.guests is not None}
        for name in [name for name, holds in is_asked.items() if name in self and not holds]:
            del self[name]
        if asked.notes is not None:
            self._put(self.notes, asked.notes, ASKED_ALREADY if self.questions else None)
        if asked.guests is not None:
            self._put(self.guests, asked.guests)
        if not is_known:
            named = [name for name in typed if name.startswith(PREFIX)]
            self.left_over = list(left_over(self, typed, [*named, *is_asked]))

    def _put(self, field: Field, asked: BookingField, instead: str | None = None) -> None:
        """One of the common questions as this event type puts it."""
        field.label.text = (asked.label if is_worded(asked) else instead) or field.label.text
        if asked.is_required:
            field.validators = [Required(f"Answer “{field.label.text}”."), *field.validators]
            field.flags.required = True

    def __iter__(self) -> Iterator[Field]:
        """In the order of the page, where errors are listed."""
        own = [question.field for question in self.questions]
        last = [self[name] for name in ("guests", "notes", "company_fax") if name in self]
        between = [field for field in self._fields.values() if field not in [*own, *last, self.code]]
        return iter([self.code, *between, *own, *last])

    def asks_for(self, name: str) -> bool:
        """Whether some place to meet needs this field."""
        return any(place.asks == name for place in self.places)

    @property
    def wants_another_code(self) -> bool:
        return bool(self.another_code.data)

    @property
    def answers(self) -> dict[str, Answer]:
        """Slug → answer, of what was answered."""
        given = ((question.asked.slug or "", question.answer) for question in self.questions)
        return {**self.unseen, **{slug: answer for slug, answer in given if answer is not None}}

    @property
    def token(self) -> str:
        """Empty where the posted one cannot be ours."""
        token = self.form_token.data or ""
        return token if _TOKEN.fullmatch(token) else ""

    @property
    def start_at(self) -> datetime | None:
        return read_start(self.start.data or "", utcnow())

    def validate_email(self, field: EmailField) -> None:
        if fields.email(field.data) is None:
            raise StopValidation("Enter an e-mail address like name@example.com.")

    def validate_place(self, field: RadioField) -> None:
        if self.places and self._chosen() is None:
            raise StopValidation("Choose how we shall meet.")

    def validate_phone(self, field: TelField) -> None:
        if self._is_needed(field, "Enter the number that we shall call."):
            check_phone(self, field)

    def validate_address(self, field: StringField) -> None:
        if self._is_needed(field, "Enter the address that we shall come to."):
            AtMost(LONGEST_LINE)(self, field)

    def validate_elsewhere(self, field: StringField) -> None:
        if self._is_needed(field, "Say where we shall meet."):
            AtMost(LONGEST_LINE)(self, field)

    def validate_guests(self, field: TextAreaField) -> None:
        if self.email.data and self.email.data.lower() in addresses(field.data):
            raise StopValidation("You need not name yourself among your guests.")

    def validate_company_fax(self, field: StringField) -> None:
        if field.data:
            raise StopValidation("Leave the hidden field empty: it tells people from programs.")

    def order(self, start: datetime, zone: ZoneInfo, minutes: int | None = None) -> Order:
        chosen, typed = self._chosen(), self._typed_place()
        detail = typed.data if typed is not None else None
        is_called = chosen is not None and chosen.asks == "phone"
        return Order(
            start_at=start,
            time_zone=zone.key,
            name=self.name.data or "",
            email=fields.email(self.email.data) or "",
            phone=detail if is_called else None,
            place=chosen.key if chosen else None,
            place_detail=None if is_called else detail,
            minutes=minutes,
            notes=(self.notes.data if "notes" in self else None) or None,
            answers=self.answers,
            guests=addresses(self.guests.data) if "guests" in self else [],
        )

    def ask_for_another_time(self, times: Sequence[datetime], zone: ZoneInfo, why: str) -> None:
        """Offer these as radios. None of them is chosen beforehand: nobody shall book by accident."""
        self.start.choices = [
            (iso_utc(moment), f"{say_day(moment.date())}, {say_time(moment, zone)}") for moment in times
        ]
        self.start.label.text = f"Choose another time ({say_zone(zone)})"
        self.start.data = None
        if times:
            self.start.errors = [why]
        else:  # nothing to point at
            self.form_errors.append(why)

    def _typed_place(self) -> Field | None:
        """The field that the chosen place needs."""
        chosen = self._chosen()
        return self[chosen.asks] if chosen and chosen.asks in self else None

    def _is_needed(self, field: Field, why: str) -> bool:
        """Whether the chosen place needs this field; of any other it does not matter what stands in it."""
        is_needed = self._typed_place() is field
        if is_needed and not field.data:
            raise StopValidation(why)
        return is_needed

    def _chosen(self) -> Place | None:
        return next((place for place in self.places if place.key == self.place.data), None)
