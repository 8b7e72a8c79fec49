"""The host in real Chromium: answers requests, moves, cancels, marks who did not come, and looks at the week."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, KEY, PHONE, Visit
from tests.processes.tree import Site, until

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
JS = pytest.mark.parametrize("js", [True, False], ids=["with JavaScript", "without"])
NEW_YORK = ZoneInfo("America/New_York")
STRATEGY, INTRO = 1001, 1003


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One of our own: what the host answers and moves here would change the times of other journeys."""
    site = Site(tmp_path_factory.mktemp("host") / "data", BOOKER="native")
    yield site
    site.end()


@pytest.fixture
def sign_in(site: Site, open_window: Open) -> Open:
    """A window of the owner's, on the list."""

    def enter(size: tuple[int, int] = DESKTOP, **more: Any) -> Visit:
        visit = open_window(size, **more)
        visit.go("/admin/bookings")
        email, password = owner(site)
        visit.page.get_by_label("E-mail").fill(email)
        visit.page.get_by_label("Password").fill(password)
        visit.page.get_by_role("button", name="Sign in").click()
        visit.expect_path("/admin/bookings")
        return visit

    return enter


def owner(site: Site) -> tuple[str, str]:
    found = re.search(r"Sign in as\s+(\S+)\s+Password\s+(\S+)", site.text)
    assert found
    return found[1], found[2]


class Sandbox:
    """Cal.com's side: somebody books, past the site."""

    def __init__(self, site: Site) -> None:
        self.url = f"http://127.0.0.1:{site.port + 1}"

    def ask(self, method: str, path: str, **more: Any) -> Any:
        headers = KEY | {"cal-api-version": more.pop("version", "2024-08-13")}
        answer = requests.request(method, f"{self.url}/v2{path}", headers=headers, timeout=10, **more)
        assert answer.ok, answer.text
        return answer.json()["data"]

    def free(self, event_type: int) -> list[datetime]:
        """From tomorrow on, in the order of time."""
        first = datetime.now(UTC).date() + timedelta(2)
        query = {"eventTypeId": event_type, "start": first.isoformat(), "end": (first + timedelta(9)).isoformat()}
        found = self.ask("GET", "/slots", params=query, version="2024-09-04")
        return [datetime.fromisoformat(slot["start"]) for day in sorted(found) for slot in found[day]]

    def post(self, manner: str) -> None:
        """How its notices come from now on."""
        assert requests.post(f"{self.url}/host/post", data={"post": manner}, timeout=10).ok

    def book(self, name: str, event_type: int = STRATEGY) -> datetime:
        start = self.free(event_type)[0]
        attendee = {
            "name": name,
            "email": f"{name.split(maxsplit=1)[0].lower()}@acme.example",
            "timeZone": "Asia/Kolkata",
        }
        said = start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.ask("POST", "/bookings", json={"start": said, "eventTypeId": event_type, "attendee": attendee})
        return start


@pytest.fixture
def sandbox(site: Site) -> Sandbox:
    return Sandbox(site)


def find(visit: Visit, name: str) -> Page:
    """The page of this person's booking, once the webhook has told of it."""
    link = visit.page.locator("#bookings tbody").get_by_role("link").first

    def is_there() -> bool:
        visit.go(f"/admin/bookings?q={name.split(maxsplit=1)[0]}")
        return visit.page.locator("#bookings tbody tr").count() > 0

    until(is_there)
    link.click()
    expect(visit.page.locator("h1")).to_have_text(name)
    return visit.page


def status(page: Page) -> Any:
    return page.locator(".standing .badge")


@JS
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_requests_are_answered_from_the_list_and_on_a_page(
    sign_in: Open, sandbox: Sandbox, size: tuple[int, int], js: bool
) -> None:
    visit = sign_in(size, js=js)
    yes, no = (f"{name}{size[0]}{js} Abe" for name in ("Yes", "No"))
    sandbox.book(yes, INTRO)
    sandbox.book(no, INTRO)
    page = find(visit, no)
    find(visit, yes)
    visit.go("/admin/bookings")
    visit.check()
    page.get_by_role("button", name=f"Accept {yes}").click()
    expect(page.locator(".notice")).to_contain_text(f"Accepted: {yes}, ")
    expect(page.locator(".requests")).not_to_contain_text(yes)
    page.get_by_role("link", name=f"Decline {no}").click()
    expect(page.locator("h1")).to_have_text("Decline this request")
    expect(page.locator(".says")).to_contain_text("becomes free for others")
    visit.check()
    page.get_by_label("Your reason").fill("No room this week")
    page.get_by_role("button", name="Decline this request").click()
    expect(status(page)).to_have_text("Declined")
    expect(page.locator(".timeline")).to_contain_text("No room this week")
    expect(page.locator(".timeline")).to_contain_text(owner(visit.site)[0])
    visit.check()


