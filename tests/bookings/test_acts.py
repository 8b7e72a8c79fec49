"""Acts on a booking, asked of a real sandbox over HTTP: once each, and what came of it is known."""

import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from pytest_httpserver import HTTPServer
from sqlalchemy import func
from werkzeug import Request, Response

from hds.bookings import acts, reconcile
from hds.bookings.acts import Actor, ActRefusal, ActState, BookingAct, Verb, Wish
from hds.bookings.chain import BookingStatus, FactKind, PaymentState
from hds.bookings.models import Booking
from hds.calcom.client import CalClient, Person, Target
from hds.extensions import db
from hds.lib.times import iso_utc, utcnow
from tests.factories import StaffFactory, fact, in_days, make_booking

EMAIL = "priya@acme.example"


def wish(verb: Verb, by: Actor = Actor.ATTENDEE, **more: Any) -> Wish:
    return Wish(verb, by, more.pop("form_token", None) or secrets.token_urlsafe(24), **more)


@pytest.fixture
def book(cal: CalClient, free_times: Callable[..., list[str]]) -> Callable[..., Booking]:
    """Booked at the sandbox, and known here from its answer."""

    def make(event_type: int = 1001, nth: int = 0) -> Booking:
        start = datetime.fromisoformat(free_times(event_type)[nth])
        answer = cal.create_booking(
            Target(event_type), start, Person("Priya Natarajan", EMAIL, "Asia/Kolkata"), metadata={}
        )
        reconcile.take_word(answer)
        db.session.commit()
        booking = Booking.by_uid(answer.uid)
        assert booking is not None
        return booking

    return make


def after(free_times: Callable[..., list[str]], event_type: int = 1001) -> datetime:
    return datetime.fromisoformat(free_times(event_type, 12)[0]).astimezone(UTC)


def test_an_attendee_cancels_with_a_reason(book: Any, strategy: Any) -> None:
    booking = book()
    act = acts.perform(booking.id, wish(Verb.CANCEL, reason="I am ill"))
    assert (act.state, act.stage, act.refusal) == (ActState.DONE, ActState.DONE, None)
    assert (booking.status, booking.reason) == (BookingStatus.CANCELLED, "I am ill")


def test_an_attendee_moves_it(book: Any, strategy: Any, free_times: Any) -> None:
    booking, to = book(), after(free_times)
    old_uid = booking.uid
    act = acts.perform(booking.id, wish(Verb.MOVE, start_at=to, subject=EMAIL))
    assert act.state is ActState.DONE
    assert (booking.status, booking.start_at, booking.previous_uids) == (BookingStatus.CONFIRMED, to, [old_uid])
    assert booking.uid != old_uid


def test_what_needs_approval_waits_anew_when_the_attendee_moves_it_and_not_when_the_owner_does(
    book: Any, intro: Any, free_times: Any
) -> None:
    booking = book(1003)
    assert acts.perform(booking.id, wish(Verb.ACCEPT, Actor.STAFF)).state is ActState.DONE
    assert booking.status is BookingStatus.CONFIRMED
    times = [datetime.fromisoformat(text).astimezone(UTC) for text in free_times(1003, 12)]
    acts.perform(booking.id, wish(Verb.MOVE, start_at=times[0], subject=EMAIL))
    assert booking.status is BookingStatus.REQUESTED
    acts.perform(booking.id, wish(Verb.MOVE, Actor.STAFF, start_at=times[4]))
    assert (booking.status, booking.start_at) == (BookingStatus.CONFIRMED, times[4])


def test_the_host_declines_with_a_reason(book: Any, intro: Any) -> None:
    booking = book(1003)
    act = acts.perform(booking.id, wish(Verb.DECLINE, Actor.STAFF, reason="No room this week"))
    assert (act.state, booking.status) == (ActState.DONE, BookingStatus.DECLINED)


def test_asking_the_attendee_to_move_is_told_until_cal_com_says_it_is_done(book: Any, strategy: Any) -> None:
    booking = book()
    act = acts.perform(booking.id, wish(Verb.ASK_TO_MOVE, Actor.STAFF, reason="A clash"))
    assert act.stage is ActState.TOLD
    Booking.record(fact(booking.uid, FactKind.CANCELLED, reason="Please reschedule. A clash"))
    db.session.commit()
    assert BookingAct.of_booking(booking.id)[0].stage is ActState.DONE


