from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hds.calcom.answers import EventType
from hds.calcom.booker import RENDERED, Kind, Reason, carried, choose, chosen_time, frame_url, link_url, obstacle

URL = "https://cal.com/dana/intro-call"


def kind(**changes: Any) -> EventType:
    return EventType.model_validate({"id": 4711, "slug": "intro-call", "price": 0} | changes)


def question(slug: str, **changes: object) -> dict[str, object]:
    return {"slug": slug, "type": "text", "required": True, **changes}


def test_a_plain_type_is_booked_on_our_page() -> None:
    assert choose(kind(), "native", URL).kind is Kind.NATIVE
    assert choose(kind(), "native", None).kind is Kind.NATIVE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": 15000}, Reason.PAID),
        ({"price": "much"}, Reason.PAID),
        ({"recurrence": {"frequency": "weekly", "interval": 1, "occurrences": 4}}, Reason.SERIES),
        ({"isInstantEvent": True}, Reason.INSTANT),
        ({"bookingRequiresAuthentication": True}, Reason.SIGN_IN),
        (
            {"bookingFields": [question("drawing", type="signature"), question("size", type="select", options=[])]},
            f"{Reason.QUESTIONS} drawing, size.",
        ),
        ({"bookingFields": [question("in words")]}, f"{Reason.QUESTIONS} in words."),
        ({"bookingFields": [{"required": True}]}, f"{Reason.QUESTIONS} ?."),
    ],
)
def test_what_the_api_or_our_form_cannot_book_is_a_link(changes: dict[str, Any], reason: str) -> None:
    choice = choose(kind(**changes), "native", URL)
    assert (choice.kind, choice.url, choice.reason) == (Kind.LINK, URL, reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"requiresBookerEmailVerification": True},
        {"seats": {"seatsPerTimeSlot": 4}},
        {"seatsPerTimeSlot": 4},
        {"recurrence": None, "seats": None, "price": None},
        {"recurrence": {"disabled": True}, "seats": {"disabled": True}},
        {"confirmationPolicy": {"type": "always"}},
        {"bookingFields": [question(slug) for slug in ("name", "email", "notes", "location", "guests")]},
        {"bookingFields": [question("attendeePhoneNumber", type="phone"), question("rescheduleReason")]},
        {"bookingFields": [question(kind, type=kind, options=["One", "Two"]) for kind in sorted(RENDERED)]},
        {"bookingFields": [question("company", required=False), question("ref", hidden=True)]},
    ],
)
def test_what_our_form_can_book_is_no_obstacle(changes: dict[str, Any]) -> None:
    assert obstacle(kind(**changes)) == ""


def test_a_link_is_what_the_settings_may_ask_for() -> None:
    choice = choose(kind(), "link", URL)
    assert (choice.kind, choice.reason) == (Kind.LINK, "")


def test_where_cal_com_does_not_answer_there_is_still_the_link() -> None:
    assert choose(None, "native", URL).url == URL


@pytest.mark.parametrize("event_type", [None, kind(price=5)])
def test_without_a_name_at_cal_com_there_is_a_way_to_write(event_type: EventType | None) -> None:
    choice = choose(event_type, "native", None)
    assert (choice.kind, choice.url) == (Kind.WRITE, None)
    assert choice.reason.endswith(Reason.NO_PAGE)


FRAME = "https://app.cal.com/dana/intro-call/embed"


def test_the_frame_is_first_where_it_is_wanted_and_knows_what_is_left_without_it() -> None:
    choice = choose(kind(), "embed", URL, frame=FRAME)
    assert (choice.kind, choice.frame, choice.reason) == (Kind.EMBED, FRAME, "")
    assert choice.without_frame is not None
    assert choice.without_frame.kind is Kind.NATIVE


@pytest.mark.parametrize("changes", [{"price": 1}, {"isInstantEvent": True}, {"bookingRequiresAuthentication": True}])
def test_what_the_api_cannot_book_the_frame_can_and_a_link_is_left_without_it(changes: dict[str, Any]) -> None:
    choice = choose(kind(**changes), "embed", URL, frame=FRAME)
    assert choice.kind is Kind.EMBED
    assert choice.without_frame is not None
    assert (choice.without_frame.kind, choice.without_frame.url) == (Kind.LINK, URL)
    assert choice.without_frame.reason


def test_the_chain_goes_on_where_no_frame_is_known_or_cal_com_is_silent() -> None:
    native = choose(kind(), "embed", None)
    assert (native.kind, native.reason) == (Kind.NATIVE, Reason.NO_FRAME)
    assert choose(kind(price=5), "embed", None).kind is Kind.WRITE
    assert choose(None, "embed", URL, frame=FRAME).kind is Kind.LINK
    assert choose(kind(), "link", URL, frame=FRAME).kind is Kind.LINK
    assert choose(kind(), "native", URL, frame=FRAME).kind is Kind.NATIVE


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (URL, FRAME),
        ("https://acme.cal.com/dana/intro", "https://acme.cal.com/dana/intro/embed"),
        (None, None),
    ],
)
def test_a_frame_comes_from_the_application_not_from_the_pages(page: str | None, expected: str | None) -> None:
    assert frame_url("https://app.cal.com", "https://cal.com", page) == expected


def test_our_words_go_along_twice_and_an_address_never() -> None:
    words = {"site-ref": "q 1&x", "who": "priya@acme.example", "long": "x" * 600, "none": ""}
    assert carried(words) == {
        "metadata[site-ref]": "q 1&x",
        "metadata[long]": "x" * 500,
        "site-ref": "q 1&x",
        "long": "x" * 500,
    }


def test_a_time_is_opened_on_its_day_where_somebody_is() -> None:
    start = datetime(2026, 12, 1, 2, tzinfo=UTC)
    there = chosen_time(start.astimezone(ZoneInfo("America/New_York")))
    assert there == {"month": "2026-11", "date": "2026-11-30", "slot": "2026-12-01T02:00:00Z"}


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (("https://cal.com/", "/dana/", "intro-call"), URL),
        (("https://cal.eu", "team/acme", "intro"), "https://cal.eu/team/acme/intro"),
        (("https://cal.com", "dana", "a/../b?c"), "https://cal.com/dana/a%2F..%2Fb%3Fc"),
        (("", "dana", "intro"), None),
        (("https://cal.com", "", "intro"), None),
        (("https://cal.com", "dana", ""), None),
    ],
)
def test_a_link_needs_place_owner_and_slug(place: tuple[str, str, str], expected: str | None) -> None:
    assert link_url(*place) == expected
