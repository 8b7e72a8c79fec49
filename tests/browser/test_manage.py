"""Somebody's own booking in real Chromium: from the links of the mail in the mailbox to what the calendar then says."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from itertools import count

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.test_everybody import TOO_SMALL, TOUCH
from tests.processes.tree import Site, until

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
Links = tuple[str, str, str]
WAYS = [(size, js) for size in (PHONE, DESKTOP) for js in (True, False)]
NAMES = [f"{'phone' if size is PHONE else 'desktop'}, {'with' if js else 'without'} JavaScript" for size, js in WAYS]
somebody = count(1)


def api(site: Site, method: str, path: str, version: str = "2024-08-13", **more: object) -> requests.Response:
    url = f"http://127.0.0.1:{site.port + 1}/v2{path}"
    return requests.request(method, url, headers={"cal-api-version": version}, timeout=5, **more)  # type: ignore[arg-type]


def free_times(site: Site, days: int) -> list[str]:
    first = datetime.now(UTC).date() + timedelta(days)
    query = {"eventTypeId": 1001, "start": f"{first}", "end": f"{first + timedelta(4)}"}
    days_of = api(site, "GET", "/slots", "2024-09-04", params=query).json()["data"].values()
    times = [datetime.fromisoformat(slot["start"]).astimezone(UTC) for day in days_of for slot in day]
    return [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in times]


@pytest.fixture
def booked(site: Site) -> Callable[..., Links]:
    """A booking that was made at Cal.com itself: its links to see, move and cancel, from the mail."""

    return lambda: book_at(site)


def book_at(site: Site) -> Links:
    address = f"own{next(somebody)}@acme.example"
    attendee = {"name": "Priya Natarajan", "email": address, "timeZone": "Europe/Berlin"}
    start = free_times(site, 20)[0]
    body = {"start": start, "eventTypeId": 1001, "attendee": attendee, "guests": ["guest@acme.example"]}
    assert api(site, "POST", "/bookings", json=body).status_code == 201
    see, move, cancel = until(lambda: links_to(site, address))
    return see, move, cancel


def links_to(site: Site, address: str) -> list[str]:
    folder = site.folder / "mailbox"
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(folder.glob("*.eml"))]
    texts = [mail.get_body(("plain",)).get_content() for mail in mails if mail["To"] == address]  # type: ignore[union-attr]
    return re.findall(r"http\S+?(/bookings/\S+)", texts[0]) if texts else []


@pytest.mark.parametrize(("size", "js"), WAYS, ids=NAMES)
def test_from_the_mail_to_another_time(
    open_window: Open, booked: Callable[..., Links], size: tuple[int, int], js: bool
) -> None:
    see, _, _ = booked()
    visit = open_window(size, js=js)
    page = visit.page
    visit.go(see)
    expect(page.locator("h1")).to_have_text("Your booking is confirmed")
    before = page.locator(".receipt dd").nth(1).inner_text()
    assert "(Berlin)" in before
    visit.check()
    page.get_by_role("link", name="Move it to another time").click()
    expect(page.locator("h1")).to_have_text("Choose another time")
    if js:
        visit.expect_focus("step")
    caption = page.locator(".month caption")
    shown = caption.inner_text()
    page.locator("#later").click()
    expect(caption).not_to_have_text(shown)
    page.locator(".month td a").nth(3).click()
    expect(page.locator(".times-day")).to_be_in_viewport()
    visit.check()
    page.locator(".times li button").nth(1).click()
    expect(page.locator("h1")).to_have_text("Move it to this time?")
    page.get_by_label("Why?").fill("A clash")
    if js:  # which keeps it while they look at other times
        page.get_by_role("link", name="Other times").click()
        expect(page.locator(".month")).to_be_visible()
        page.locator(".times li button").last.click()
        expect(page.get_by_label("Why?")).to_have_value("A clash")
    then = page.locator(".receipt dd").nth(2).inner_text()
    visit.check()
    page.get_by_role("button", name="Move the booking").click()
    expect(page.locator("h1")).to_have_text("Your booking is moved")
    expect(page.locator(".receipt dd").nth(1)).to_have_text(then)
    assert then != before
    assert not js or page.evaluate("sessionStorage.length") == 0
    visit.check()
    visit.go(see)
    expect(page.locator(".receipt dd").nth(1)).to_have_text(then)


@pytest.mark.parametrize(("size", "js"), WAYS, ids=NAMES)
def test_from_the_mail_to_the_cancellation(
    open_window: Open, booked: Callable[..., Links], size: tuple[int, int], js: bool
) -> None:
    see, move, cancel = booked()
    visit = open_window(size, js=js)
    page = visit.page
    visit.go(cancel)
    expect(page.locator("h1")).to_have_text("Cancel this booking?")
    expect(page.locator(".marked")).to_contain_text("guest@acme.example")
    visit.check()
    page.get_by_role("link", name="Leave it as it is").click()
    expect(page.locator("h1")).to_have_text("Your booking is confirmed")
    page.get_by_role("link", name="Cancel it").click()
    page.get_by_label("Why?").fill("I am ill")
    page.get_by_role("button", name="Cancel the booking").click()
    expect(page.locator("h1")).to_have_text("This booking is cancelled")
    visit.check()
    page.reload()
    expect(page.locator("h1")).to_have_text("This booking is cancelled")
    page.go_back()
    visit.go(move)
    expect(page.locator(".lead")).to_have_text("This booking is cancelled already.")
    visit.check()
    visit.go(see)
    page.get_by_role("link", name="Choose another time").click()
    expect(page.locator("h1")).to_have_text("Choose a time")


@pytest.mark.parametrize(("size", "js"), WAYS, ids=NAMES)
def test_a_time_that_somebody_took_meanwhile_is_met_with_others(
    open_window: Open,
    site: Site,
    booked: Callable[..., Links],
    somebody_else_books: Callable[[str], None],
    size: tuple[int, int],
    js: bool,
) -> None:
    _, move, _ = booked()
    visit = open_window(size, js=js)
    page = visit.page
    start = free_times(site, 30)[-1]
    visit.go(f"{move}/confirmation?start={start}")
    page.get_by_label("Why?").fill("A clash with school")
    somebody_else_books(start)
    page.get_by_role("button", name="Move the booking").click()
    expect(page.locator("#error-summary")).to_contain_text("That time is no longer free")
    expect(page).to_have_title(re.compile("^Error: "))
    if js:
        visit.expect_focus("error-summary")
    expect(page.get_by_label("Why?")).to_have_value("A clash with school")
    visit.check()
    page.locator("[name=start]").first.check()
    page.get_by_role("button", name="Move the booking").click()
    expect(page.locator("h1")).to_have_text("Your booking is moved")


@pytest.fixture
def freeze(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Callable[[bool], None]]]:
    """A site of its own, whose Cal.com can be made to answer nothing."""
    site = Site(tmp_path_factory.mktemp("frozen") / "data", BOOKER="native")

    def freeze(is_frozen: bool) -> None:
        pid = site.pid("sandbox")
        assert pid is not None
        os.kill(pid, signal.SIGSTOP if is_frozen else signal.SIGCONT)

    yield site, freeze
    freeze(False)
    site.end()


@pytest.mark.parametrize(("size", "js"), [(PHONE, True), (DESKTOP, False)], ids=["with JavaScript", "without"])
def test_while_cal_com_does_not_answer_nobody_knows_and_then_everybody(
    open_window: Open, freeze: tuple[Site, Callable[[bool], None]], size: tuple[int, int], js: bool
) -> None:
    site, stop = freeze
    see, move, cancel = book_at(site)
    visit = open_window(size, js=js)
    visit.site = site
    page = visit.page
    visit.go(cancel)
    stop(True)
    page.get_by_role("button", name="Cancel the booking").click()
    expect(page.locator("h1")).to_have_text("We do not know yet whether it worked", timeout=20_000)
    visit.check()
    visit.go(move)
    expect(page.locator("h1")).to_have_text("Our calendar does not answer")
    visit.check()
    visit.go(see)
    stop(False)
    if not js:
        until(lambda: "This booking is cancelled" in requests.get(page.url, timeout=5).text)
        page.get_by_role("button", name="Look now").click()
    expect(page.locator("h1")).to_have_text("This booking is cancelled", timeout=30_000)
    if js:
        visit.expect_focus("step")
    visit.check()
    visit.complaints[:] = [said for said in visit.complaints if "status of 503" not in said]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_either_light_and_fingers_hit(
    open_window: Open, site: Site, booked: Callable[..., Links], scheme: str
) -> None:
    see, move, cancel = booked()
    visit = open_window(PHONE, color_scheme=scheme, device_scale_factor=2, **TOUCH)
    page = visit.page
    for path in (see, move, f"{move}/confirmation?start={free_times(site, 26)[0]}", cancel, "/bookings/cut-off"):
        visit.go(path)
        expect(page.locator("h1")).to_have_count(1)
        visit.check()
        assert page.evaluate(TOO_SMALL, 43.9) == [], path
        page.set_viewport_size({"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    expect(page.locator("h1")).to_have_text("This link does not work")
    visit.complaints[:] = [said for said in visit.complaints if "status of 404" not in said]
