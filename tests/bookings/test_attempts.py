"""One form, one booking: double clicks, reloads, crashes, and answers that never come."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from hds.bookings.models import AttemptState, BookingAttempt, Refusal
from hds.bookings.reconciliation import CHANGES, Reconciliation
from hds.calcom.client import CalClient
from hds.extensions import db
from hds.lib.times import parse_utc, utcnow
from tests.factories import make_booking

TOO_MANY = (
    "Attendee with this email can't book because the maximum number of active bookings has been reached. "
    "You can reschedule your existing booking (somebody-elses-uid) to a new timeslot instead."
)
PATIENCE = 1.2  # seconds that the site waits for the Cal.com of these tests


def attempts() -> list[BookingAttempt]:
    db.session.rollback()
    return list(db.session.scalars(db.select(BookingAttempt)).unique())


class BadLine:
    """Cal.com with a bad line: what it is told reaches the sandbox, or not, and what it answers gets lost."""

    def __init__(self, sandbox_url: str) -> None:
        self.sandbox_url = sandbox_url
        self.plan: list[str] = []
        self.look_up = "pass"
        self.calls: list[str] = []

    def handle(self, request: Request) -> Response:
        is_booking = request.method == "POST" and request.path == "/v2/bookings"
        is_look_up = request.method == "GET" and request.path == "/v2/bookings"
        what = (self.plan.pop(0) if self.plan else "pass") if is_booking else "pass"
        if is_booking or is_look_up:
            self.calls.append("book" if is_booking else "look")
        if is_look_up:
            what = self.look_up
        if what == "fail":
            return Response("{}", 500)
        if what == "lose the question":
            return self.lost()
        if what == "has too many":
            return Response(json.dumps({"status": "error", "error": {"message": TOO_MANY}}), 400)
        answer = requests.request(
            request.method,
            self.sandbox_url + request.full_path,
            data=request.get_data(),
            headers={name: value for name, value in request.headers.items() if name != "Host"},
            timeout=5,
        )
        return (
            self.lost()
            if what == "lose the answer"
            else Response(answer.content, answer.status_code, mimetype="application/json")
        )

    def lost(self) -> Response:
        time.sleep(PATIENCE * 2)
        return Response("{}")


@pytest.fixture
def line(sandbox_url: str, use_cal: Callable[..., CalClient]) -> Iterator[BadLine]:
    go = BadLine(sandbox_url)
    with HTTPServer(threaded=True) as server:
        server.expect_request(re.compile("/v2/.*")).respond_with_handler(go.handle)
        use_cal(server.url_for("").rstrip("/"), seconds=PATIENCE)
        yield go


def booked_at(cal_url: str, start: str) -> list[dict[str, Any]]:
    """What the sandbox has at this time."""
    headers = {"cal-api-version": "2024-08-13", "Authorization": "Bearer cal_sandbox"}
    answer = requests.get(f"{cal_url}/v2/bookings", {"take": "250", "status": "upcoming"}, headers=headers, timeout=5)
    wanted = parse_utc(start)
    return [entry for entry in answer.json()["data"] if parse_utc(entry["start"]) == wanted]


@pytest.mark.usefixtures("still")
def test_a_reload_and_a_second_tab_find_the_first_booking(
    cal: CalClient, visit: Any, free_times: Any, sandbox_url: str, client: FlaskClient
) -> None:
    start, other = free_times(days=10)[:2]
    visitor = visit(start)
    places = [visitor.send().location, visitor.send().location, visitor.send(start=other).location]
    assert len(attempts()) == 1
    assert len(booked_at(sandbox_url, start)) == 1
    assert booked_at(sandbox_url, other) == []
    receipts = {client.get(place).text for place in places}
    assert len({text.split("<main")[1] for text in receipts}) == 1


def test_a_double_click_books_once(
    cal: CalClient, visit: Any, free_times: Any, sandbox_url: str, client: FlaskClient
) -> None:
    start = free_times(days=10)[2]
    visitor = visit(start)
    answers: list[Any] = []
    db.session.rollback()
    clicks = [threading.Thread(target=lambda: answers.append(visitor.send())) for _ in range(3)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join(20)
    assert [answer.status_code for answer in answers] == [303] * 3
    assert len(attempts()) == 1
    assert len(booked_at(sandbox_url, start)) == 1


def test_a_lost_answer_is_looked_up_and_nothing_is_sent_twice(
    line: BadLine, visit: Any, free_times: Any, sandbox_url: str
) -> None:
    line.plan = ["lose the answer"]
    start = free_times(days=10)[3]
    assert visit(start).send().status_code == 303
    assert line.calls == ["book", "look"]
    assert attempts()[0].state is AttemptState.BOOKED
    assert len(booked_at(sandbox_url, start)) == 1


def test_a_lost_question_is_asked_once_more(line: BadLine, visit: Any, free_times: Any, sandbox_url: str) -> None:
    line.plan = ["lose the question"]
    start = free_times(days=10)[4]
    assert visit(start).send().status_code == 303
    assert line.calls == ["book", "look", "book"]
    assert attempts()[0].state is AttemptState.BOOKED
    assert len(booked_at(sandbox_url, start)) == 1


def test_what_stays_unknown_is_said_so_and_a_reload_looks_first(
    line: BadLine, visit: Any, free_times: Any, sandbox_url: str, client: FlaskClient
) -> None:
    line.plan, line.look_up = ["lose the answer"], "fail"
    start = free_times(days=10)[5]
    visitor = visit(start)
    page = client.get(visitor.send().location).text
    assert "We do not know yet" in page
    assert "mailto:" in page
    assert attempts()[0].state is AttemptState.UNKNOWN
    line.look_up, line.calls = "pass", []
    assert "You are booked" in client.get(visitor.send().location).text
    assert line.calls == ["look"]
    assert len(booked_at(sandbox_url, start)) == 1


def test_nothing_twice_stays_unknown(line: BadLine, visit: Any, free_times: Any, client: FlaskClient) -> None:
    line.plan = ["lose the question"] * 2
    visitor = visit(free_times(days=10)[6])
    visitor.send()
    assert line.calls == ["book", "look", "book", "look"]
    assert attempts()[0].state is AttemptState.UNKNOWN


def test_a_crash_after_the_call_is_found_by_the_next_post(
    line: BadLine, visit: Any, free_times: Any, sandbox_url: str, client: FlaskClient
) -> None:
    """The process died before it noted the outcome: what is left is an attempt that sends for ever."""
    start = free_times(days=10)[7]
    visitor = visit(start)
    place = visitor.send().location
    row = attempts()[0]
    row.state, row.booking_uid, row.state_at = AttemptState.SENDING, None, utcnow()
    db.session.commit()
    page = client.get(place).text
    assert "Almost there" in page
    assert 'hx-trigger="every 2s"' in page
    assert "Look now" in page
    row = attempts()[0]
    row.state_at = utcnow() - timedelta(seconds=41)
    db.session.commit()
    page = client.get(place).text
    assert "We do not know yet" in page
    assert "Look now" in page
    assert "hx-trigger" not in client.get(f"{place}?look=60").text
    line.calls = []
    assert visitor.send().status_code == 303
    assert line.calls == ["look"]
    assert attempts()[0].state is AttemptState.BOOKED
    assert len(booked_at(sandbox_url, start)) == 1


def test_a_crash_before_the_call_books_after_looking(
    line: BadLine, visit: Any, free_times: Any, sandbox_url: str, strategy: Any
) -> None:
    start, other = free_times(days=11)[:2]
    visitor = visit(start)
    db.session.add(
        BookingAttempt(
            form_token=visitor.fields["form_token"],
            reference="r" * 22,
            service_id=strategy.id,
            start_at=parse_utc(start),
            time_zone="UTC",
            name="Priya",
            email="priya@acme.example",
            state=AttemptState.SENDING,
            state_at=utcnow() - timedelta(minutes=1),
        )
    )
    db.session.commit()
    assert visitor.send(start=other).status_code == 303
    assert line.calls == ["look", "book"]
    assert attempts()[0].start_at == parse_utc(other)
    assert booked_at(sandbox_url, start) == []
    assert len(booked_at(sandbox_url, other)) == 1


def test_whoever_goes_back_from_what_is_unknown_does_not_book_it_twice(
    line: BadLine, visit: Any, free_times: Any, sandbox_url: str, client: FlaskClient
) -> None:
    line.plan, line.look_up = ["lose the answer"], "fail"
    start = free_times(days=24)[0]
    visitor, in_another_tab = visit(start), visit(start)
    place = visitor.send().location
    back = client.get(visitor.url)
    assert (back.status_code, "We do not know yet" in client.get(back.location).text) == (303, True)
    line.look_up, line.calls = "pass", []
    assert "You are booked" in client.get(in_another_tab.send().location).text
    assert line.calls == ["look"]
    assert len(attempts()) == len(booked_at(sandbox_url, start)) == 1
    assert "You are booked" in client.get(place).text


def test_without_a_key_nobody_is_kept_from_trying_again_for_ever(
    line: BadLine, visit: Any, free_times: Any, client: FlaskClient
) -> None:
    line.plan, line.look_up = ["lose the question"], "fail"
    visitor = visit(free_times(days=24)[4])
    visitor.send()
    assert client.get(visitor.url).status_code == 303
    attempts()[0].state_at = utcnow() - timedelta(hours=2)
    db.session.commit()
    assert client.get(visitor.url).status_code == 200


def test_what_was_never_booked_is_said_once_the_changes_were_read(
    line: BadLine, visit: Any, free_times: Any, client: FlaskClient
) -> None:
    line.plan, line.look_up = ["lose the question"], "fail"
    start = free_times(days=24)[1]
    visitor = visit(start)
    place = visitor.send().location
    assert "This page looks again by itself" in client.get(place).text
    Reconciliation.prepare()
    row = Reconciliation.of(CHANGES)
    assert row is not None
    row.succeeded_at = utcnow() + timedelta(minutes=3)
    db.session.commit()
    page = client.get(place).text
    assert "Nothing was booked" in page
    assert "hx-trigger" not in page
    line.look_up = "pass"
    assert "You are booked" in client.get(visit(start).send().location).text
    assert "You are booked" not in client.get(place).text


def test_who_has_as_many_bookings_as_one_may_have_is_offered_no_other_times(
    line: BadLine, visit: Any, free_times: Any
) -> None:
    line.plan = ["has too many"]
    page = visit(free_times(days=24)[6]).send(notes="Kept.")
    assert page.status_code == 422
    assert "takes no more bookings for that address" in page.text
    assert "Kept." in page.text
    assert 'type="radio" name="start"' not in page.text
    assert "somebody-elses-uid" not in page.text
    assert (attempts()[0].state, attempts()[0].refusal) == (AttemptState.REFUSED, Refusal.TOO_MANY)


def test_the_webhook_settles_what_stayed_unknown(
    line: BadLine, visit: Any, free_times: Any, client: FlaskClient
) -> None:
    line.plan, line.look_up = ["lose the question"], "fail"
    start = free_times(days=11)[2]
    place = visit(start).send().location
    assert "We do not know yet" in client.get(place).text
    make_booking("told", start_at=parse_utc(start))
    assert "You are booked" in client.get(place).text


def test_when_cal_is_down_nothing_is_booked_and_the_form_is_kept(
    line: BadLine, visit: Any, free_times: Any, use_cal: Any
) -> None:
    visitor = visit(free_times(days=11)[3])
    use_cal("http://127.0.0.1:9")
    answer = visitor.send(notes="Kept.")
    assert answer.status_code == 503
    assert "Nothing is booked yet" in answer.text
    assert "Kept." in answer.text
    assert "/book-consultation/strategy-consultation/elsewhere" in answer.text
    assert attempts() == []


def test_what_was_refused_for_want_of_an_answer_can_be_sent_again(
    cal: CalClient, visit: Any, free_times: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hds.calcom.errors import RateLimited

    def too_many(*given: Any, **more: Any) -> None:
        raise RateLimited(30)

    visitor = visit(free_times(days=11)[4])
    with monkeypatch.context() as patch:
        patch.setattr(cal, "create_booking", too_many)
        assert visitor.send().status_code == 503
    assert (attempts()[0].state, attempts()[0].refusal) == (AttemptState.REFUSED, Refusal.NO_ANSWER)
    assert visitor.send().status_code == 303
    assert attempts()[0].state is AttemptState.BOOKED
    assert attempts()[0].refusal is None


def test_no_transaction_is_open_while_cal_is_asked(
    cal: CalClient, visit: Any, free_times: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, open_ones = cal._outbound.call, []

    def call(*given: Any, **more: Any) -> Any:
        open_ones.append(db.session.registry.has() and db.session().in_transaction())
        return original(*given, **more)

    monkeypatch.setattr(cal._outbound, "call", call)
    assert visit(free_times(days=11)[5]).send().status_code == 303
    assert len(open_ones) >= 3
    assert not any(open_ones)


def test_a_hanging_cal_costs_a_page_one_wait_and_then_none(
    use_cal: Callable[..., CalClient], httpserver: HTTPServer, client: FlaskClient, strategy: Any
) -> None:
    calls = []

    def hang(request: Request) -> Response:
        calls.append(request.path)
        time.sleep(PATIENCE * 2)
        return Response("{}")

    httpserver.expect_request(re.compile(".*")).respond_with_handler(hang)
    use_cal(httpserver.url_for("").rstrip("/"), seconds=PATIENCE)
    made = []
    for _ in range(7):
        assert client.get("/book-consultation/strategy-consultation").status_code == 200
        made.append(len(calls))
    assert made[0] == 1, "what did not answer once is not asked again for the same page"
    assert made[-1] == made[-2] < 7, "the breaker answers at once"