def test_nobody_is_absent_before_it_began(book: Any, strategy: Any) -> None:
    booking = book()
    act = acts.perform(booking.id, wish(Verb.MARK_ABSENT, Actor.STAFF, subject=EMAIL))
    assert (act.state, act.refusal) == (ActState.REFUSED, ActRefusal.TOO_EARLY)


def test_absent_and_present_again(use_cal: Any, httpserver: HTTPServer, strategy: Any) -> None:
    booking = make_booking("uid1", start_at=in_days(-1))
    shown: dict[str, Any] = {
        "uid": "uid1",
        "status": "accepted",
        "start": iso_utc(in_days(-1)),
        "end": iso_utc(utcnow()),
    }

    def mark(request: Request) -> Response:
        assert request.json is not None
        absent = request.json["attendees"][0]["absent"]
        answer = shown | {"attendees": [{"name": "Priya", "email": EMAIL, "absent": absent}]}
        return Response(json.dumps({"status": "success", "data": answer}))

    httpserver.expect_request("/v2/bookings/uid1/mark-absent", method="POST").respond_with_handler(mark)
    use_cal(httpserver.url_for("").rstrip("/"))
    act = acts.perform(booking.id, wish(Verb.MARK_ABSENT, Actor.STAFF, subject=EMAIL))
    assert (act.state, booking.status) == (ActState.DONE, BookingStatus.NO_SHOW)
    Booking.record(fact("uid1", FactKind.ABSENT, at=utcnow() - timedelta(minutes=10), subject=EMAIL))
    acts.perform(booking.id, wish(Verb.MARK_PRESENT, Actor.STAFF, subject=EMAIL))
    assert BookingAct.of_booking(booking.id)[1].state is ActState.DONE


def test_a_double_click_is_one_act(book: Any, strategy: Any) -> None:
    booking, twice = book(), wish(Verb.CANCEL, reason="I am ill")
    first, second = acts.perform(booking.id, twice), acts.perform(booking.id, twice)
    assert first.id == second.id
    assert db.session.scalar(db.select(func.count(BookingAct.id))) == 1


def test_a_form_of_another_booking_does_nothing(book: Any, strategy: Any) -> None:
    one, other, same = book(), book(nth=3), wish(Verb.CANCEL)
    acts.perform(one.id, same)
    with pytest.raises(LookupError):
        acts.perform(other.id, same)
    assert other.status is BookingStatus.CONFIRMED


def test_what_was_done_elsewhere_before_is_as_asked(book: Any, cal: CalClient, strategy: Any) -> None:
    booking = book()
    cal.cancel(booking.uid, "By Cal.com's own page")
    act = acts.perform(booking.id, wish(Verb.CANCEL))
    assert (act.state, booking.status) == (ActState.DONE, BookingStatus.CANCELLED)


def test_a_time_that_somebody_else_has_is_refused_and_another_is_taken(
    book: Any, strategy: Any, free_times: Any
) -> None:
    taken, booking = book(), book(nth=3)
    form = wish(Verb.MOVE, start_at=taken.start_at, subject=EMAIL)
    act = acts.perform(booking.id, form)
    assert (act.state, act.refusal) == (ActState.REFUSED, ActRefusal.TAKEN)
    again = Wish(**(vars(form) | {"start_at": after(free_times)}))
    assert acts.perform(booking.id, again).state is ActState.DONE, "the same form may be sent again"
    assert len(BookingAct.of_booking(booking.id)) == 1


def test_nobody_answers_and_nothing_is_done(unreachable: CalClient, strategy: Any) -> None:
    booking = make_booking()
    act = acts.perform(booking.id, wish(Verb.CANCEL))
    assert (act.state, act.refusal) == (ActState.REFUSED, ActRefusal.NO_ANSWER)
    assert booking.status is BookingStatus.CONFIRMED


def test_without_a_key_the_host_is_told_so(use_cal: Any, sandbox_url: str, strategy: Any) -> None:
    use_cal(sandbox_url, cal_access_token=type(Flask)("S", (), {"get_secret_value": lambda self: ""})())
    act = acts.perform(make_booking().id, wish(Verb.ACCEPT, Actor.STAFF))
    assert (act.state, act.refusal) == (ActState.REFUSED, ActRefusal.NOT_ALLOWED)


