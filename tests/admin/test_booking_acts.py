"""The host acts on a booking from the admin's pages, over a real sandbox; each act is said before, while and after."""

import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from hds.admin import steps
from hds.bookings import acts, reconcile
from hds.bookings.acts import Actor, ActRefusal, ActState, BookingAct, Verb, Wish
from hds.bookings.chain import BookingStatus, FactKind, PaymentState, Person
from hds.bookings.models import Booking
from hds.calcom.client import CalClient, Target
from hds.calcom.client import Person as Attendee
from hds.extensions import db
from hds.lib.times import iso_utc, say_day, utcnow
from tests import forms
from tests.bookings.conftest import (  # noqa: F401  (fixtures)
    cal,
    free_times,
    intro,
    make_type,
    meet,
    sandbox_url,
    sitting,
    unreachable,
    use_cal,
)
from tests.factories import fact, in_days, make_booking

# ruff: noqa: F811
EMAIL = "priya@acme.example"
STRATEGY, INTRO = 1001, 1003


def page_of(booking: Booking, *more: str) -> str:
    return "/".join(["/admin/bookings", str(booking.id), *more])


@pytest.fixture
def book(cal: CalClient, free_times: Callable[..., list[str]], strategy: Any, intro: Any) -> Callable[..., Booking]:
    """Booked at the sandbox, and known here from its answer."""

    def make(event_type: int = STRATEGY, nth: int = 0) -> Booking:
        start = datetime.fromisoformat(free_times(event_type)[nth])
        person = Attendee("Priya Natarajan", EMAIL, "Asia/Kolkata")
        answer = cal.create_booking(Target(event_type), start, person, metadata={})
        reconcile.take_word(answer)
        db.session.commit()
        booking = Booking.by_uid(answer.uid)
        assert booking is not None
        return booking

    return make


def do(client: FlaskClient, booking: Booking, name: str, **typed: Any) -> Any:
    """Open the step's page, and send it."""
    return forms.submit(client, page_of(booking, name), **typed)


def offered(page: str) -> set[str]:
    found = set(re.findall(r"/admin/bookings/\d+/([a-z-]+)\"", page))
    return found - {"looks"}


def test_a_request_is_accepted_from_the_list_and_the_timeline_says_by_whom(
    signed_in: FlaskClient, book: Any, staff: Any
) -> None:
    booking = book(INTRO)
    page = signed_in.get("/admin/bookings").text
    assert "Waiting for your answer" in page
    answer = forms.submit(signed_in, "/admin/bookings", page_of(booking, "acceptance"))
    assert (answer.status_code, answer.location) == (303, "/admin/bookings")
    page = signed_in.get("/admin/bookings").text
    zone = ZoneInfo("America/New_York")
    assert f"Accepted: Priya Natarajan, {say_day(booking.start_at.astimezone(zone).date())}, " in page
    assert "Waiting for your answer" not in page
    assert booking.status is BookingStatus.CONFIRMED
    shown = signed_in.get(page_of(booking)).text
    assert f"By <bdi>{staff.email}</bdi>" in shown
    assert shown.index("Accepted") < shown.index("Confirmed</strong>"), "asked first, then done"


def test_a_decline_says_to_whom_and_gives_the_reason(signed_in: FlaskClient, book: Any) -> None:
    booking = book(INTRO)
    page = signed_in.get(page_of(booking, "decline")).text
    for words in (EMAIL, "becomes free for others", "Cal.com mails them that you declined"):
        assert words in page
    answer = do(signed_in, booking, "decline", reason="No room <b>this</b> week")
    assert (answer.status_code, answer.location) == (303, page_of(booking))
    assert (booking.status, booking.reason) == (BookingStatus.DECLINED, "No room <b>this</b> week")
    page = signed_in.get(page_of(booking)).text
    assert "No room &lt;b&gt;this&lt;/b&gt; week" in page
    assert offered(page) == {"note"}


