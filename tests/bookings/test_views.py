"""The pages of a booking, against a real sandbox."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
import time_machine
from flask.testing import FlaskClient

from hds.bookings.models import AttemptState, BookingAttempt
from hds.calcom.client import CalClient, Person, Target
from hds.calcom.errors import Invalid
from hds.config import BookerKind
from hds.extensions import db
from hds.lib.times import iso_utc, parse_utc, utcnow
from tests import https
from tests.bookings.visitor import HTMX, PHONE, Visitor
from tests.factories import ServiceFactory

BASE = "/book-consultation"


def attempt() -> BookingAttempt:
    db.session.rollback()
    return db.session.scalars(db.select(BookingAttempt)).unique().one()


def month_ahead() -> str:
    """A month that is wholly inside the sandbox's 60 days, or nearly: next month."""
    return (datetime.now(UTC).replace(day=1) + timedelta(days=32)).strftime("%Y-%m")


# Step 1


def test_each_consultation_says_what_it_is_and_leads_to_its_times(
    client: FlaskClient, strategy: Any, deep_dive: Any
) -> None:
    page = client.get(BASE).text
    for words in (strategy.name, strategy.summary, "30 minutes", "Video call or phone", "$150", "after your request"):
        assert words in page
    assert f'href="{BASE}/strategy-consultation"' in page
    assert "owner@hudson.example" in page or "mailto:" in page


def test_a_named_consultation_is_chosen_already(client: FlaskClient, strategy: Any) -> None:
    assert client.get(f"{BASE}?service=strategy-consultation").location == f"{BASE}/strategy-consultation"
    assert client.get(f"{BASE}?service=nothing").status_code == 200


def test_an_empty_catalogue_says_how_to_write(client: FlaskClient) -> None:
    assert "Nothing can be booked right now" in client.get(BASE).text


def test_unknown_and_retired_consultations_are_not_there(client: FlaskClient) -> None:
    ServiceFactory(slug="retired", active=False)
    for slug in ("retired", "nothing"):
        for rest in ("", "/times", "/details"):
            headers = HTMX if rest == "/times" else {}
            assert client.get(f"{BASE}/{slug}{rest}", headers=headers).status_code == 404


# Step 2


def test_the_month_shows_free_days_and_the_times_of_one(client: FlaskClient, cal: CalClient, strategy: Any) -> None:
    page = client.get(f"{BASE}/strategy-consultation?month={month_ahead()}&zone=Europe/London").text
    assert len(re.findall(r'aria-label="\w+ \d+ \w+( \d{4})?, \d+ free times?"', page)) > 5
    assert page.count('aria-current="date"') == 1
    assert re.search(r'<form method="post" action="\S+/hold\?zone=Europe%2FLondon"', page)
    assert re.search(r'<button type="submit" name="start" value="[\d-]+T[\d:]+Z">', page)
    assert "Times in London" in page
    assert re.search("Morning|Afternoon|Evening", page)  # others may have booked the first times of that day


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kolkata", "Europe/Kiev", "UTC"])
def test_every_zone_shows_its_own_days(client: FlaskClient, cal: CalClient, strategy: Any, zone: str) -> None:
    asked = {"month": month_ahead(), "zone": zone}
    page = client.get(f"{BASE}/strategy-consultation", query_string=asked).text
    assert re.search(rf'<option value="{re.escape(zone)}" selected>', page)
    chosen = re.search(r'id="day-(\S+)"[^>]+aria-current="date"', page)
    assert chosen
    slots = re.findall(r'<time datetime="(\S+)">(\d\d:\d\d)', page)
    assert slots
    for start, label in slots:
        moment = parse_utc(start).astimezone(ZoneInfo(zone))
        assert (moment.date().isoformat(), f"{moment:%H:%M}") == (chosen[1], label)


@pytest.mark.parametrize(
    "query",
    [
        "month=abc",
        "day=2026-02-30",
        "zone=Foo/Bar",
        "month=9999-99&day=x&zone=%ff",
        "month=2026-12&month=x",
        "day=9999-12-31",
    ],
)
def test_odd_addresses_show_a_month_all_the_same(
    client: FlaskClient, cal: CalClient, strategy: Any, query: str
) -> None:
    for headers, path in (({}, ""), (HTMX, "/times")):
        answer = client.get(f"{BASE}/strategy-consultation{path}?{query}", headers=headers)
        assert answer.status_code == 200
        assert 'class="month"' in answer.text


