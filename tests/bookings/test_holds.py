"""A time is kept from others while somebody fills in the form of it."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from hds.bookings import holds
from hds.bookings.booker import booker_of
from hds.bookings.holds import SlotHold
from hds.calcom.answers import Reservation
from hds.calcom.client import CalClient
from hds.calcom.errors import Unavailable
from hds.extensions import db, limiter
from hds.lib import limits
from hds.lib.times import parse_utc, utcnow
from tests.bookings.visitor import HTMX, Visitor, hidden_fields
from tests.test_limits import somewhere

PAGE = "/book-consultation/strategy-consultation"


class Chooser:
    """Somebody in a browser of their own, who clicks on times."""

    def __init__(self, app: Flask, slug: str = "strategy-consultation", *, cookies: bool = True) -> None:
        self.client, self.page = app.test_client(use_cookies=cookies), f"/book-consultation/{slug}"
        self.origin = "http://localhost"

    def times(self, start: str) -> list[str]:
        self.shown = self.client.get(f"{self.page}?day={start[:10]}&zone=UTC").text
        return re.findall(r'name="start" value="([^"]+)"', self.shown)

    def choose(self, start: str, *, htmx: bool = False) -> Any:
        if not hasattr(self, "shown"):
            self.times(start)
        headers = {"Origin": self.origin, **(HTMX if htmx else {})}
        answer = self.client.post(f"{self.page}/hold?zone=UTC", data={"start": start}, headers=headers)
        if answer.status_code == 307:  # the same once more, as browsers do, with the cookie if they keep it
            answer = self.client.post(answer.location, data={"start": start}, headers=headers)
        return answer


def rows() -> list[SlotHold]:
    db.session.rollback()
    return list(db.session.scalars(db.select(SlotHold)))


@pytest.fixture
def start(cal: CalClient, strategy: Any, free_times: Callable[..., list[str]]) -> str:
    return free_times(days=12)[0]


@pytest.fixture
def ann(app: Flask) -> Chooser:
    return Chooser(app)


@pytest.fixture
def bob(app: Flask) -> Chooser:
    return Chooser(app)


def test_a_chosen_time_is_kept_from_others_and_not_from_who_chose_it(start: str, ann: Chooser, bob: Chooser) -> None:
    assert start in bob.times(start)
    answer = ann.choose(start)
    assert (answer.status_code, answer.location) == (303, f"{PAGE}/details?start={start}&zone=UTC")
    assert start not in bob.times(start)
    assert start in ann.times(start)
    for _ in range(2):  # and once more, by a reload
        form = ann.client.get(answer.location)
        assert "no longer free" not in form.text
    assert "no longer free" in bob.client.get(answer.location).text


def test_with_htmx_the_form_takes_the_place_of_the_times(start: str, ann: Chooser) -> None:
    answer = ann.choose(start, htmx=True)
    assert answer.status_code == 204
    assert '"target": "#booking"' in answer.headers["HX-Location"]


def test_looking_at_a_form_holds_nothing(start: str, ann: Chooser, bob: Chooser) -> None:
    ann.client.get(f"{PAGE}/details?start={start}")
    assert rows() == []
    assert start in bob.times(start)


def test_somebody_who_came_by_a_link_holds_the_time_once_they_typed(start: str, app: Flask, bob: Chooser) -> None:
    Visitor(app.test_client(), start).send(email="no")
    assert len(rows()) == 1
    assert start not in bob.times(start)


def test_changing_the_time_gives_it_back(start: str, ann: Chooser, bob: Chooser) -> None:
    form = ann.client.get(ann.choose(start).location).text
    action = re.search(r'action="([^"]+/hold/end[^"]+)"', form)
    assert action
    url = action[1].replace("&amp;", "&")
    answer = ann.client.post(url, data={"csrf_token": hidden_fields(form)["csrf_token"]})
    assert (answer.status_code, answer.location) == (303, f"{PAGE}?day={start[:10]}&zone=UTC")
    assert rows() == []
    assert start in bob.times(start)


def test_without_a_token_one_comes_back_to_the_times_and_gives_nothing_up(start: str, ann: Chooser) -> None:
    ann.choose(start)
    for htmx in ({}, HTMX):
        answer = ann.client.post(f"{PAGE}/hold/end?start={start}&zone=UTC", headers=htmx)
        assert f"{PAGE}?day={start[:10]}" in (answer.location or answer.headers["HX-Location"])
    assert len(rows()) == 1


def test_another_time_takes_the_place_of_the_first(
    start: str, ann: Chooser, bob: Chooser, free_times: Callable[..., list[str]]
) -> None:
    ann.choose(start)
    other = free_times(days=12)[1]
    ann.choose(other)
    shown = bob.times(start)
    assert start in shown
    assert other not in shown


def test_booking_ends_the_hold(start: str, ann: Chooser, cal: CalClient, sandbox_url: str) -> None:
    url = ann.choose(start).location
    uid = rows()[0].reservation_uid
    visitor = Visitor(ann.client, start)
    assert visitor.url.split("?")[0] == url.split("?")[0]
    assert visitor.send().status_code == 303
    assert rows() == []
    headers = {"cal-api-version": "2024-09-04"}
    left = requests.get(f"{sandbox_url}/v2/slots/reservations/{uid}", headers=headers, timeout=5)
    assert left.json()["data"] is None


def test_a_held_time_that_somebody_booked_past_it_is_gone(start: str, ann: Chooser, sandbox_url: str) -> None:
    url = ann.choose(start).location
    visitor = Visitor(ann.client, start)
    stranger = {"name": "Ann", "email": "ann@else.example", "timeZone": "UTC"}
    body = {"start": start, "eventTypeId": 1001, "attendee": stranger}
    headers = {"cal-api-version": "2024-08-13"}
    assert requests.post(f"{sandbox_url}/v2/bookings", json=body, headers=headers, timeout=5).status_code == 201
    page = visitor.send()
    assert page.status_code == 422
    assert "That time is no longer free" in page.text
    assert rows() == []
    assert start not in ann.times(start)
    assert "That time is no longer free" in ann.client.get(url).text


def test_two_clicks_hold_one_time(start: str, ann: Chooser) -> None:
    ann.choose(start)
    [first] = rows()
    ann.choose(start)
    [second] = rows()
    assert (second.id, second.reservation_uid) == (first.id, first.reservation_uid)


def test_another_site_makes_nobody_hold_a_time(start: str, ann: Chooser, bob: Chooser) -> None:
    for ann.origin in ("https://evil.example", "null", ""):
        assert ann.choose(start).status_code == 303
    assert rows() == []
    assert start in bob.times(start)


def test_nobody_holds_more_than_people_click(app: Flask, start: str, ann: Chooser) -> None:
    limiter.init_app(app)
    ann.client.environ_base["REMOTE_ADDR"] = somewhere()
    for _ in range(int(limits.HOLDS.split()[0])):
        ann.choose(start)
    for row in rows():
        db.session.delete(row)
    db.session.commit()
    assert ann.choose(start).status_code == 303  # and is led to the form all the same
    assert rows() == []


def test_who_has_no_session_gets_none_by_looking(start: str, client: FlaskClient) -> None:
    page = client.get(PAGE)
    assert "Set-Cookie" not in page.headers
    assert "Cookie" not in page.headers["Vary"]
    assert {"HX-Request-Type", "Accept-Language"} <= set(page.headers["Vary"].split(", "))


@pytest.mark.parametrize("htmx", [False, True])
def test_who_keeps_no_cookies_does_not_meet_a_hold_of_their_own(start: str, app: Flask, htmx: bool) -> None:
    shy = Chooser(app, cookies=False)
    answer = shy.choose(start, htmx=htmx)
    assert answer.status_code == (204 if htmx else 303)
    assert rows() == []
    assert "no longer free" not in shy.client.get(f"{PAGE}/details?start={start}&zone=UTC").text


def test_the_way_back_with_a_cookie_says_all_that_was_asked(client: FlaskClient, strategy: Any) -> None:
    for slug in ("strategy-consultation", "x\r\nSet-Cookie: a=b"):
        path = f"/book-consultation/{quote(slug, safe=':=')}/hold"
        query = "zone=UTC&topics=a&topics=b%0D%0A&duration=30"
        answer = client.post(f"{path}?{query}", headers={"Origin": "http://localhost"})
        assert (answer.status_code, answer.location) == (307, f"{path}?{query}&again=1")
        client.delete_cookie("session")


def test_of_two_clicks_at_once_each_reservation_but_the_last_is_given_back(
    start: str, cal: CalClient, strategy: Any, free_times: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second click comes while Cal.com is asked for the first. SQLite gives a number that became free again."""
    first, second = (parse_utc(at) for at in free_times(days=12)[:2])
    assert first is not None
    assert second is not None
    booker = booker_of(strategy)
    made: list[str] = []
    original = cal.reserve_slot

    def reserve(event_type_id: int, at: datetime, *given: Any, **more: Any) -> Reservation:
        if not made:
            made.append("")
            holds.take(booker, strategy.id, second, "a browser's secret")
        reservation = original(event_type_id, at, *given, **more)
        made.append(reservation.uid)
        return reservation

    given_back: list[str] = []
    monkeypatch.setattr(cal, "reserve_slot", reserve)
    monkeypatch.setattr(cal, "release_slot", given_back.append)
    holds.take(booker, strategy.id, first, "a browser's secret")
    [hold] = rows()
    assert (hold.start_at, hold.reservation_uid) == (second, made[1])
    assert given_back == [made[2]]