def test_a_cancellation_wants_a_reason_and_keeps_what_was_typed(signed_in: FlaskClient, book: Any) -> None:
    booking = book()
    answer = do(signed_in, booking, "cancellation", reason="  ")
    assert answer.status_code == 422
    assert "Enter your reason." in answer.text
    assert "<title>Error: Cancel this booking" in answer.text
    answer = do(signed_in, booking, "cancellation", reason="x" * 2001)
    assert (answer.status_code, "x" * 2001 in answer.text) == (422, True)
    assert BookingAct.of_booking(booking.id) == []
    assert do(signed_in, booking, "cancellation", reason="I am ill").status_code == 303
    assert (booking.status, booking.reason) == (BookingStatus.CANCELLED, "I am ill")


def test_a_double_click_acts_once_and_both_clicks_see_the_same(signed_in: FlaskClient, book: Any) -> None:
    booking = book()
    page = page_of(booking, "cancellation")
    typed = forms.fields(signed_in.get(page).text, page) | {"reason": "I am ill"}
    answers = [signed_in.post(page, data=typed) for _ in range(2)]
    assert [answer.location for answer in answers] == [page_of(booking)] * 2
    assert len(BookingAct.of_booking(booking.id)) == 1


def test_a_move_is_chosen_on_the_month_and_confirmed_on_a_page_of_its_own(
    signed_in: FlaskClient, book: Any, free_times: Any
) -> None:
    booking = book()
    to = datetime.fromisoformat(free_times(STRATEGY, 12)[0]).astimezone(UTC)
    day = to.astimezone(ZoneInfo("America/New_York")).date()
    page = signed_in.get(page_of(booking, "move") + f"?day={day}").text
    assert f'value="{iso_utc(to)}"' in page
    assert booking.uid not in page
    token = forms.fields(page, page_of(booking, "move", "time") + "?zone=America%2FNew_York")
    answer = signed_in.post(page_of(booking, "move", "time"), data=token | {"start": iso_utc(to)})
    assert answer.status_code == 303
    confirm = signed_in.get(answer.location).text
    assert "counts as accepted" in confirm
    assert booking.start_at != to, "nothing changes before it is confirmed"
    typed = forms.fields(confirm, page_of(booking, "move")) | {"reason": "A clash"}
    assert signed_in.post(page_of(booking, "move"), data=typed).status_code == 303
    assert (booking.status, booking.start_at) == (BookingStatus.CONFIRMED, to)
    assert "Moved: Priya Natarajan, " in signed_in.get(page_of(booking)).text
    again = signed_in.get(answer.location).text
    assert "It takes place at this time already" in again
    assert "Move it to this time" not in again


def test_a_time_that_was_taken_meanwhile_brings_others_and_keeps_the_reason(
    signed_in: FlaskClient, book: Any, free_times: Any
) -> None:
    booking, other = book(), book(nth=3)
    page = page_of(booking, "move")
    typed = forms.fields(signed_in.get(f"{page}?start={iso_utc(other.start_at)}").text, page)
    answer = signed_in.post(page, data=typed | {"reason": "A clash"})
    assert answer.status_code == 422
    assert "That time is no longer free." in answer.text
    assert "A clash" in answer.text
    others = re.findall(r'<input[^>]*name="start"[^>]*value="([^"]+)"', answer.text)
    assert len(others) == 6
    again = forms.fields(answer.text, page) | {"start": others[0], "reason": "A clash"}
    assert signed_in.post(page, data=again).status_code == 303
    assert iso_utc(booking.start_at) == others[0]
    assert len(BookingAct.of_booking(booking.id)) == 1, "the same form was sent again"


@pytest.mark.parametrize("start", ["", "2020-01-01T10:00:00Z", "soon"])
def test_a_move_to_no_time_does_nothing(signed_in: FlaskClient, book: Any, start: str) -> None:
    booking = book()
    page = page_of(booking, "move")
    typed = forms.fields(signed_in.get(f"{page}?start={iso_utc(in_days(9))}").text, page)
    answer = signed_in.post(page, data=typed | {"start": start})
    assert (answer.status_code, "That time is over." in answer.text) == (422, True)
    typed["start"] = iso_utc(booking.start_at)
    assert "This is when it takes place now." in signed_in.post(page, data=typed).text
    assert BookingAct.of_booking(booking.id) == []


