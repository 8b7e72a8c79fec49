"""The journey of a prospect in real Chromium, from the choice of a consultation to the mail in the mailbox."""

import re
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.processes.tree import Site, until

pytestmark = pytest.mark.browser
BASE = "/book-consultation"
FREE = f"{BASE}/strategy-consultation"
Open = Callable[..., Visit]


def mails_to(site: Site, address: str) -> list[Any]:
    """In the order in which they came."""
    paths = sorted((site.folder / "mailbox").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
    return [mail for mail in mails if mail["To"] == address]


def choose_a_time(visit: Visit) -> str:
    """From the first step to the form of a time, which is returned."""
    page = visit.page
    visit.go(BASE)
    visit.check()
    page.get_by_role("link", name="Free Strategy Consultation").click()
    expect(page.locator("h1")).to_have_text("Choose a time")
    if visit.has_js:
        expect(page.locator(".times-zone")).to_have_text("Times in Berlin")
        visit.expect_focus("step")
    caption = page.locator(".month caption")
    shown = caption.inner_text()
    page.locator("#later").click()
    expect(caption).not_to_have_text(shown)
    free_days = page.locator(".month td a")
    name = free_days.nth(2).get_attribute("aria-label") or ""
    free_days.nth(2).click()
    expect(page.locator(".times-day")).to_have_text(name.split(",")[0])
    expect(page.locator(".times-day")).to_be_in_viewport()
    visit.check()
    page.locator(".times li button").nth(1).click()
    expect(page.locator("h1")).to_have_text("Your details")
    visit.check()
    return parse_qs(urlsplit(page.url).query)["start"][0]


@pytest.mark.parametrize("js", [True, False], ids=["with JavaScript", "without"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_prospect_books_and_a_mail_confirms_it(
    open_window: Open, site: Site, size: tuple[int, int], js: bool
) -> None:
    visit = open_window(size, js=js)
    page = visit.page
    choose_a_time(visit)
    address = f"priya{size[0]}{js}@acme.example".lower()
    page.get_by_role("button", name="Book this time").click()
    expect(page.locator("#error-summary")).to_contain_text("Enter your name.")
    expect(page).to_have_title(re.compile("^Error: "))
    visit.check()
    page.get_by_label("Your name").fill("Priya Natarajan")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("What would you like").fill("We rebuild our shop.")
    page.get_by_role("button", name="Book this time").click()
    expect(page.locator("h1")).to_have_text("You are booked")
    visit.expect_path(re.compile(rf"{FREE}/done/[\w.-]+"))
    expect(page.locator(".receipt")).to_contain_text("(Berlin)" if js else "(New York)")
    visit.check()
    for name in ("Google", "Outlook.com", "Outlook at work"):
        expect(page.get_by_role("link", name=name)).to_have_attribute("href", re.compile("^https://"))
    with page.expect_download() as taken:
        page.get_by_role("link", name="Calendar file (.ics)").click()
    assert "METHOD:PUBLISH" in taken.value.path().read_text()
    confirmation, *others = until(lambda: mails_to(site, address))
    assert others == []
    assert "Free Strategy Consultation" in confirmation["Subject"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_either_light(open_window: Open, scheme: str) -> None:
    visit = open_window(color_scheme=scheme)
    choose_a_time(visit)
    visit.page.get_by_label("Phone: we call you").check()
    visit.page.get_by_role("button", name="Book this time").click()
    expect(visit.page.locator("#phone-error")).to_be_visible()
    visit.check()
    visit.go(f"{BASE}/deep-dive")
    expect(visit.page.get_by_role("link", name="Choose a time on Cal.com")).to_be_visible()
    visit.check()


def test_a_taken_time_is_met_with_others_and_the_form_stays(
    open_window: Open, somebody_else_books: Callable[[str], None]
) -> None:
    visit = open_window(PHONE)
    page = visit.page
    start = choose_a_time(visit)
    page.get_by_label("Your name").fill("Priya Natarajan")
    page.get_by_label("E-mail address").fill("taken@acme.example")
    somebody_else_books(start)
    page.get_by_role("button", name="Book this time").click()
    expect(page.locator("#error-summary")).to_contain_text("no longer free")
    visit.expect_focus("error-summary")
    expect(page.get_by_label("Your name")).to_have_value("Priya Natarajan")
    visit.check()
    page.locator("[name=start]").first.check()
    page.get_by_role("button", name="Book this time").click()
    expect(page.locator("h1")).to_have_text("You are booked")


def test_the_whole_journey_by_keyboard(open_window: Open) -> None:
    visit = open_window()
    page, press = visit.page, visit.page.keyboard.press

    def tab_to(selector: str) -> None:
        for _ in range(60):
            press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"the Tab key never came to {selector}")

    visit.go(BASE)
    tab_to("a.choice")
    press("Enter")
    expect(page.locator("#slots")).to_be_visible()
    expect(page.locator(".times-zone")).to_have_text("Times in Berlin")
    page.locator("#later").focus()
    press("Enter")
    expect(page.locator("#earlier")).to_be_visible()
    page.locator("h1").evaluate("element => { element.tabIndex = -1; element.focus() }")
    tab_to(".month a")
    first = visit.focused
    press("ArrowRight")
    expect(page.locator(":focus")).not_to_have_id(first)
    second = visit.focused
    assert second > first
    press("Enter")
    expect(page.locator(f"#{second}[aria-current=date]")).to_be_visible()
    visit.expect_focus(second)
    expect(page.locator("#status")).to_contain_text("free time")
    tab_to(".times li button")
    press("Enter")
    expect(page.locator("h1")).to_have_text("Your details")
    visit.expect_focus("step")
    tab_to("#name")
    page.keyboard.type("Priya Natarajan")
    tab_to("#email")
    page.keyboard.type("keyboard@acme.example")
    press("Enter")
    expect(page.locator("h1")).to_have_text("You are booked")


def test_back_forward_and_reload_show_the_same_step(open_window: Open) -> None:
    visit = open_window()
    page = visit.page
    choose_a_time(visit)
    for heading in ("Your details", "Choose a time"):
        expect(page.locator("h1")).to_have_text(heading)
        page.reload()
        expect(page.locator("h1")).to_have_text(heading)
        chosen = visit.path
        page.go_back()
    page.go_forward()
    expect(page.locator("[aria-current=date]")).to_have_count(1)
    visit.expect_path(chosen)
    while visit.path != BASE:
        page.go_back()
    expect(page.locator("h1")).to_have_text("Choose a consultation")


def test_two_clicks_book_once(open_window: Open, site: Site) -> None:
    visit = open_window()
    page = visit.page
    choose_a_time(visit)
    page.get_by_label("Your name").fill("Priya Natarajan")
    page.get_by_label("E-mail address").fill("twice@acme.example")
    page.get_by_role("button", name="Book this time").dblclick()
    expect(page.locator("h1")).to_have_text("You are booked")
    page.go_back()
    until(lambda: mails_to(site, "twice@acme.example"))
    page.wait_for_timeout(500)
    assert len(mails_to(site, "twice@acme.example")) == 1


def test_the_times_are_the_browsers_and_another_zone_can_be_chosen(open_window: Open) -> None:
    visit = open_window(zone="Asia/Tokyo")
    page = visit.page
    visit.go(FREE)
    expect(page.locator(".times-zone")).to_have_text("Times in Tokyo")
    visit.expect_path(re.compile(".*zone=Asia.*"))
    zones, summary = page.get_by_label("Your time zone"), page.locator(".summary dd")
    for zone, place in (("Europe/London", "London"), ("Australia/Sydney", "Sydney")):  # the list is still there
        zones.select_option(zone)
        page.get_by_role("button", name="Show times there").click()
        expect(summary.get_by_text(place)).to_be_visible()  # there may be no time on the same day there
        expect(zones).to_have_value(zone)
    page.reload()
    expect(summary.get_by_text("Sydney")).to_be_visible()
    expect(zones).to_have_value("Australia/Sydney")


def test_nothing_scrolls_sideways_at_320(open_window: Open) -> None:
    visit = open_window((320, 640))
    choose_a_time(visit)
