"""The event type's own questions, in our form and on their way to Cal.com."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from hds.bookings.booker import Booker
from hds.bookings.forms import DetailsForm
from hds.bookings.models import AttemptState, BookingAttempt
from hds.bookings.questions import KINDS
from hds.calcom.answers import EventType
from hds.calcom.booker import RENDERED, Asked, Choice, Kind
from hds.calcom.client import CalClient, Target
from hds.extensions import db
from tests.bookings.visitor import Visitor, hidden_fields

START = datetime(2026, 12, 3, 10, tzinfo=UTC)
PERSON = {"name": "Ann", "email": "ann@acme.example"}
EACH_KIND = [
    {"type": "text", "slug": "company", "label": "Your company"},
    {"type": "textarea", "slug": "goals", "label": "Your goals", "placeholder": "In a few words"},
    {"type": "number", "slug": "budget", "label": "Your budget"},
    {"type": "select", "slug": "team", "label": "Your team", "options": ["Small", "Large"]},
    {"type": "radio", "slug": "pace", "label": "Your pace", "options": ["Slow", "Fast"]},
    {"type": "multiselect", "slug": "tools", "label": "Your tools", "options": ["Word", "Press"]},
    {"type": "checkbox", "slug": "topics", "label": "Your topics", "options": ["SEO", "Speed"]},
    {"type": "boolean", "slug": "terms", "label": "I agree"},
    {"type": "phone", "slug": "mobile", "label": "Your mobile"},
    {"type": "address", "slug": "office", "label": "Your office"},
    {"type": "multiemail", "slug": "colleagues", "label": "Your colleagues"},
    {"type": "url", "slug": "site", "label": "Your site"},
]
ANSWERED = {
    "q-company": "Acme",
    "q-goals": "More\r\nspeed",
    "q-budget": "1 000,50",
    "q-team": "Large",
    "q-pace": "Fast",
    "q-tools": ["Word", "Press"],
    "q-topics": ["SEO"],
    "q-terms": "y",
    "q-mobile": "+1 (202) 555-0123",
    "q-office": "1 Main St",
    "q-colleagues": "Bob@acme.example,\ncid@acme.example bob@acme.example",
    "q-site": "acme.example",
}
ANSWERS = {
    "company": "Acme",
    "goals": "More\nspeed",
    "budget": "1000.50",
    "team": "Large",
    "pace": "Fast",
    "tools": ["Word", "Press"],
    "topics": ["SEO"],
    "terms": True,
    "mobile": "+12025550123",
    "office": "1 Main St",
    "colleagues": ["bob@acme.example", "cid@acme.example"],
    "site": "https://acme.example",
}


def required(fields: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    return [{"required": True, "hidden": False, "placeholder": "", **field, **more} for field in fields]


@pytest.fixture
def fill_in(app: Flask) -> Callable[..., DetailsForm]:
    def fill(fields: list[dict[str, Any]], typed: dict[str, Any], query: str = "", **more: Any) -> DetailsForm:
        event_type = EventType.model_validate({"id": 1, "bookingFields": fields, **more})
        booker = Booker(Choice(Kind.NATIVE), Target(1), (), event_type)
        with app.test_request_context(f"/?{query}", method="POST", data=MultiDict(PERSON | typed)):
            form = DetailsForm(meta={"csrf": False})
            form.ask_for(booker)
            form.validate()
        return form

    return fill


def test_our_form_asks_each_kind_that_is_no_obstacle() -> None:
    assert set(KINDS) == RENDERED == {field["type"] for field in EACH_KIND}


def test_each_kind_is_answered_as_cal_takes_it(fill_in: Callable[..., DetailsForm]) -> None:
    form = fill_in(required(EACH_KIND), ANSWERED)
    assert form.errors == {}
    assert form.order(START, ZoneInfo("UTC")).answers == ANSWERS


def test_each_kind_says_that_it_must_be_answered(fill_in: Callable[..., DetailsForm]) -> None:
    errors = fill_in(required(EACH_KIND), {}).errors
    assert {name.removeprefix("q-") for name in errors} == set(ANSWERS)
    assert (errors["q-company"], errors["q-terms"]) == (["Answer “Your company”."], ["Tick “I agree”."])
    assert fill_in(required(EACH_KIND, required=False), {}).errors == {}


def test_what_the_owner_wrote_into_an_empty_field_is_a_hint_beside_ours(fill_in: Callable[..., DetailsForm]) -> None:
    form = fill_in(required(EACH_KIND, placeholder="Any will do"), ANSWERED)
    hints = {question.asked.slug: question.hint for question in form.questions}
    assert hints["goals"] == "Any will do"
    assert hints["mobile"] == "With the country code, like +1 202 555 0123. Any will do"
    assert hints["team"] == ""  # the first of its choices says it
    assert not [question for question in form.questions if "placeholder" in question.marks]


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("q-budget", "lots", "Enter a number"),
        ("q-team", "Tiny", "valid choice"),
        ("q-pace", "Tiny", "Choose one of these"),
        ("q-topics", "Cars", "valid choice"),
        ("q-mobile", "555 0123", "country code"),
        ("q-colleagues", "bob@acme.example; cid", "“cid” is no e-mail address"),
        ("q-colleagues", " ".join(f"a{n}@acme.example" for n in range(11)), "at most 10"),
        ("q-site", "javascript:alert(1)", "https://example.com"),
        ("q-site", "no site", "https://example.com"),
        ("q-company", "x" * 501, "500 characters"),
        ("q-goals", "x" * 2001, "2000 characters"),
    ],
)
def test_what_is_no_answer_is_asked_again_and_kept(
    fill_in: Callable[..., DetailsForm], name: str, typed: str, words: str
) -> None:
    form = fill_in(required(EACH_KIND), ANSWERED | {name: typed})
    assert list(form.errors) == [name]
    assert words in form.errors[name][0]
    assert form[name].data in (typed, [typed])


def test_a_question_may_say_how_long_its_answer_is(fill_in: Callable[..., DetailsForm]) -> None:
    field = required([{"type": "text", "slug": "code", "label": "Code", "minLength": 3, "maxLength": 5}])
    assert "at least 3" in fill_in(field, {"q-code": "ab"}).errors["q-code"][0]
    assert "to 5 characters" in fill_in(field, {"q-code": "abcdef"}).errors["q-code"][0]
    assert fill_in(field, {"q-code": "abcd"}).errors == {}


def test_an_address_answers_beforehand_what_is_not_about_a_person(app: Flask) -> None:
    fields = required([*EACH_KIND, {"type": "radio", "slug": "plan", "options": ["A", "B"], "disableOnPrefill": True}])
    event_type = EventType.model_validate({"id": 1, "bookingFields": fields})
    query = "&".join(f"{slug}={value}" for slug, value in {**ANSWERS, "topics": "SEO&topics=Speed"}.items())
    with app.test_request_context(f"/?{query}&plan=B&team=Huge"):
        form = DetailsForm(formdata=None)
        form.ask_for(Booker(Choice(Kind.NATIVE), Target(1), (), event_type))
        page = {question.asked.slug: question for question in form.questions}
        assert page["company"].field.data == "Acme"
        assert page["topics"].field.data == ["SEO", "Speed"]
        assert {page[slug].field.data for slug in ("mobile", "office", "colleagues")} == {""}
        assert page["plan"].is_fixed
        assert [option.data for option in page["plan"].field] == ["B"]
        assert "mobile" not in form.prefilled


def test_the_common_questions_are_put_as_the_event_type_puts_them(fill_in: Callable[..., DetailsForm]) -> None:
    notes = {"type": "textarea", "slug": "notes", "label": "additional_notes", "required": True}
    guests = {"type": "multiemail", "slug": "guests", "label": "Who comes along?", "hidden": False}
    form = fill_in([notes, guests, *required(EACH_KIND[:1])], {"guests": "ann@acme.example"})
    assert set(form.errors) == {"notes", "guests", "q-company"}
    assert form.guests.label.text == "Who comes along?"
    assert [field.name for field in form][-4:] == ["q-company", "guests", "notes", "company_fax"]
    hidden = fill_in([notes | {"hidden": True}, guests], {}, disableGuests=True)
    assert (hidden.notes, hidden.guests, hidden.errors) == (None, None, {})


def test_what_an_event_type_hides_is_not_asked() -> None:
    event_type = EventType.model_validate({"id": 1, "bookingFields": required(EACH_KIND, hidden=True)})
    assert Asked.of(event_type).questions == ()


def test_more_than_fits_is_not_cut_before_it_is_said(fill_in: Callable[..., DetailsForm]) -> None:
    form = fill_in([], {"notes": "x" * 7000})
    assert "Shorten this" in form.errors["notes"][0]
    assert form.notes.data == "x" * 7000


def test_an_address_answers_what_is_hidden_but_not_what_is_ours(fill_in: Callable[..., DetailsForm]) -> None:
    fields = required(EACH_KIND, hidden=True)
    ours = [{"type": "text", "slug": slug, "label": "x", "hidden": True} for slug in ("hds-reference", "hds-visit")]
    query = "company=Acme&team=Huge&pace=Fast&topics=SEO&topics=Cars&budget=12&terms=true&mobile=%2B12025550123"
    form = fill_in([*fields, *ours], {"q-goals": "More"}, f"{query}&hds-reference=x&hds-visit=y&site=javascript:1")
    assert form.errors == {}
    assert form.questions == []
    assert form.answers == {"company": "Acme", "pace": "Fast", "budget": "12", "terms": True}


# Against the sandbox


def test_all_that_was_typed_reaches_cal_and_the_attempt(
    cal: CalClient, client: FlaskClient, make_type: Callable[..., Any], free_times: Callable[..., list[str]]
) -> None:
    fields = [*required(EACH_KIND), {"type": "text", "slug": "hds-reference", "label": "x", "hidden": True}]
    event_type = make_type(bookingFields=fields)
    visitor = Visitor(client, free_times(event_type["id"], 9)[0], "made")
    visitor.fields |= ANSWERED
    refused = visitor.send(email="no", guests="bob@acme.example")
    assert refused.status_code == 422
    for kept in ("Acme", "More\nspeed", "1000.50", 'value="SEO"', "bob@acme.example", "1 Main St"):
        assert kept in refused.text
    assert refused.text.count(" checked") == 5  # a pace, two tools, a topic, the terms
    assert visitor.send(guests="bob@acme.example, cid@acme.example").status_code == 303
    attempt = db.session.scalars(db.select(BookingAttempt)).unique().one()
    assert (attempt.state, attempt.answers) == (AttemptState.BOOKED, ANSWERS)
    assert attempt.guests == ["bob@acme.example", "cid@acme.example"]
    booking = cal.booking(attempt.booking_uid or "")
    assert booking.answers.items() >= (ANSWERS | {"hds-reference": attempt.reference}).items()
    assert booking.guests == attempt.guests


@pytest.mark.parametrize(
    ("place", "typed", "kept"),
    [
        ("in_person", {}, "1 Main St"),
        ("call_us", {}, "+12025550100"),
        ("zoom", {}, "integrations:zoom"),
        ("link", {}, "https://meet.example/room"),
        ("address", {"address": "2 Side St"}, "2 Side St"),
        ("elsewhere", {"elsewhere": "The park"}, "The park"),
        ("phone", {"phone": "+12025550123"}, "+12025550123"),
    ],
)
def test_one_meets_where_was_chosen(
    cal: CalClient,
    client: FlaskClient,
    make_type: Callable[..., Any],
    free_times: Callable[..., list[str]],
    place: str,
    typed: dict[str, str],
    kept: str,
) -> None:
    places = [
        {"type": "integration", "integration": "cal-video"},
        {"type": "integration", "integration": "zoom"},
        {"type": "address", "address": "1 Main St", "public": True},
        {"type": "link", "link": "https://meet.example/room", "public": False},
        {"type": "phone", "phone": "+12025550100", "public": False},
        {"type": "attendeePhone"},
        {"type": "attendeeAddress"},
        {"type": "attendeeDefined"},
        {"type": "unknown", "location": "?"},
    ]
    event_type = make_type(locations=places)
    start = free_times(event_type["id"], 10)[0]
    visitor = Visitor(client, start, "made")
    page = client.get(visitor.url).text
    assert page.count('name="place"') == 8
    assert "In person: 1 Main St" in page
    assert "+12025550100" not in page
    if typed:
        assert visitor.send(place=place).status_code == 422
    assert visitor.send(place=place, **typed).status_code == 303
    attempt = db.session.scalars(db.select(BookingAttempt)).unique().one()
    assert cal.booking(attempt.booking_uid or "").location == kept
    cal.cancel(attempt.booking_uid or "", "test", as_host=True)


def test_while_cal_is_silent_no_answer_is_lost(
    cal: CalClient,
    use_cal: Callable[..., CalClient],
    client: FlaskClient,
    make_type: Callable[..., Any],
    free_times: Callable[..., list[str]],
) -> None:
    event_type = make_type(bookingFields=required(EACH_KIND[:2]))
    visitor = Visitor(client, free_times(event_type["id"], 9)[0], "made")
    visitor.fields |= ANSWERED
    use_cal("http://127.0.0.1:9", seconds=0.3)
    page = visitor.send()
    assert page.status_code == 503
    kept = hidden_fields(page.text)
    assert kept["q-company"] == "Acme"
    assert re.search(r'name="q-topics" value="SEO"', page.text)