def test_an_empty_month_names_the_next_free_day_or_a_way_to_write(
    client: FlaskClient, cal: CalClient, strategy: Any
) -> None:
    """The sandbox is open for sixty days: a month half a year away is empty, and nothing follows it."""
    far = (datetime.now(UTC) + timedelta(days=180)).strftime("%Y-%m")
    page = client.get(f"{BASE}/strategy-consultation?month={far}").text
    assert "Times can be booked until" in page
    assert 'id="later"' not in page
    assert "mailto:" in page


def test_only_a_day_that_was_chosen_goes_along_to_another_zone(
    client: FlaskClient, cal: CalClient, strategy: Any
) -> None:
    """Our first free day is a Monday in New York: in Tokyo, late on it, that Monday has nothing any more."""
    sent = re.compile(r'<input type="hidden" form="zone" name="(\w+)" value="(\S+)"')
    month = month_ahead()
    opened, turned = (client.get(f"{BASE}/strategy-consultation{asked}").text for asked in ("", f"?month={month}"))
    assert "aria-current" in opened
    assert sent.findall(opened) == []
    assert sent.findall(turned) == [("month", month)]
    day = re.findall(r'id="day-(\S+)"', turned)[-1]
    tapped = client.get(f"{BASE}/strategy-consultation?day={day}").text
    assert sent.findall(tapped) == [("month", month), ("day", day)]


def test_a_day_without_times_leads_to_the_next_one(client: FlaskClient, cal: CalClient, strategy: Any) -> None:
    day = datetime.now(UTC).date() + timedelta(days=28)  # beyond what other tests book
    saturday = day + timedelta(days=(5 - day.weekday()) % 7)
    page = client.get(f"{BASE}/strategy-consultation?day={saturday}").text
    assert "no free time on this day" in page
    assert re.search(r"Next free day: Monday", page)


def test_the_times_alone_are_a_fragment_and_for_a_browser_the_page(
    client: FlaskClient, cal: CalClient, strategy: Any
) -> None:
    url = f"{BASE}/strategy-consultation/times?month={month_ahead()}&zone=UTC"
    fragment = client.get(url, headers=HTMX)
    assert fragment.text.lstrip().startswith('<section id="slots"')
    assert 'hx-target="#status"' in fragment.text
    assert fragment.headers["Cache-Control"] == "no-store"
    assert client.get(url).location == f"{BASE}/strategy-consultation?month={month_ahead()}&zone=UTC"
    hostile = client.get(f"{BASE}/strategy-consultation/times?_external=1&slug=x&endpoint=y&_scheme=z")
    assert hostile.location.startswith(f"{BASE}/strategy-consultation?")


def test_each_step_is_a_fragment_for_htmx_and_vary_says_so(client: FlaskClient, cal: CalClient, strategy: Any) -> None:
    for path in ("", "/strategy-consultation"):
        page, fragment = client.get(BASE + path), client.get(BASE + path, headers=HTMX)
        assert "HX-Request-Type" in page.vary
        assert "HX-Request-Type" in fragment.vary
        assert fragment.text.lstrip().startswith("<title>")
        assert "<html" not in fragment.text
        assert " autofocus" in fragment.text
        assert " autofocus" not in page.text
    by_zone = client.get(f"{BASE}/strategy-consultation", headers=HTMX | {"HX-Source": "form#zone"})
    assert " autofocus" not in by_zone.text


def test_the_list_of_zones_is_sent_once(client: FlaskClient, cal: CalClient, strategy: Any) -> None:
    url = f"{BASE}/strategy-consultation?zone=Asia/Tokyo"
    by_zone = client.get(url, headers=HTMX | {"HX-Source": "form#zone"}).text
    assert '<select id="zone-name" name="zone" hx-preserve><option value="Asia/Tokyo" selected>' in by_zone
    assert by_zone.count("<option") == 1
    for whole in (client.get(url), client.get(url, headers=HTMX | {"HX-Source": "a#strategy"})):
        assert whole.text.count("<option") > 300
        assert "hx-preserve" not in whole.text


# The link booker