def test_without_an_answer_there_is_no_month_and_a_way_on(
    signed_in: FlaskClient, unreachable: Any, strategy: Any
) -> None:
    answer = signed_in.get(page_of(make_booking(), "move"))
    assert answer.status_code == 200
    assert "Cal.com does not say now what is free." in answer.text
    assert "/bookings/upcoming" in answer.text


def test_asking_to_move_is_asked_until_cal_com_tells_of_it_and_then_done(signed_in: FlaskClient, book: Any) -> None:
    booking = book()
    do(signed_in, booking, "request-to-move", reason="A clash")
    page = signed_in.get(page_of(booking)).text
    assert "Ask to move: asked, and Cal.com has yet to do it" in page
    assert f'hx-get="{page_of(booking)}?look=1"' in page
    assert "Load this page again" in page
    assert offered(page) == {"note"}, "Cal.com has agreed, and would refuse all else"
    last = signed_in.get(page_of(booking) + "?look=20", headers={"HX-Request-Type": "partial"}).text
    assert "hx-trigger" not in last, "it does not look for ever"
    token = forms.fields(page, page_of(booking, "looks"))
    assert signed_in.post(page_of(booking, "looks"), data=token).status_code == 303
    assert booking.status is BookingStatus.CANCELLED
    page = signed_in.get(page_of(booking)).text
    assert "Asked for another time" in page
    assert "hx-trigger" not in page


def test_a_request_that_was_asked_to_move_is_not_answered_from_the_list(signed_in: FlaskClient, book: Any) -> None:
    booking = book(INTRO)
    do(signed_in, booking, "request-to-move", reason="A clash")
    page = signed_in.get("/admin/bookings").text
    assert "Ask to move: asked, and Cal.com has yet to do it." in page
    assert page_of(booking, "acceptance") not in page


@pytest.mark.parametrize(
    ("kind", "said"),
    [(FactKind.PAID, "paid $150"), (FactKind.REQUESTED, "$150"), (None, "$150, payment failed")],
)
def test_the_list_of_requests_says_what_is_paid(
    signed_in: FlaskClient, unreachable: Any, strategy: Any, kind: FactKind | None, said: str
) -> None:
    price: dict[str, Any] = {"price": 15000, "currency": "USD"}
    booking = make_booking(kind=FactKind.REQUESTED, **price)
    if kind is not FactKind.REQUESTED:
        Booking.record(fact("uid1", FactKind.PAID, **price))
        booking.settle_payment(PaymentState.FAILED if kind is None else None)
        db.session.commit()
    requests = signed_in.get("/admin/bookings").text.partition('id="requests"')[2].partition("</section>")[0]
    assert f"{said}</p>" in requests
    assert (page_of(booking, "acceptance") in requests) == (kind is not None)


def test_a_request_that_is_not_paid_says_so_where_it_would_be_answered(
    signed_in: FlaskClient, unreachable: Any, strategy: Any
) -> None:
    booking = make_booking(kind=FactKind.PAYMENT_INITIATED, price=15000, currency="USD")
    page = " ".join(signed_in.get(page_of(booking)).text.split())
    assert "It is not paid yet, so you can neither accept nor decline it. Once the payment has come, it is " in page
    strategy.needs_approval = True
    db.session.commit()
    assert "Once the payment has come, you can." in signed_in.get(page_of(booking)).text


def test_a_meeting_that_does_not_take_place_has_no_link(
    signed_in: FlaskClient, unreachable: Any, strategy: Any
) -> None:
    booking = make_booking()
    link = 'href="https://cal.example/video/uid1"'
    assert link in signed_in.get(page_of(booking)).text
    Booking.record(fact("uid1", FactKind.CANCELLED))
    db.session.commit()
    page = signed_in.get(page_of(booking)).text
    assert "was: <bdi>https://cal.example/video/uid1</bdi>" in page
    assert link not in page


