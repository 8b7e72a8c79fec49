"""What Cal.com's event type asks, as fields of our own form, and what was answered, as Cal.com takes it."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    Field,
    Form,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TelField,
    TextAreaField,
    URLField,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the stubs are older
from wtforms.form import BaseForm
from wtforms.validators import StopValidation
from wtforms.widgets import CheckboxInput

from hds.bookings.stated import OURS
from hds.calcom import fields
from hds.calcom.answers import BookingField, EventType
from hds.calcom.booker import Asked
from hds.calcom.responses import Answer

PREFIX = "q-"  # before the slug, in the form's names: a question may be called like a field of ours
LONGEST_LINE = 500
LONGEST_TEXT = 2000
LONGEST_TYPED = 10_000  # what is kept in a field that is sent back
MOST_GUESTS = 10

PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?", re.ASCII)
_BETWEEN_DIGITS = re.compile(r"[\s().\-/\u2010-\u2015]|\u00a0")
_BETWEEN_ADDRESSES = re.compile(r"[\s,;]+")


_CATALOGUE_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+", re.ASCII)
_LABELS = {
    "title": "What is this meeting about?",
    "attendeePhoneNumber": "Phone number",
    "smsReminderNumber": "Phone number for reminders by text message",
}


def line(value: str | None) -> str:
    return fields.line(value, LONGEST_TYPED) or ""


def text(value: str | None) -> str:
    return fields.text(value, LONGEST_TYPED) or ""


def phone(value: str | None) -> str:
    """+12025550123, out of +1 (202) 555-0123 or 001 202 555 0123."""
    typed = line(value)
    digits = _BETWEEN_DIGITS.sub("", typed)
    digits = f"+{digits[2:]}" if digits.startswith("00") else digits
    return digits if PHONE.fullmatch(digits) else typed


def number(value: str | None) -> str:
    """1234.5, out of 1 234,5."""
    typed = line(value)
    digits = re.sub(r"\s", "", typed)
    return digits.replace(",", ".").removeprefix("+") if _NUMBER.fullmatch(digits) else typed


def web_address(value: str | None) -> str:
    """With https:// where somebody left that out."""
    typed = line(value)
    full = typed if "://" in typed else f"https://{typed}"
    return full if fields.web_address(full) and "." in full else typed


def addresses(typed: str | None) -> list[str]:
    """Each once, in small letters, as they stand: on lines, or between commas."""
    return list(dict.fromkeys(part.lower() for part in _BETWEEN_ADDRESSES.split(typed or "") if part))


class Checkboxes(SelectMultipleField):
    """Several of a few, each with a box of its own."""

    option_widget = CheckboxInput()


def check_phone(form: Form, field: Field) -> None:
    if field.data and not PHONE.fullmatch(field.data):
        raise StopValidation("Enter the number with its country code, like +1 202 555 0123.")


def check_addresses(form: Form, field: Field) -> None:
    found = addresses(field.data)
    wrong = next((address for address in found if fields.email(address) is None), None)
    if wrong:
        raise StopValidation(f"“{wrong[:80]}” is no e-mail address like name@example.com.")
    if len(found) > MOST_GUESTS:
        raise StopValidation(f"Name at most {MOST_GUESTS} addresses, please.")


def _check_number(form: Form, field: Field) -> None:
    if field.data and not _NUMBER.fullmatch(field.data):
        raise StopValidation("Enter a number, like 12 or 12.5.")


def _check_web_address(form: Form, field: Field) -> None:
    if field.data and not fields.web_address(field.data):
        raise StopValidation("Enter an address like https://example.com.")


class Required:
    """An answer that must be given; `why` says so. The browser's own check stays off: it says less."""

    field_flags = {"required": True}

    def __init__(self, why: str) -> None:
        self.why = why

    def __call__(self, form: Form, field: Field) -> None:
        if not field.data:
            raise StopValidation(self.why)