@JS
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_booking_is_moved_and_cancelled(sign_in: Open, sandbox: Sandbox, size: tuple[int, int], js: bool) -> None:
    visit = sign_in(size, js=js)
    name = f"Move{size[0]}{js} Lee"
    sandbox.book(name)
    page = find(visit, name)
    visit.check()
    page.get_by_role("link", name="Move", exact=True).click()
    expect(page.locator("h1")).to_have_text("Move this booking: choose a time")
    caption = page.locator(".month caption")
    shown = caption.inner_text()
    page.locator("#later").click()
    expect(caption).not_to_have_text(shown)
    page.locator(".month td a").nth(1).click()
    expect(page.locator(".month [aria-current=date]")).to_have_count(1)
    visit.check()
    page.locator(".times li button").first.click()
    expect(page.locator("h1")).to_have_text("Move this booking")
    if js:
        visit.expect_focus("step")
    visit.expect_path(re.compile(r"/admin/bookings/\d+/move\?start=.+"))
    visit.check()
    page.get_by_label("Your reason").fill("A clash")
    page.get_by_role("button", name="Move it to this time").click()
    expect(page.locator(".notice")).to_contain_text(f"Moved: {name}, ")
    expect(page.locator(".timeline")).to_contain_text("Moved to another time")
    page.get_by_role("link", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel this booking").click()
    expect(page.locator("#error-summary")).to_contain_text("Enter your reason.")
    visit.expect_focus("error-summary")
    visit.check()
    page.get_by_label("Your reason").fill("I am ill")
    page.get_by_role("button", name="Cancel this booking").click()
    expect(status(page)).to_have_text("Cancelled")
    expect(page.get_by_role("link", name="Cancel", exact=True)).to_have_count(0)
    visit.check()


@JS
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_who_did_not_come_is_marked_and_taken_back(
    sign_in: Open, site: Site, sandbox: Sandbox, size: tuple[int, int], js: bool
) -> None:
    """The meeting was an hour ago: no notice told of it, and so the site reads it from Cal.com as it is there."""
    visit = sign_in(size, js=js)
    name = f"Gone{size[0]}{js} Day"
    sandbox.post("lost")
    start = sandbox.book(name)
    sandbox.post("works")
    begun = datetime.now(UTC) - timedelta(hours=1)
    times = [f"{at:%Y-%m-%dT%H:%M:%S}.000Z" for at in (begun, begun + timedelta(minutes=30))]
    with closing(sqlite3.connect(site.folder / "sandbox/sandbox.sqlite3", timeout=10)) as database:
        said = start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        of_it = "start_at = ? AND status = 'accepted'"
        changed = database.execute(f"UPDATE booking SET start_at = ?, end_at = ? WHERE {of_it}", [*times, said])
        assert changed.rowcount == 1
        database.commit()
    visit.go("/admin/bookings")
    visit.page.get_by_role("button", name="Look at Cal.com now").click()
    page = find(visit, name)
    page.get_by_role("link", name="Who came?").click()
    visit.check()
    page.get_by_role("button", name=f"Mark as absent {name}").click()
    expect(status(page)).to_have_text("No show")
    expect(page.locator(".timeline")).to_contain_text("Marked as absent")
    page.get_by_role("link", name="Who came?").click()
    page.get_by_role("button", name=f"Was there after all {name}").click()
    expect(status(page)).to_have_text("Completed")
    visit.check()


def test_asking_to_move_shows_done_by_itself_once_cal_com_says_so(sign_in: Open, sandbox: Sandbox) -> None:
    visit = sign_in()
    sandbox.book("Asked Okafor")
    page = find(visit, "Asked Okafor")
    page.get_by_role("link", name="Ask to move").click()
    page.get_by_label("Your reason").fill("A clash")
    page.get_by_role("button", name="Cancel this time and ask for another").click()
    expect(status(page)).to_have_text("Cancelled", timeout=30_000)
    expect(page.locator(".timeline")).to_contain_text("Asked for another time")
    expect(page.locator("#booking")).not_to_have_attribute("hx-trigger", re.compile("."))


def test_the_week_shows_what_is_booked_and_leads_to_it(sign_in: Open, sandbox: Sandbox) -> None:
    visit = sign_in()
    start = sandbox.book("Weekly Request", INTRO).astimezone(NEW_YORK)
    page = find(visit, "Weekly Request")
    visit.go("/admin/bookings")
    page.get_by_role("link", name="Calendar of the week").click()
    expect(page.locator("h1")).to_have_text("Calendar")
    for size, scheme in ((DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light")):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme=scheme)
        for view in ("week", "day"):
            visit.go(f"/admin/bookings/calendar?view={view}&day={start.date()}")
            entry = page.locator(f"section[aria-labelledby='day-{start.date()}'] .entry", has_text="Weekly")
            expect(entry).to_contain_text("Request")
            expect(entry).to_contain_text(f"{start:%H:%M}")
            visit.check()
    visit.go(f"/admin/bookings/calendar?view=week&day={start.date()}")
    page.get_by_role("link", name="Later").click()
    following = start.date() + timedelta(7)
    visit.expect_path(f"/admin/bookings/calendar?view=week&day={following}")
    page.get_by_role("link", name="Earlier").click()
    link = page.get_by_role("link", name=re.compile("Weekly Request"))
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Weekly Request")


def test_the_hours_of_the_week_stand_beside_what_is_booked(sign_in: Open, sandbox: Sandbox) -> None:
    """As drawn: a booking begins at its hour's line, and lasts as long as it does."""
    visit = sign_in()
    start = sandbox.book("Drawn Exactly").astimezone(NEW_YORK)
    page = find(visit, "Drawn Exactly")
    visit.go(f"/admin/bookings/calendar?view=week&day={start.date()}")
    hour = page.locator(".hours li", has_text=f"{start:%H}:00").bounding_box()
    entry = page.locator(".entry", has_text="Drawn Exactly").bounding_box()
    assert hour is not None
    assert entry is not None
    assert abs(entry["y"] - hour["y"] - hour["height"] * start.minute / 60) < 12
    assert abs(entry["height"] - hour["height"] / 2) < 4