def test_a_cal_com_that_cannot_ask_to_move_is_explained(
    signed_in: FlaskClient, use_cal: Any, httpserver: HTTPServer, strategy: Any
) -> None:
    missing = {"message": "Cannot POST /v2/bookings/uid1/request-reschedule", "statusCode": 404}
    httpserver.expect_request("/v2/bookings/uid1/request-reschedule").respond_with_json(missing, status=404)
    use_cal(httpserver.url_for("").rstrip("/"))
    booking = make_booking()
    answer = do(signed_in, booking, "request-to-move", reason="A clash")
    assert answer.status_code == 422
    assert "Your Cal.com does not know how to do this" in answer.text
    assert "A clash" in answer.text


@pytest.fixture
def began(use_cal: Any, httpserver: HTTPServer, strategy: Any) -> Booking:
    """A meeting of yesterday, with a guest, at a Cal.com that marks who was absent."""
    people = [Person(email=EMAIL, name="Priya"), Person(email="sam@acme.example", name="Sam")]
    booking = make_booking("uid1", start_at=in_days(-1), attendees=people)
    absent: set[str] = set()

    def mark(request: Request) -> Response:
        assert request.json is not None
        for entry in request.json["attendees"]:
            (absent.add if entry["absent"] else absent.discard)(entry["email"])
        attendees = [{"name": p.name, "email": p.email, "absent": p.email in absent} for p in people]
        shown = {"uid": "uid1", "status": "accepted", "start": iso_utc(in_days(-1)), "end": iso_utc(utcnow())}
        return Response(json.dumps({"status": "success", "data": {**shown, "attendees": attendees}}))

    httpserver.expect_request("/v2/bookings/uid1/mark-absent", method="POST").respond_with_handler(mark)
    use_cal(httpserver.url_for("").rstrip("/"))
    return booking


def test_each_attendee_is_marked_absent_and_present_again(signed_in: FlaskClient, began: Booking) -> None:
    do(signed_in, began, "absence")
    assert began.status is BookingStatus.NO_SHOW
    page = signed_in.get(page_of(began, "absence")).text
    assert (page.count("Was there after all"), page.count("Mark as absent")) == (1, 1)
    typed = forms.fields(page, page_of(began, "absence")) | {"subject": "sam@acme.example"}
    signed_in.post(page_of(began, "absence"), data=typed)
    assert steps.absent(began) == {EMAIL, "sam@acme.example"}
    page = signed_in.get(page_of(began, "absence")).text
    typed = forms.fields(page, page_of(began, "presence"))
    assert signed_in.post(page_of(began, "presence"), data=typed).status_code == 303
    assert EMAIL not in steps.absent(began)
    shown = signed_in.get(page_of(began)).text
    for words in ("Marked as absent", "Marked as present", f"of <bdi>{EMAIL}</bdi>"):
        assert words in shown


@pytest.mark.parametrize("kind", [FactKind.ABSENT, FactKind.ENDED])
def test_who_came_is_asked_before_the_start_where_cal_com_has_said_it(
    signed_in: FlaskClient, unreachable: Any, strategy: Any, kind: FactKind
) -> None:
    booking = make_booking()
    assert "absence" not in offered(signed_in.get(page_of(booking)).text)
    Booking.record(fact("uid1", kind, subject=EMAIL if kind is FactKind.ABSENT else ""))
    db.session.commit()
    assert "absence" in offered(signed_in.get(page_of(booking)).text)
    shown = signed_in.get(page_of(booking, "absence")).text
    assert ("Was there after all" in shown) == (kind is FactKind.ABSENT)
    assert "before that Cal.com may not let this site change it" in shown


def test_a_stranger_is_not_marked(signed_in: FlaskClient, began: Booking) -> None:
    answer = do(signed_in, began, "absence", subject="else@x.example")
    assert (answer.status_code, "Nobody with that address takes part." in answer.text) == (422, True)
    assert BookingAct.of_booking(began.id) == []