def test_a_paid_one_leads_to_its_page_at_cal(
    client: FlaskClient, cal: CalClient, deep_dive: Any, sandbox_url: str
) -> None:
    page = client.get(f"{BASE}/deep-dive").text
    assert "Pay $150" in page
    assert "You pay when you book, before we have answered. If we decline it, or it is cancelled, write to" in page
    assert sandbox_url not in page
    assert f'href="{BASE}/deep-dive/elsewhere"' in page
    onward = client.get(f"{BASE}/deep-dive/elsewhere").location
    assert onward.startswith(f"{sandbox_url}/hudson/deep-dive")
    assert requests.get(onward, timeout=5).status_code == 200
    assert client.get(f"{BASE}/deep-dive/details?start=2026-12-03T15:00:00Z").location.startswith(f"{BASE}/deep-dive?")


def test_settings_and_service_say_which_booker(
    client: FlaskClient, use_cal: Any, sandbox_url: str, strategy: Any
) -> None:
    use_cal(sandbox_url, booker=BookerKind.LINK)
    assert "Choose a time on Cal.com" in client.get(f"{BASE}/strategy-consultation").text
    strategy.booker = BookerKind.NATIVE
    db.session.commit()
    assert 'class="month"' in client.get(f"{BASE}/strategy-consultation").text


def test_without_an_answer_there_is_the_link_and_the_address(client: FlaskClient, use_cal: Any, strategy: Any) -> None:
    use_cal("http://127.0.0.1:9")
    answer = client.get(f"{BASE}/strategy-consultation")
    assert answer.status_code == 200
    assert f'href="{BASE}/strategy-consultation/elsewhere"' in answer.text
    assert "mailto:" in answer.text
    onward = client.get(f"{BASE}/strategy-consultation/elsewhere").location
    assert onward.startswith("http://127.0.0.1:9/hudson/strategy-consultation")
    assert client.get(f"{BASE}/strategy-consultation/times", headers=HTMX).headers["HX-Redirect"]


def test_without_an_account_there_is_a_way_to_write(client: FlaskClient, use_cal: Any, app: Any) -> None:
    use_cal("http://127.0.0.1:9", cal_link="", cal_access_token=app.config["HDS"].resend_api_key)
    ServiceFactory(slug="unknown")
    page = client.get(f"{BASE}/unknown")
    assert page.status_code == 200
    assert "Write to us for a time" in page.text
    assert client.get(f"{BASE}/unknown/elsewhere").location == f"{BASE}/unknown"


# Steps 3 and 4


