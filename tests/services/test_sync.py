"""Services and Cal.com's event types: what differs, whose it is, and what a page may say of the price."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from pytest_httpserver import HTTPServer

from hds.calcom.answers import EventType
from hds.extensions import db
from hds.lib import clock
from hds.lib.edition import Edition
from hds.lib.times import utcnow
from hds.schedule import LINES
from hds.services import jobs, sync
from hds.services.account import CalAccount
from hds.services.models import EventTypeState, Service
from hds.services.seed import SERVICES
from tests.factories import ServiceFactory

KIND: dict[str, Any] = {
    "id": 1002,
    "slug": "deep-dive",
    "title": "Deep Dive Technical Consultation",
    "lengthInMinutes": 60,
    "price": 15000,
    "currency": "usd",
    "confirmationPolicy": {"type": "always", "blockUnconfirmedBookingsInBooker": True},
    "locations": [{"type": "integration", "integration": "cal-video"}],
    "bookingFields": [],
    "seats": {"disabled": True},
}


@pytest.fixture
def tell(httpserver: HTTPServer, at):
    """Have Cal.com say these event types from now on: a client that hears it."""

    def say(*kinds: dict[str, Any], elsewhere: dict[str, Any] | None = None):
        httpserver.clear()
        httpserver.expect_request("/v2/event-types").respond_with_json({"status": "success", "data": list(kinds)})
        answer = ({"status": "success", "data": elsewhere}, 200) if elsewhere else ({"error": "not found"}, 404)
        httpserver.expect_request("/v2/me").respond_with_json({"status": "success", "data": {"username": "hudson"}})
        httpserver.expect_request("/v2/event-types/1002").respond_with_json(*answer)
        httpserver.expect_request("/v2/event-types/1003").respond_with_json({"error": "not found"}, 404)
        return at(httpserver.url_for("").rstrip("/"))

    return say


@pytest.fixture
def deep_dive(app) -> Service:
    """As the catalogue ships it."""
    [row] = [row for row in SERVICES if row["slug"] == "deep-dive"]
    service = Service(**row, cal_event_type_id=1002)
    db.session.add(service)
    db.session.commit()
    return service


def differing(service: Service) -> dict[str, tuple[str, str, bool]]:
    return {each.field: (each.our_words, each.their_words, each.is_own) for each in sync.differences(service)}


def look(client) -> None:
    assert sync.look(client) == ""


# What an event type says


def test_an_event_type_tells_all_that_a_service_shows():
    kind = EventType.model_validate(
        KIND
        | {
            "lengthInMinutesOptions": [60, 30],
            "locations": [{"type": "attendeePhone"}, {"type": "integration"}, {"type": "link"}, {"type": "unknown"}],
            "bookingFields": [
                {"slug": "name", "type": "name", "label": "your_name", "required": True},
                {"slug": "company", "type": "text", "label": "Your company", "required": True},
                {"slug": "hds-reference", "type": "text", "label": "hds-reference", "hidden": True},
            ],
            "seats": {"seatsPerTimeSlot": 8},
            "disableCancelling": {"disabled": True},
            "disableRescheduling": {"disabled": True},
        }
    )
    assert sync.told_by(kind) == {
        "name": "Deep Dive Technical Consultation",
        "duration_minutes": 60,
        "duration_options": [30, 60],
        "price": [15000, "USD"],
        "meeting_places": ["video", "phone"],
        "questions": ["Your company"],
        "needs_approval": True,
        "seats": 8,
        "can_cancel": False,
        "can_move": False,
    }


def test_what_it_does_not_say_is_left_out_and_changes_nothing(tell, deep_dive):
    look(tell({"id": 1002, "price": 15000, "currency": "usd", "confirmationPolicy": {"type": "always"}}))
    assert not {"name", "duration_minutes", "meeting_places"} & set(deep_dive.told)
    assert differing(deep_dive) == {}


def test_a_price_that_no_column_holds_is_the_largest_that_one_does():
    assert sync.told_by(EventType.model_validate(KIND | {"price": 2**60}))["price"] == [2**31 - 1, "USD"]


# Whose value it is


def test_where_nothing_differs_nothing_is_shown(tell, deep_dive):
    look(tell(KIND))
    assert differing(deep_dive) == {}
    assert sync.drift() == []


def test_what_the_catalogue_came_with_gives_way(tell, deep_dive):
    look(tell(KIND | {"title": "An hour together", "lengthInMinutes": 45}))
    assert differing(deep_dive) == {
        "name": ("Deep Dive Technical Consultation", "An hour together", False),
        "duration_minutes": ("60 minutes", "45 minutes", False),
    }
    assert deep_dive.duration_minutes == 60  # looking changed nothing
    assert [each.field for each in sync.take_over(deep_dive)] == ["name", "duration_minutes"]
    db.session.commit()
    assert (deep_dive.name, deep_dive.duration_minutes) == ("An hour together", 45)
    assert differing(deep_dive) == {}


def test_what_the_owner_wrote_stands(tell, deep_dive):
    deep_dive.name, deep_dive.duration_minutes = "My own words", 90
    db.session.commit()
    look(tell(KIND | {"title": "An hour together", "lengthInMinutes": 45}))
    assert {field: is_own for field, (_, _, is_own) in differing(deep_dive).items()} == {
        "name": True,
        "duration_minutes": True,
    }
    assert sync.take_over(deep_dive) == []
    assert (deep_dive.name, deep_dive.duration_minutes) == ("My own words", 90)


def test_what_was_taken_over_follows_and_what_was_changed_after_is_the_owners(tell, deep_dive):
    look(tell(KIND | {"title": "First", "lengthInMinutes": 45}))
    sync.take_over(deep_dive)
    deep_dive.name = "Mine"
    db.session.commit()
    look(tell(KIND | {"title": "Second", "lengthInMinutes": 50}))
    assert differing(deep_dive) == {
        "name": ("Mine", "Second", True),
        "duration_minutes": ("45 minutes", "50 minutes", False),
    }
    sync.take_over(deep_dive)
    assert (deep_dive.name, deep_dive.duration_minutes) == ("Mine", 50)


def test_what_was_the_same_all_along_follows_too(tell, app):
    service = ServiceFactory(slug="own", name="Own", duration_minutes=60, cal_event_type_id=1002)
    look(tell(KIND | {"title": "Own"}))
    sync.take_over(service)
    db.session.commit()
    look(tell(KIND | {"title": "Own, longer", "lengthInMinutes": 90}))
    assert {field for field, (_, _, is_own) in differing(service).items() if not is_own} >= {"name", "duration_minutes"}


def test_a_service_of_the_owners_making_is_not_written_over_the_first_time(tell, app):
    service = ServiceFactory(slug="own", name="Own", duration_minutes=20, cal_event_type_id=1002, meeting_places=[])
    look(tell(KIND | {"seats": {"seatsPerTimeSlot": 8}}))
    own = {field for field, (_, _, is_own) in differing(service).items() if is_own}
    assert own == {"name", "duration_minutes"}
    sync.take_over(service)
    assert (service.name, service.duration_minutes) == ("Own", 20)
    assert (service.seats, service.meeting_places, service.needs_approval) == (8, ["video"], True)


def test_an_own_value_gives_way_where_the_owner_says_so(tell, deep_dive):
    deep_dive.name = "My own words"
    db.session.commit()
    look(tell(KIND))
    assert [each.field for each in sync.take_over(deep_dive, {"name"})] == ["name"]
    assert deep_dive.name == KIND["title"]


def test_places_in_another_order_are_no_difference(tell, deep_dive):
    deep_dive.meeting_places = ["phone", "video"]
    db.session.commit()
    look(tell(KIND | {"locations": [{"type": "integration"}, {"type": "phone"}]}))
    assert differing(deep_dive) == {}


def test_another_event_type_forgets_what_the_first_one_said(tell, deep_dive):
    look(tell(KIND | {"price": 99900}))
    sync.take_over(deep_dive)
    deep_dive.belongs_to(1003, "intro-call")
    assert (deep_dive.told, deep_dive.taken, deep_dive.event_type_state) == (None, None, None)
    assert deep_dive.cal_event_slug == "intro-call"


# The price


@pytest.mark.parametrize(
    ("own", "charged", "price"),
    [
        ((15000, "USD"), (20000, "usd"), (20000, "USD")),  # Cal.com's is higher: never less is said
        ((15000, "USD"), (10000, "usd"), (15000, "USD")),
        ((15000, "USD"), (0, "usd"), (15000, "USD")),  # billed in some other way
        ((15000, "USD"), (9000, "eur"), (9000, "EUR")),  # what cannot be compared is what is paid
        ((None, None), (9000, "eur"), (9000, "EUR")),
        ((0, "USD"), (1, "usd"), (1, "USD")),
        ((None, None), (0, "usd"), (None, None)),
        ((None, None), (5000, None), (5000, "USD")),
    ],
)
def test_no_less_is_advertised_than_cal_com_charges(tell, deep_dive, own, charged, price):
    deep_dive.price_amount, deep_dive.price_currency = own
    db.session.commit()
    look(tell(KIND | {"price": charged[0], "currency": charged[1]}))
    assert deep_dive.price == price
    assert (deep_dive.price_amount, deep_dive.price_currency) == price
    assert deep_dive.own_price == own  # nothing was written over


def test_pages_show_the_higher_price_at_once(tell, deep_dive, client):
    def shown() -> list[bool]:
        return [text in client.get("/services/deep-dive").text for text in ("$150", "$200")]

    assert shown() == [True, False]
    look(tell(KIND | {"price": 20000}))
    assert shown() == [False, True]
    assert "$200" in client.get("/services").text


def test_a_price_that_differs_is_drift_whoever_is_right(tell, deep_dive):
    look(tell(KIND | {"price": 20000}))
    assert sync.drift() == [
        f"{deep_dive.name}: price is $150 here, and $200 at Cal.com; the pages say $200.",
    ]
    deep_dive.price_amount = 17500
    db.session.commit()
    assert sync.drift() == [
        f"{deep_dive.name}: price is $175 here (yours), and $200 at Cal.com; the pages say $200.",
    ]


def test_a_type_that_cal_com_takes_nothing_for_does_not_make_a_service_free(tell, deep_dive):
    look(tell(KIND | {"price": 0}))
    assert differing(deep_dive) == {"price": ("$150", "Free", True)}
    sync.take_over(deep_dive)
    assert deep_dive.own_price == (15000, "USD")


def test_a_price_that_came_from_cal_com_goes_with_it(tell, deep_dive):
    look(tell(KIND | {"price": 20000}))
    sync.take_over(deep_dive)
    db.session.commit()
    look(tell(KIND | {"price": 0}))
    sync.take_over(deep_dive)
    assert (deep_dive.own_price, deep_dive.is_free) == ((None, None), True)


# What is not there


def test_hidden_and_gone_are_told(tell, deep_dive):
    look(tell(KIND | {"hidden": True}))
    assert deep_dive.event_type_state is EventTypeState.HIDDEN
    assert "its event type is hidden at Cal.com" in sync.drift()[0]
    look(tell())
    assert (deep_dive.event_type_state, deep_dive.told) == (EventTypeState.GONE, None)
    assert "is not there any more at Cal.com, so nobody can book it" in sync.drift()[0]


def test_a_teams_event_type_is_asked_for_by_its_number(tell, deep_dive):
    look(tell(elsewhere=KIND | {"lengthInMinutes": 45}))
    assert differing(deep_dive)["duration_minutes"][1] == "45 minutes"


def test_an_event_type_is_found_by_its_slug_where_no_number_is_known(tell, app):
    service = ServiceFactory(slug="dive", cal_event_slug="deep-dive", duration_minutes=20)
    look(tell(KIND))
    assert service.told["duration_minutes"] == 60


def test_a_cal_com_that_says_nothing_changes_nothing_and_says_why(tell, deep_dive, httpserver: HTTPServer):
    client = tell(KIND | {"price": 20000})
    look(client)
    httpserver.clear()
    httpserver.expect_request("/v2/event-types").respond_with_json({"error": {"message": "no"}}, 401)
    assert "does not know the key in CAL_ACCESS_TOKEN" in sync.look(client)
    assert deep_dive.price_amount == 20000
    assert "does not know the key" in CalAccount.known().trouble
    look(tell(KIND))
    assert CalAccount.known().trouble == ""


def test_looking_again_at_the_same_makes_no_page_anew(tell, deep_dive):
    client = tell(KIND)
    look(client)
    before = Edition.current()
    look(client)
    assert Edition.current() == before


# By itself


def test_the_clock_has_a_worker_look(app, at, httpserver: HTTPServer, deep_dive, monkeypatch):
    rung: list[str] = []
    monkeypatch.setattr("hds.lib.jobs.ring", lambda _queue, function, *_ids: rung.append(function))
    clock.run_due([line for line in LINES if line.function is jobs.ring_for_look])
    assert rung == ["hds.services.jobs.look"]
    httpserver.expect_request("/v2/event-types").respond_with_json(
        {"status": "success", "data": [KIND | {"price": 20000}]}
    )
    at(httpserver.url_for("").rstrip("/"))
    jobs.look()
    db.session.refresh(deep_dive)
    assert (deep_dive.price_amount, deep_dive.own_price_amount) == (20000, 15000)


def test_cal_com_is_asked_every_few_minutes_and_at_once_where_an_event_type_is_new(tell, deep_dive):
    assert sync.is_due()
    look(tell(KIND))
    assert not sync.is_due()
    with time_machine.travel(utcnow() + timedelta(minutes=6)):
        assert sync.is_due()
    deep_dive.belongs_to(1003, "intro-call")
    db.session.commit()
    assert sync.is_due()
    look(tell())
    assert not sync.is_due()  # it is not there, and is not asked for each minute


def test_without_a_key_nobody_is_asked(app, state, monkeypatch):
    from pydantic import SecretStr

    rung: list[str] = []
    monkeypatch.setattr("hds.lib.jobs.ring", lambda *words: rung.append(words[1]))
    state(cal_access_token=SecretStr(""))
    jobs.ring_for_look()
    assert rung == []


# From the shell


@pytest.fixture
def flask(app, tell, deep_dive):
    """Runs `flask cal sync` in this process, beside a Cal.com that says this."""
    runner = app.test_cli_runner()

    def run(kind: dict[str, Any] | None, *words: str, code: int = 0) -> str:
        db.session.rollback()
        tell(*([kind] if kind else []))
        result = runner.invoke(args=["cal", "sync", *words])
        assert result.exit_code == code, result.output
        db.session.rollback()
        return result.output

    return run


def test_the_command_shows_first_and_writes_when_asked(flask, deep_dive):
    kind = KIND | {"title": "An hour together", "price": 20000}
    for _ in range(2):
        output = flask(kind)
        assert "  Name:                    Deep Dive Technical Consultation → An hour together" in output
        assert "  Price:                   $150 → $200" in output
        assert "`flask cal sync --apply`" in output
        assert deep_dive.name == "Deep Dive Technical Consultation"
    flask(kind, "--apply")
    assert (deep_dive.name, deep_dive.own_price) == ("An hour together", (20000, "USD"))
    assert "nothing differs" in flask(kind)


def test_the_command_leaves_the_owners_and_calls_it_theirs(flask, deep_dive):
    deep_dive.name, deep_dive.price_amount = "My own words", 17500
    db.session.commit()
    kind = KIND | {"price": 20000}
    output = flask(kind, "--apply")
    assert f"Name:                    My own words (yours; Cal.com says {KIND['title']})" in output
    assert "$175 (yours; Cal.com says $200); the pages say $200" in output
    assert (deep_dive.name, deep_dive.own_price_amount) == ("My own words", 17500)
    flask(kind, "--apply", "--take", "deep-dive.name", "--take", "deep-dive.price")
    assert (deep_dive.name, deep_dive.own_price_amount) == (KIND["title"], 20000)


@pytest.mark.parametrize("words", [("--take", "deep-dive.name"), ("--apply", "--take", "deep-dive.colour")])
def test_the_command_refuses_what_it_does_not_know(flask, words):
    flask(KIND, *words, code=2)


def test_the_command_says_where_there_is_no_event_type(flask):
    assert "no such event type at Cal.com" in flask(None)
    assert ", hidden at Cal.com" in flask(KIND | {"hidden": True})


def test_the_command_ends_with_one_where_cal_com_does_not_answer(app, at, deep_dive):
    at("http://127.0.0.1:9")
    result = app.test_cli_runner().invoke(args=["cal", "sync"])
    assert result.exit_code == 1
    assert "gave no usable answer" in result.output