def test_a_note_and_the_payment_need_no_cal_com(signed_in: FlaskClient, unreachable: Any, strategy: Any) -> None:
    booking = make_booking(kind=FactKind.PAYMENT_INITIATED, price=15000, currency="USD")
    assert offered(signed_in.get(page_of(booking)).text) >= {"failed-payment", "note"}
    Booking.record(fact("uid1", FactKind.PAID, price=15000, currency="USD"))
    db.session.commit()
    do(signed_in, booking, "note", reason="Call before\n<script>alert(1)</script>")
    do(signed_in, booking, "refund")
    assert booking.payment_state is PaymentState.REFUNDED
    page = signed_in.get(page_of(booking)).text
    assert {"payment", "refund", "failed-payment"} & offered(page) == {"payment"}, "it is taken back first"
    assert "Call before\n&lt;script&gt;" in page
    assert "Payment marked as refunded" in page
    assert do(signed_in, booking, "note", reason="").status_code == 422


@pytest.mark.parametrize(
    ("kind", "mark", "before"),
    [
        (FactKind.PAID, "refund", PaymentState.PAID),
        (FactKind.PAYMENT_INITIATED, "failed-payment", PaymentState.PENDING),
    ],
)
def test_a_payment_that_was_marked_by_mistake_is_again_what_cal_com_told(
    signed_in: FlaskClient, unreachable: Any, strategy: Any, kind: FactKind, mark: str, before: PaymentState
) -> None:
    booking = make_booking(kind=kind, price=15000, currency="USD")
    assert "payment" not in offered(signed_in.get(page_of(booking)).text)
    do(signed_in, booking, mark)
    assert booking.payment_state not in {PaymentState.PAID, PaymentState.PENDING}
    do(signed_in, booking, "payment")
    assert booking.payment_state is before
    page = signed_in.get(page_of(booking)).text
    assert "Mark of the payment taken back" in page
    assert {mark} <= offered(page)
    Booking.record(fact("uid1", FactKind.PAID, price=15000, currency="USD"))
    db.session.commit()
    assert booking.payment_state is PaymentState.PAID


WHEN = {
    "asked": (FactKind.REQUESTED, 3, {"acceptance", "decline", "move", "request-to-move", "note"}),
    "asked, and over": (FactKind.REQUESTED, -3, {"decline", "note"}),
    "confirmed": (FactKind.CONFIRMED, 3, {"move", "request-to-move", "cancellation", "note"}),
    "over": (FactKind.CONFIRMED, -3, {"absence", "note"}),
    "cancelled": (FactKind.CANCELLED, 3, {"note"}),
    "to be paid": (
        FactKind.PAYMENT_INITIATED,
        3,
        {"move", "request-to-move", "cancellation", "failed-payment", "note"},
    ),
}


@pytest.mark.parametrize("when", WHEN)
def test_only_what_makes_sense_now_is_offered_and_taken(
    signed_in: FlaskClient, cal: Any, strategy: Any, when: str
) -> None:
    kind, days, expected = WHEN[when]
    booking = make_booking(kind=kind, start_at=in_days(days), price=15000, currency="USD")
    page = signed_in.get(page_of(booking)).text
    assert offered(page) == expected
    token = forms.fields(page, page_of(booking, "looks"))["csrf_token"]
    for name in set(steps.BY_NAME) - expected - {"presence"}:
        typed = {"csrf_token": token, "form_token": secrets.token_urlsafe(24), "reason": "x", "subject": EMAIL}
        assert signed_in.post(page_of(booking, name), data=typed).location == page_of(booking), name
        assert signed_in.get(page_of(booking, name)).status_code == 303, name
    assert BookingAct.of_booking(booking.id) == []
    assert "can no longer be done" in signed_in.get(page_of(booking)).text