def test_without_another_time_the_form_is_kept_all_the_same(
    cal: CalClient, visit: Any, free_times: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = visit(free_times()[8])
    monkeypatch.setattr(cal, "slots", lambda *given, **more: {})
    answer = visitor.send(notes="Kept.")
    assert answer.status_code == 422
    assert "Look at the other days" in answer.text
    assert "Kept." in answer.text


def test_a_time_is_booked_and_the_receipt_shows_it(
    cal: CalClient, visit: Any, free_times: Any, client: FlaskClient
) -> None:
    start = free_times()[0]
    visitor = visit(start, zone="Europe/London")
    answer = visitor.send(notes="We rebuild our shop.", email="Priya@Acme.example")
    assert answer.status_code == 303
    kept = attempt()
    assert kept.state is AttemptState.BOOKED
    assert (kept.email, kept.notes, kept.place) == ("priya@acme.example", "We rebuild our shop.", "video")
    booking = cal.booking(kept.booking_uid)
    assert booking.start_at == parse_utc(start)
    assert booking.booker.time_zone == "Europe/London"
    assert booking.metadata["hds-reference"] == kept.reference
    page = client.get(answer.location)
    assert "You are booked" in page.text
    assert "(London)" in page.text
    assert "(New York)" in page.text
    assert kept.booking_uid not in page.text + answer.location
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_over_https_a_time_is_booked_although_the_form_sends_no_referer(
    cal: CalClient, make_settings: Any, strategy: Any, free_times: Any
) -> None:
    with https.browser(make_settings) as browser:
        visitor = Visitor(browser, free_times()[4])
        assert browser.get(visitor.url).headers["Referrer-Policy"] == "no-referrer"
        answer = visitor.send()
        assert (answer.status_code, "/done/" in answer.location) == (303, True)
        assert visitor.send(csrf_token=None).status_code == 400


def test_htmx_is_sent_to_the_receipt(cal: CalClient, visit: Any, free_times: Any) -> None:
    answer = visit(free_times()[1]).send(htmx=True)
    assert (answer.status_code, answer.location) == (204, None)
    assert "/done/" in answer.headers["HX-Redirect"]


def test_by_phone_the_number_goes_along(cal: CalClient, visit: Any, free_times: Any, client: FlaskClient) -> None:
    answer = visit(free_times()[2]).send(place="phone", phone="001 (202) 555-0123")
    assert answer.status_code == 303
    assert attempt().phone == PHONE
    assert cal.booking(attempt().booking_uid).location == PHONE
    assert f"We call {PHONE}" in client.get(answer.location).text


def test_what_needs_approval_is_a_request(cal: CalClient, intro: Any, client: FlaskClient, free_times: Any) -> None:
    visitor = Visitor(client, free_times(1003)[0], slug="intro")
    page = client.get(visitor.send().location).text
    assert "We have your request" in page
    assert "You are booked" not in page


@pytest.mark.parametrize("asks", [True, False])
def test_whether_the_host_answers_first_is_said_as_cal_has_it(
    cal: CalClient, strategy: Any, intro: Any, client: FlaskClient, free_times: Any, asks: bool
) -> None:
    """The owner changed it there, and has not taken it over here yet."""
    for service in (strategy, intro):
        service.needs_approval = not service.needs_approval
    db.session.commit()
    slug, event_type = ("intro", 1003) if asks else ("strategy-consultation", 1001)
    page = client.get(f"{BASE}/{slug}/details?start={free_times(event_type)[3]}&zone=UTC").text
    assert ("Ask for this time" in page) is ("We look at your request" in page) is asks


def test_errors_keep_what_was_typed(cal: CalClient, visit: Any, free_times: Any) -> None:
    for htmx in (False, True):
        answer = visit(free_times()[0]).send(htmx=htmx, name=" ", email="priya@", notes="<b>{{7*7}}</b>", place="phone")
        assert answer.status_code == 422
        assert "<title>Error: " in answer.text
        assert "Enter your name." in answer.text
        assert 'href="#phone"' in answer.text
        assert 'value="priya@"' in answer.text
        assert "&lt;b&gt;{{7*7}}&lt;/b&gt;" in answer.text
    assert db.session.scalar(db.select(db.func.count()).select_from(BookingAttempt)) == 0


def test_a_taken_time_offers_the_nearest_and_keeps_the_form(cal: CalClient, visit: Any, free_times: Any) -> None:
    start = free_times()[3]
    visitor = visit(start)
    cal.create_booking(Target(1001), parse_utc(start), Person("Ann", "ann@else.example", "UTC"))
    answer = visitor.send(notes="Kept.", place="phone", phone=PHONE)
    assert answer.status_code == 422
    assert "no longer free" in answer.text
    offered = re.findall(r'name="start" type="radio" value="(\S+)"', answer.text)
    assert 3 <= len(offered) <= 6
    assert start not in offered
    assert "Kept." in answer.text
    assert f'value="{PHONE}"' in answer.text
    nothing_chosen = visitor.send(start=None, notes="Kept.")
    assert nothing_chosen.status_code == 422
    assert 'type="radio"' in nothing_chosen.text
    assert visitor.send(start=offered[0]).status_code == 303
    assert attempt().start_at == parse_utc(offered[0])


def test_a_time_that_is_not_offered_is_not_booked(cal: CalClient, visit: Any, free_times: Any) -> None:
    """The API would book any minute of the working day."""
    start = free_times()[5]
    odd = iso_utc(parse_utc(start) + timedelta(minutes=7))
    assert visit(start).send(start=odd).status_code == 422
    assert visit(start).send(start="2020-01-01T10:00:00Z").status_code == 422


def test_a_time_that_is_near_says_that_it_stays(
    cal: CalClient, client: FlaskClient, strategy: Any, free_times: Any
) -> None:
    start = free_times()[0]
    for hours, is_near in ((20, True), (30, False)):
        with time_machine.travel(parse_utc(start) - timedelta(hours=hours), tick=False):
            page = client.get(f"{BASE}/strategy-consultation/details?start={start}&zone=UTC").text
        assert 'name="email"' in page
        assert ("it cannot be moved or cancelled online afterwards" in page) is is_near


def test_details_without_a_time_to_come_lead_back(cal: CalClient, client: FlaskClient, strategy: Any) -> None:
    details = f"{BASE}/strategy-consultation/details"
    odd = iso_utc(utcnow() + timedelta(days=3))[:-3]
    for start in (
        "x",
        "2020-01-01T10:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        f"{odd}07Z",
        f"{odd}00.5Z",
        f"{odd}00",
    ):
        answer = client.get(details, query_string={"start": start, "zone": "UTC"}, follow_redirects=True)
        assert answer.request.path == f"{BASE}/strategy-consultation"
        assert answer.request.args["zone"] == "UTC"
        assert "That time can no longer be chosen" in answer.text
    assert client.get(f"{details}?zone=UTC").location == f"{BASE}/strategy-consultation?zone=UTC"


def test_a_form_without_its_token_is_refused(cal: CalClient, visit: Any, free_times: Any) -> None:
    assert visit(free_times()[0]).send(csrf_token=None).status_code == 400
    assert visit(free_times()[0]).send(csrf_token="x").status_code == 400


def test_programs_that_fill_in_everything_are_refused(cal: CalClient, visit: Any, free_times: Any) -> None:
    answer = visit(free_times()[0]).send(company_fax="123")
    assert answer.status_code == 422
    assert "hidden field" in answer.text


@pytest.mark.parametrize(
    "typed",
    [
        {"name": "x" * 10_000},
        {"name": "Ann\r\nBcc: all@example.com"},
        {"name": "<script>alert(1)</script>"},
        {"name": "{{7*7}}${7*7}"},
        {"name": "Zoë 👩‍👩‍👧‍👦 \u202eevil"},
        {"name": "\x00"},
        {"email": "a\x00b@example.com"},
        {"email": "a@b"},
        {"email": '"a b"@example.com'},
        {"email": "a@example.com\r\nBcc: b@example.com"},
        {"email": f"{'a' * 300}@example.com"},
        {"email": "jürgen+x@bücher.example"},
        {"phone": "call me", "place": "phone"},
        {"phone": "+" + "1" * 40, "place": "phone"},
        {"place": "moon"},
        {"notes": "y" * 9_000},
        {"notes": "a\x00\x07b"},
        {"form_token": "short"},
        {"form_token": "\x00" * 30},
        {"form_token": "z" * 5_000},
        {"zone": "Foo/Bar"},
        {"start": "\x00"},
    ],
)
def test_whatever_is_typed_is_booked_or_said_to_be_wrong(
    cal: CalClient, visit: Any, free_times: Any, client: FlaskClient, typed: dict[str, str]
) -> None:
    answer = visit(free_times(days=20)[-1]).send(**typed)
    assert answer.status_code in {303, 422}
    if answer.status_code == 303:
        receipt = client.get(answer.location).text
        assert "<script>alert" not in receipt
        cal.cancel(attempt().booking_uid, "test", as_host=True)


def test_a_body_that_is_too_large_is_refused(cal: CalClient, visit: Any, free_times: Any) -> None:
    assert visit(free_times()[0]).send(notes="x" * 300_000).status_code == 413


def test_a_receipt_opens_with_its_own_token_alone(
    cal: CalClient, visit: Any, free_times: Any, client: FlaskClient, deep_dive: Any
) -> None:
    location = visit(free_times()[6]).send().location
    assert client.get(location).status_code == 200
    assert client.get(location[:-2] + "xx").status_code == 404
    assert client.get(location.replace("strategy-consultation", "deep-dive")).status_code == 404
    assert client.get(f"{BASE}/strategy-consultation/done/1").status_code == 404


def test_no_page_says_cals_own_words(
    cal: CalClient, visit: Any, free_times: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: Any, **more: Any) -> None:
        raise Invalid("not accepted", status=400, text="Attendee already has uid-of-somebody-else")

    visitor = visit(free_times()[7])
    monkeypatch.setattr(cal, "create_booking", refuse)
    answer = visitor.send()
    assert answer.status_code == 422
    assert "uid-of-somebody-else" not in answer.text
    assert "uid-of-somebody-else" in attempt().reason