class OneOf:
    """One of these, or none: a radio that nobody chose is no odd choice."""

    def __init__(self, options: Collection[str]) -> None:
        self.options = options

    def __call__(self, form: Form, field: Field) -> None:
        if field.data and field.data not in self.options:
            raise StopValidation("Choose one of these.")


class AtMost:
    """As many characters as Cal.com says, else as we keep."""

    def __init__(self, most: int, least: int = 0) -> None:
        self.most, self.least = most, least

    def __call__(self, form: Form, field: Field) -> None:
        length = len(field.data or "")
        if length > self.most:
            raise StopValidation(f"Shorten this to {self.most} characters, please.")
        if 0 < length < self.least:
            raise StopValidation(f"Write at least {self.least} characters, please.")


@dataclass(frozen=True)
class Kind:
    """How one kind of question is asked. `marks`: attributes of its control; `by_address`: whether an address of the
    page may answer it beforehand. Nothing about a person may: addresses are kept in logs and histories."""

    field: type[Field]
    read: Callable[[str | None], str] | None = None
    check: Callable[[Form, Field], None] | None = None
    marks: Mapping[str, str] | None = None
    longest: int | None = None
    hint: str = ""
    by_address: bool = False


_PHONE = Kind(
    TelField,
    phone,
    check_phone,
    {"autocomplete": "tel", "inputmode": "tel"},
    hint="With the country code, like +1 202 555 0123.",
)
KINDS = {
    "text": Kind(StringField, line, longest=LONGEST_LINE, by_address=True),
    "textarea": Kind(TextAreaField, text, longest=LONGEST_TEXT, marks={"rows": "4"}, by_address=True),
    "number": Kind(StringField, number, _check_number, {"inputmode": "decimal"}, by_address=True),
    "select": Kind(SelectField, by_address=True),
    "radio": Kind(RadioField, by_address=True),
    "multiselect": Kind(Checkboxes, by_address=True),
    "checkbox": Kind(Checkboxes, by_address=True),
    "boolean": Kind(BooleanField, by_address=True),
    "phone": _PHONE,
    "address": Kind(StringField, line, longest=LONGEST_LINE, marks={"autocomplete": "street-address"}),
    "multiemail": Kind(
        TextAreaField,
        text,
        check_addresses,
        {"inputmode": "email", "spellcheck": "false", "autocapitalize": "off", "rows": "3"},
        hint="One on each line, or with commas between them.",
    ),
    "url": Kind(
        URLField,
        web_address,
        _check_web_address,
        {"inputmode": "url", "spellcheck": "false", "autocapitalize": "off"},
        by_address=True,
    ),
}


@dataclass(frozen=True)
class Question:
    """One of the event type's own questions, in the form."""

    asked: BookingField
    field: Field
    is_fixed: bool = False  # an address answered it, and Cal.com says that it then stays so

    @property
    def kind(self) -> Kind:
        return KINDS[self.asked.type or ""]

    @property
    def hint(self) -> str:
        """What the owner wrote into the empty field stands above it: inside it looks typed, and goes as one types."""
        in_choices = self.asked.type in {"select", "radio", "checkbox", "multiselect", "boolean"}
        return " ".join(words for words in (self.kind.hint, "" if in_choices else self.asked.placeholder) if words)

    @property
    def marks(self) -> dict[str, str | bool]:
        """The attributes of its control."""
        marks: dict[str, str | bool] = dict(self.kind.marks or {})
        if self.is_fixed:
            marks["readonly"] = True
        return marks

    @property
    def answer(self) -> Answer | None:
        """As Cal.com takes it: a text, also of a number; a list; true. None where nothing was answered."""
        if self.asked.type == "multiemail":
            return addresses(self.field.data) or None
        return self.field.data or None


def ask(form: Form, asked: Iterable[BookingField], formdata: Any, prefilled: Mapping[str, list[str]]) -> list[Question]:
    """Adds the questions to the form, with what was typed, else with what the address says."""
    return [_ask(form, field, formdata, prefilled.get(field.slug or "")) for field in asked]