def test_what_cannot_be_held_is_booked_all_the_same(
    start: str, ann: Chooser, cal: CalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any, **more: Any) -> None:
        raise Unavailable("it does not answer")

    monkeypatch.setattr(cal, "reserve_slot", fail)
    assert ann.choose(start).status_code == 303
    assert rows() == []
    assert Visitor(ann.client, start).send().status_code == 303


def test_a_hold_without_an_answer_is_in_nobodys_own_way(
    start: str, ann: Chooser, bob: Chooser, cal: CalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cal.com may have taken it, and then lists the time for nobody."""
    reserve = cal.reserve_slot

    def reserve_in_silence(*given: Any, **more: Any) -> None:
        reserve(*given, **more)
        raise Unavailable("timed out", maybe_sent=True)

    monkeypatch.setattr(cal, "reserve_slot", reserve_in_silence)
    url = ann.choose(start).location
    [hold] = rows()
    assert hold.reservation_uid is None
    assert start not in bob.times(start)
    assert start in ann.times(start)
    assert "no longer free" in bob.client.get(url).text
    assert "no longer free" not in ann.client.get(url).text
    assert Visitor(ann.client, start).send().status_code == 303
    assert rows() == []


def test_a_hold_ends_by_itself(start: str, ann: Chooser) -> None:
    ann.choose(start)
    [hold] = rows()
    assert timedelta(minutes=holds.MINUTES - 1) < hold.until_at - utcnow() <= timedelta(minutes=holds.MINUTES_WITH_KEY)
    hold.until_at = utcnow() - timedelta(seconds=1)
    db.session.commit()
    assert "no longer free" in ann.client.get(f"{PAGE}/details?start={start}&zone=UTC").text  # Cal.com still has it


def test_no_page_says_what_could_end_somebodys_hold(start: str, ann: Chooser, client: FlaskClient) -> None:
    page = ann.client.get(ann.choose(start).location)
    [hold] = rows()
    assert hold.reservation_uid
    assert hold.reservation_uid not in page.text + ann.shown + str(page.headers)


def test_a_time_that_is_gone_is_said_before_anything_is_typed(
    start: str, ann: Chooser, app: Flask, free_times: Callable[..., list[str]]
) -> None:
    Visitor(app.test_client(), start).send(email="first@acme.example")
    page = ann.client.get(f"{PAGE}/details?start={start}&zone=UTC")
    assert page.status_code == 200
    assert "That time is no longer free" in page.text
    assert len(re.findall(r'type="radio" value="2\d{3}-|name="start" type="radio"', page.text)) >= 3
    others = re.findall(r'value="(2[^"]+Z)"', page.text)
    visitor = Visitor(ann.client, start)
    assert visitor.send(start=others[0]).status_code == 303