@pytest.mark.parametrize("is_done", [True, False])
def test_an_answer_that_never_came_is_looked_up(
    use_cal: Any, httpserver: HTTPServer, strategy: Any, is_done: bool
) -> None:
    booking = make_booking("uid1")
    shown = {"uid": "uid1", "start": "2026-12-03T10:00:00Z", "end": "2026-12-03T10:30:00Z"}
    shown["status"] = "cancelled" if is_done else "accepted"

    def never(_: Request) -> Response:
        time.sleep(1.2)
        return Response(status=500)

    httpserver.expect_request("/v2/bookings/uid1/cancel").respond_with_handler(never)
    httpserver.expect_request("/v2/bookings/uid1").respond_with_json({"status": "success", "data": shown})
    use_cal(httpserver.url_for("").rstrip("/"), seconds=1.0)
    act = acts.perform(booking.id, wish(Verb.CANCEL))
    assert act.stage is (ActState.DONE if is_done else ActState.UNKNOWN)
    assert booking.status is (BookingStatus.CANCELLED if is_done else BookingStatus.CONFIRMED)
    Booking.record(fact("uid1", FactKind.CANCELLED))
    db.session.commit()
    assert BookingAct.of_booking(booking.id)[0].stage is ActState.DONE, "a webhook told of it later"


def test_a_note_and_a_refund_need_no_cal_com(unreachable: CalClient, strategy: Any) -> None:
    booking, staff = make_booking(kind=FactKind.PAYMENT_INITIATED, price=15000, currency="USD"), StaffFactory()
    Booking.record(fact("uid1", FactKind.PAID, price=15000, currency="USD"))
    db.session.commit()
    acts.perform(booking.id, wish(Verb.NOTE, Actor.STAFF, reason="Call before", staff_id=staff.id))
    acts.perform(booking.id, wish(Verb.SET_REFUNDED, Actor.STAFF, staff_id=staff.id))
    assert booking.payment_state is PaymentState.REFUNDED
    note, refund = BookingAct.of_booking(booking.id)
    assert (note.stage, note.reason, refund.stage) == (ActState.DONE, "Call before", ActState.DONE)
    assert note.staff is not None
    assert note.staff.email == staff.email


def test_acts_stay_with_a_booking_that_two_turned_out_to_be(unreachable: CalClient, strategy: Any) -> None:
    make_booking("uid1")
    later = make_booking("uid2", kind=FactKind.RESCHEDULED, start_at=in_days(5))
    acts.perform(later.id, wish(Verb.NOTE, Actor.STAFF, reason="Bring the plan"))
    booking = Booking.record(fact("uid2", FactKind.CONFIRMED, previous_uid="uid1", start_at=in_days(5)))
    db.session.commit()
    assert [act.reason for act in BookingAct.of_booking(booking.id)] == ["Bring the plan"]


def test_a_cal_com_that_does_not_know_how_to_ask_is_told_apart(
    use_cal: Any, httpserver: HTTPServer, strategy: Any
) -> None:
    answer = {"status": "error", "error": {"code": "NotFoundException", "message": "Cannot POST /v2/bookings/…"}}
    httpserver.expect_request("/v2/bookings/uid1/request-reschedule").respond_with_json(answer, status=404)
    httpserver.expect_request("/v2/bookings/uid1").respond_with_json({"status": "error"}, status=404)
    use_cal(httpserver.url_for("").rstrip("/"))
    act = acts.perform(make_booking().id, wish(Verb.ASK_TO_MOVE, Actor.STAFF))
    assert (act.state, act.refusal) == (ActState.REFUSED, ActRefusal.NO_SUCH_CALL)


@pytest.mark.parametrize("is_done", [True, False])
def test_a_look_settles_what_was_unsure(use_cal: Any, httpserver: HTTPServer, strategy: Any, is_done: bool) -> None:
    booking = make_booking("uid1")
    shown = {"uid": "uid1", "start": "2026-12-03T10:00:00Z", "end": "2026-12-03T10:30:00Z"}
    shown["status"] = "cancelled" if is_done else "accepted"
    httpserver.expect_request("/v2/bookings/uid1").respond_with_json({"status": "success", "data": shown})
    use_cal(httpserver.url_for("").rstrip("/"))
    asked = {"verb": Verb.CANCEL, "actor": Actor.STAFF, "uid": "uid1", "state": ActState.UNKNOWN}
    for token, minutes in (("long ago", 2), ("just now", 0)):
        at = utcnow() - timedelta(minutes=minutes)
        db.session.add(BookingAct(**asked, booking_id=booking.id, form_token=token, state_at=at))
    db.session.commit()
    acts.look(booking.id)
    settled = [act.state for act in BookingAct.of_booking(booking.id)]
    assert settled == ([ActState.DONE] * 2 if is_done else [ActState.REFUSED, ActState.UNKNOWN])
    assert booking.status is (BookingStatus.CANCELLED if is_done else BookingStatus.CONFIRMED)