def is_worded(asked: BookingField) -> bool:
    """Whether its label is one that people read."""
    return bool(asked.label) and not _CATALOGUE_NAME.fullmatch(asked.label or "")


def label_of(asked: BookingField) -> str:
    """Its label; of Cal.com's own questions that is often the name of a word in its catalogue."""
    slug = asked.slug or ""
    if is_worded(asked):
        return asked.label or ""
    return _LABELS.get(slug) or slug.replace("-", " ").replace("_", " ").capitalize()


def prefilled(event_type: EventType | None, address: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What the page's address answers beforehand, by slug: what is in it of questions that may be asked this way. Those
    for our own words are not asked."""
    asked = Asked.of(event_type) if event_type else Asked()
    every = (field for field in (*asked.questions, *asked.hidden) if field.slug not in OURS)
    may = (field.slug for field in every if KINDS[field.type or ""].by_address)
    found = ((slug, [value[:LONGEST_LINE] for value in address.get(slug, []) if value]) for slug in may if slug)
    return {slug: values for slug, values in found if values}


def hidden_answers(asked: Iterable[BookingField], prefilled: Mapping[str, list[str]]) -> dict[str, Answer]:
    """What the page's address answers of the questions that nobody sees, as far as it is an answer."""
    form = Form()
    questions = ask(form, [field for field in asked if field.slug in prefilled], MultiDict(), prefilled)
    given = ((question.asked.slug or "", question.answer) for question in questions if question.field.validate(form))
    return {slug: answer for slug, answer in given if answer is not None}


def left_over(form: Form, formdata: Any, known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What was typed into fields that are not asked for now, as where Cal.com does not say which there are: it comes
    back hidden, so that nothing is lost."""
    for name in known:
        if name not in form:
            yield from ((name, value[:LONGEST_TYPED]) for value in formdata.getlist(name) if value)


def _ask(form: Form, asked: BookingField, formdata: Any, values: list[str] | None) -> Question:
    name = f"{PREFIX}{asked.slug}"
    is_fixed = asked.is_fixed and bool(values) and (not asked.options or set(values or ()) <= set(asked.options))
    if is_fixed and asked.options:
        asked = asked.model_copy(update={"options": values})
    # A Form itself has fields of its class alone. What a class of fields makes outside of a form waits for one.
    BaseForm.__setitem__(form, name, _field(asked))  # type: ignore[assignment]
    field = form[name]
    field.process(formdata or (_Given({name: values}) if values else None))
    return Question(asked, field, is_fixed=is_fixed)


class _Given(dict[str, list[str]]):
    """What an address says, as WTForms reads a form."""

    def getlist(self, name: str) -> list[str]:
        return self.get(name, [])


def _field(asked: BookingField) -> Field:
    kind = KINDS[asked.type or ""]
    label = label_of(asked)
    checks: list[Any] = [Required(_why(asked, label))] if asked.is_required else []
    if kind.longest:
        checks.append(AtMost(min(asked.max_length or kind.longest, kind.longest), asked.min_length or 0))
    if kind.check:
        checks.append(kind.check)
    more: dict[str, Any] = {"filters": [kind.read]} if kind.read else {}
    if asked.options:
        more["choices"] = [SelectChoice(option, option) for option in asked.options]
    if kind.field is SelectField:
        more["default"] = ""
        more["choices"] = [SelectChoice("", asked.placeholder or "Choose …"), *more["choices"]]
    if kind.field is RadioField:
        more |= {"validate_choice": False, "default": None}
        checks.append(OneOf(asked.options))
    return kind.field(label, validators=checks, **more)


def _why(asked: BookingField, label: str) -> str:
    name = f"“{label[:80]}”"
    match asked.type:
        case "boolean":
            return f"Tick {name}."
        case "select" | "radio":
            return f"Choose one: {name}."
        case "checkbox" | "multiselect":
            return f"Choose at least one: {name}."
    return f"Answer {name}."