def test_without_a_key_it_says_so_and_leads_to_cal_com(
    signed_in: FlaskClient, use_cal: Any, sandbox_url: str, strategy: Any
) -> None:
    use_cal(sandbox_url, cal_access_token=SecretStr(""))
    booking = make_booking(kind=FactKind.REQUESTED)
    page = signed_in.get(page_of(booking)).text
    assert offered(page) == {"note"}
    for shown in (page, signed_in.get("/admin/bookings").text):
        assert "need" in shown
        assert "CAL_ACCESS_TOKEN" in shown
        assert f'href="{sandbox_url}/bookings/upcoming"' in shown
    assert page_of(booking, "acceptance") not in signed_in.get("/admin/bookings").text


def test_every_refusal_has_words_for_the_owner_beside_those_of_cal_com(
    signed_in: FlaskClient, use_cal: Any, httpserver: HTTPServer, strategy: Any
) -> None:
    assert set(steps.REFUSALS) == set(ActRefusal)
    said = {"error": {"message": "<b>Nothing</b> doing"}}
    httpserver.expect_request("/v2/bookings/uid1/cancel").respond_with_json(said, status=400)
    use_cal(httpserver.url_for("").rstrip("/"))
    booking = make_booking()
    answer = do(signed_in, booking, "cancellation", reason="I am ill")
    assert answer.status_code == 422
    for words in ("Cal.com did not accept it.", "&lt;b&gt;Nothing&lt;/b&gt; doing", "I am ill"):
        assert words in answer.text
    page = signed_in.get(page_of(booking)).text
    assert "Cancel: not done" in page
    assert "&lt;b&gt;Nothing&lt;/b&gt; doing" in page


def test_what_got_no_answer_is_unknown_until_somebody_looks(
    signed_in: FlaskClient, use_cal: Any, httpserver: HTTPServer, strategy: Any
) -> None:
    httpserver.expect_request("/v2/bookings/uid1").respond_with_json({"status": "error"}, status=404)
    use_cal(httpserver.url_for("").rstrip("/"))
    booking = make_booking()
    asked: dict[str, Any] = {"verb": Verb.CANCEL, "actor": Actor.ATTENDEE, "uid": "uid1", "subject": EMAIL}
    asked |= {"booking_id": booking.id, "form_token": "x", "state_at": utcnow() - timedelta(minutes=2)}
    db.session.add(BookingAct(**asked, state=ActState.UNKNOWN))
    db.session.commit()
    page = signed_in.get(page_of(booking)).text
    assert "it may have been done or not" in page
    assert f"By <bdi>{EMAIL}</bdi>" in page
    looks, token = page_of(booking, "looks"), forms.fields(page, page_of(booking, "looks"))
    signed_in.post(looks, data=token)
    assert "Cal.com did not say how this booking stands" in signed_in.get(page_of(booking)).text
    httpserver.clear()
    shown = {"uid": "uid1", "start": iso_utc(in_days(3)), "end": iso_utc(in_days(4)), "status": "cancelled"}
    httpserver.expect_request("/v2/bookings/uid1").respond_with_json({"status": "success", "data": shown})
    signed_in.post(looks, data=token)
    assert booking.status is BookingStatus.CANCELLED
    assert "it may have been done or not" not in signed_in.get(page_of(booking)).text


def test_a_form_of_another_booking_does_nothing(signed_in: FlaskClient, book: Any) -> None:
    one, other = book(), book(nth=3)
    page = page_of(one, "cancellation")
    typed = forms.fields(signed_in.get(page).text, page) | {"reason": "I am ill"}
    signed_in.post(page, data=typed)
    answer = signed_in.post(page_of(other, "cancellation"), data=typed)
    assert answer.location == page_of(other)
    assert "That form belongs to another booking." in signed_in.get(page_of(other)).text
    assert other.status is BookingStatus.CONFIRMED


@pytest.mark.parametrize("path", ["99/cancellation", "99/move/times", "1/nothing", f"{2**63}/note"])
def test_what_is_not_there_is_a_404(signed_in: FlaskClient, path: str) -> None:
    assert signed_in.get(f"/admin/bookings/{path}").status_code == 404


