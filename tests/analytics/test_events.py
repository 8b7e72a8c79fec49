"""What browsers tell of: POST /api/events."""

import json
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from hds.analytics.models import FunnelStep
from hds.analytics.sums import sum_up
from hds.analytics.visits import steps_of
from hds.extensions import db
from tests.analytics.conftest import ADDRESS, CHROME
from tests.factories import ServiceFactory

FAILED = {"step": "booker_failed", "service": "strategy-consultation", "reason": "timeout"}


@pytest.fixture
def tell(client, written):
    for slug in ("strategy-consultation", "a"):
        ServiceFactory(slug=slug)

    def post(body: Any, **headers: str) -> Any:
        said = {"User-Agent": CHROME, "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(
            "/api/events",
            data=data,
            headers={k: v for k, v in said.items() if v},
            environ_base={"REMOTE_ADDR": ADDRESS},
        )

    return post


@pytest.mark.parametrize("kind", ["application/json", "text/plain;charset=UTF-8"])
def test_a_beacon_is_a_step_of_todays_visit(tell, look, written, kind):
    look("/book-consultation")
    answer = tell(FAILED, Content_Type=kind)
    assert (answer.status_code, answer.data) == (204, b"")
    (visit,) = written()
    assert visit.pages == 1
    assert steps_of(visit.id)[1:] == [(FunnelStep.BOOKER_FAILED, "strategy-consultation", "timeout")]


def test_it_makes_the_visit_where_there_is_none(tell, written):
    tell({"step": "booker_shown", "service": "a"}, Referer="http://localhost/book-consultation/a?zone=UTC")
    (visit,) = written()
    assert (visit.first_path, visit.pages) == ("/book-consultation/a", 0)


def test_the_frames_word_is_not_the_word_of_the_server(tell, written):
    tell({"step": "booked", "service": "a"})
    (visit,) = written()
    assert [step for step, *_ in steps_of(visit.id)] == [FunnelStep.BOOKED_IN_FRAME]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b"{" * 500,
        {},
        {"step": "confirmed", "service": "a"},
        {"step": "details_given", "service": "a"},
        {"step": "booker_shown"},
        {"step": "booker_shown", "service": ""},
        {"step": "booker_shown", "service": "A b"},
        {"step": "booker_shown", "service": "a\n"},
        {"step": "booker_shown", "service": "x" * 101},
        {"step": "booker_shown", "service": 7},
        {"step": "booker_shown", "service": "a", "reason": "timeout"},
        {"step": "booker_shown", "service": "a", "status": "paid"},
        {"step": "booker_failed", "service": "a"},
        {"step": "booker_failed", "service": "a", "reason": ""},
        {"step": "booker_failed", "service": "a", "reason": 7},
    ],
)
def test_what_it_does_not_know_it_says_so(tell, written, body):
    answer = tell(body)
    assert answer.status_code == 400
    assert "error" in answer.json
    assert written() == []


def test_a_service_that_cannot_be_booked_counts_nothing(tell, written):
    ServiceFactory(slug="retired", active=False)
    for service in ("made-up", "retired"):
        answer = tell({"step": "booker_shown", "service": service})
        assert (answer.status_code, answer.json) == (400, {"error": "This site has no such service."})
    assert written() == []


@pytest.mark.parametrize("reason", ["because", "taken", "none", "x" * 900, "\u2028', 'a'); --"])
def test_a_reason_that_is_not_a_browsers_to_tell_is_another(tell, written, reason):
    assert tell({"step": "booker_failed", "service": "a", "reason": reason}).status_code == 204
    (visit,) = written()
    assert steps_of(visit.id) == [(FunnelStep.BOOKER_FAILED, "a", "other")]


@pytest.mark.parametrize("table", ["analytics_event", "daily_funnel"])
def test_the_database_takes_no_other_word_for_a_reason(tell, look, written, table):
    tell(FAILED)
    (visit,) = written()
    sum_up(visit.day)
    db.session.commit()
    with pytest.raises(IntegrityError):
        db.session.execute(db.text(f"UPDATE {table} SET reason = 'because' WHERE reason = 'timeout'"))
    db.session.rollback()


def test_a_large_body_is_refused(tell, written):
    assert tell(b" " * 1025).status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "https://elsewhere.example", "Sec_Fetch_Site": ""},
        {"Origin": "", "Sec_Fetch_Site": ""},
        {"Origin": "http://localhost.elsewhere.example", "Sec_Fetch_Site": ""},
        {"Origin": "http://[", "Sec_Fetch_Site": ""},
    ],
)
def test_other_sites_count_nothing_here(tell, written, headers):
    assert tell(FAILED, **headers).status_code == 403
    assert written() == []


def test_an_older_browser_names_the_origin_alone(tell, written):
    assert tell(FAILED, Sec_Fetch_Site="").status_code == 204


def test_it_opens_no_session_and_sets_no_cookie(tell, written):
    assert "Set-Cookie" not in tell(FAILED).headers


def test_programs_tell_nothing(tell, written):
    assert tell(FAILED, User_Agent="curl/8").status_code == 204
    assert written() == []