def test_an_attendees_act_stands_in_the_timeline_with_its_time(
    signed_in: FlaskClient, book: Any, free_times: Any
) -> None:
    booking = book()
    to = datetime.fromisoformat(free_times(STRATEGY, 12)[0]).astimezone(UTC)
    wish = Wish(Verb.MOVE, Actor.ATTENDEE, secrets.token_urlsafe(24), "Train", to, EMAIL)
    acts.perform(booking.id, wish)
    page = signed_in.get(page_of(booking)).text
    assert f"By <bdi>{EMAIL}</bdi>, to" in page
    assert "Train" in page


# Seats

LEE = "lee@acme.example"


def seat_of(booking: Booking, email: str) -> str:
    [contact] = [contact for contact in booking.bookers if contact.email == email]
    return f"seats/{contact.id}"


def test_all_seats_move_at_once_for_an_organisation_alone(signed_in: FlaskClient, meet: Any, use_cal: Any) -> None:
    page = page_of(meet(0, EMAIL, LEE))
    assert "move" not in offered(signed_in.get(page).text)
    use_cal("http://127.0.0.1:9", cal_organization_id="77")
    assert "move" in offered(signed_in.get(page).text)


def test_the_host_moves_one_seat_and_takes_another_out(
    signed_in: FlaskClient, cal: CalClient, meet: Any, staff: Any
) -> None:
    booking, other = meet(0, EMAIL, LEE), meet(20, "kim@acme.example")
    page = signed_in.get(page_of(booking)).text
    assert "move" not in offered(page)
    assert f'href="{page_of(booking, seat_of(booking, LEE), "move")}"' in page
    month = signed_in.get(page_of(booking, seat_of(booking, LEE), "move")).text
    assert f'action="{page_of(booking, seat_of(booking, LEE), "move", "time")}?' in month
    step = page_of(booking, seat_of(booking, LEE), "move") + f"?start={iso_utc(other.start_at)}"
    shown = signed_in.get(step).text
    assert LEE in shown
    assert EMAIL not in shown.split("<main")[1].split("</h1>")[1]
    assert forms.submit(signed_in, step).status_code == 303
    assert sitting(cal, booking) == {EMAIL}
    assert sitting(cal, other) == {"kim@acme.example", LEE}
    page = signed_in.get(page_of(booking)).text
    assert "Seat moved: Lee, " in page
    assert f"By <bdi>{staff.email}</bdi>, of <bdi>{LEE}</bdi>, to " in page
    out = page_of(other, seat_of(Booking.by_uid(other.uid), LEE), "cancellation")
    assert forms.submit(signed_in, out, reason="").status_code == 422
    assert forms.submit(signed_in, out, reason="Not this group").status_code == 303
    assert sitting(cal, other) == {"kim@acme.example"}
    assert "Seat given up: Lee" in signed_in.get(page_of(other)).text
    gone = signed_in.get(out, follow_redirects=True).text
    assert "This can no longer be done" in gone


def test_a_seat_cannot_be_moved_to_where_there_is_no_room(signed_in: FlaskClient, cal: CalClient, meet: Any) -> None:
    booking = meet(0, EMAIL)
    full = meet(8, "a@acme.example", "b@acme.example", "c@acme.example")
    step = page_of(booking, seat_of(booking, EMAIL), "move") + f"?start={iso_utc(full.start_at)}"
    answer = forms.submit(signed_in, step)
    assert (answer.status_code, "That time is no longer free" in answer.text) == (422, True)
    assert sitting(cal, booking) == {EMAIL}


def test_nobody_has_a_seat_in_a_booking_of_one(signed_in: FlaskClient, book: Any) -> None:
    booking = book()
    page = signed_in.get(page_of(booking, seat_of(booking, EMAIL), "move"), follow_redirects=True)
    assert "This can no longer be done" in page.text
    assert signed_in.get(page_of(booking, "seats/999999", "move")).status_code == 404
    assert signed_in.get(page_of(booking, seat_of(booking, EMAIL), "decline")).status_code == 404
