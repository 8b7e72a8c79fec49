"""Choosing a time in real Chromium: its length, seats, the hold on it, by keyboard, as its reader writes the clock."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Visit
from tests.processes.tree import Site

pytestmark = pytest.mark.browser
BASE = "/book-consultation"
Open = Callable[..., Visit]
Make = Callable[..., str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One of its own: the services that are made here stand in no other test's catalogue."""
    site = Site(tmp_path_factory.mktemp("native") / "data", BOOKER="native", TRUSTED_HOPS=1)
    yield site
    site.end()


def choose(visit: Visit, path: str) -> None:
    """The first time of the last free day that is shown, so that these tests leave the first days to the others."""
    visit.go(f"{path}?zone=Europe/Berlin")
    page = visit.page
    caption = page.locator(".month caption")
    shown = caption.inner_text()
    page.locator("#later").click()
    expect(caption).not_to_have_text(shown)
    day = page.locator(".month td a").last
    name = day.get_attribute("aria-label") or ""
    day.click()
    expect(page.locator(".times-day")).to_have_text(name.split(",")[0])
    page.locator(".times li button").first.click()
    expect(page.locator("h1")).to_have_text("Your details")


def send(page: Page) -> None:
    page.get_by_role("button", name="Book this time").click()


@pytest.mark.parametrize("js", [True, False], ids=["with JavaScript", "without"])
def test_the_length_comes_before_the_times_and_stays(open_window: Open, make_service: Make, js: bool) -> None:
    visit = open_window(js=js)
    page = visit.page
    path = make_service(lengthInMinutesOptions=[30, 90])
    visit.go(f"{path}?zone=Europe/Berlin")
    page.get_by_label("90 minutes").check()
    if not js:
        page.get_by_role("button", name="Show these times").click()
    visit.expect_path(re.compile(r".*duration=90.*"))
    expect(page.locator(".summary")).to_contain_text("90 minutes")
    if js:
        visit.expect_focus("length-90")
    visit.check()
    page.locator(".times li button").last.click()
    expect(page.locator("h1")).to_have_text("Your details")
    visit.expect_path(re.compile(r".*duration=90.*"))
    page.get_by_role("button", name="Change the time").click()
    expect(page.get_by_label("90 minutes")).to_be_checked()
    page.locator(".times li button").last.click()
    page.get_by_label("Your name").fill("Priya Natarajan")
    page.get_by_label("E-mail address").fill("length@acme.example")
    send(page)
    expect(page.locator("h1")).to_have_text("You are booked")
    expect(page.locator(".receipt")).to_contain_text("90 minutes")


@pytest.mark.parametrize("js", [True, False], ids=["with JavaScript", "without"])
def test_a_chosen_time_is_kept_from_others_until_it_is_given_back(
    open_window: Open, make_service: Make, js: bool
) -> None:
    path = make_service()
    ann, bob = open_window(js=js), open_window()
    choose(ann, path)
    page = ann.page
    start = page.locator("form.fields [name=start]").get_attribute("value") or ""
    page.reload()
    expect(page.locator("h1")).to_have_text("Your details")
    expect(page.locator("#error-summary")).to_have_count(0)
    day = f"{path}?zone=UTC&day={start[:10]}"
    bob.go(day)
    expect(bob.page.locator(".times-day")).to_be_visible()
    expect(bob.page.locator(f"[name=start][value='{start}']")).to_have_count(0)
    bob.go(f"{path}/details?zone=UTC&start={start}")
    expect(bob.page.locator("#error-summary")).to_contain_text("no longer free")
    bob.check()
    page.go_back()
    expect(page.locator("h1")).to_have_text("Choose a time")
    expect(page.locator(f"[name=start][value='{start}']")).to_have_count(1)
    page.go_forward()
    expect(page.locator("h1")).to_have_text("Your details")
    page.get_by_role("button", name="Change the time").click()
    expect(page.locator("h1")).to_have_text("Choose a time")
    bob.go(day)
    expect(bob.page.locator(f"[name=start][value='{start}']")).to_have_count(1)


def test_what_was_typed_waits_while_somebody_looks_at_other_times(open_window: Open, make_service: Make) -> None:
    places = [{"type": "integration", "integration": "cal-video"}, {"type": "attendeePhone"}]
    questions = [
        {"type": "select", "slug": "team", "label": "Your team", "options": ["Small", "Large"]},
        {"type": "checkbox", "slug": "topics", "label": "Your topics", "options": ["SEO", "Speed"]},
    ]
    fields = [{"required": False, "hidden": False, "placeholder": "", **question} for question in questions]
    visit = open_window(PHONE)
    page = visit.page
    path = make_service(locations=places, bookingFields=fields)
    choose(visit, path)

    def expect_typed() -> None:
        expect(page.get_by_label("Your name")).to_have_value("Priya Natarajan")
        expect(page.get_by_label("E-mail address")).to_have_value("waits@acme.example")
        expect(page.get_by_label("Phone number")).to_have_value("+1 202 555 0123")
        expect(page.get_by_label("Your team")).to_have_value("Large")
        expect(page.get_by_label("Speed")).to_be_checked()
        expect(page.get_by_label("SEO")).not_to_be_checked()
        expect(page.get_by_label("Your guests")).to_be_visible()
        expect(page.get_by_label("Your guests")).to_have_value("bob@acme.example")
        assert "acme" not in page.url

    page.get_by_label("Your name").fill("Priya Natarajan")
    page.get_by_label("E-mail address").fill("waits@acme.example")
    page.get_by_label("Phone: we call you").check()
    page.get_by_label("Phone number").fill("+1 202 555 0123")
    page.get_by_label("Your team").select_option("Large")
    page.get_by_label("Speed").check()
    page.get_by_text("Bring somebody along").click()
    page.get_by_label("Your guests").fill("bob@acme.example")
    first = page.locator("form.fields [name=start]").get_attribute("value")
    page.get_by_role("button", name="Change the time").click()
    page.locator(".times li button").last.click()
    expect(page.locator("h1")).to_have_text("Your details")
    assert page.locator("form.fields [name=start]").get_attribute("value") != first
    expect_typed()
    visit.check()
    page.reload()
    expect_typed()
    page.go_back()
    expect(page.locator("h1")).to_have_text("Choose a time")
    page.go_forward()
    expect_typed()
    send(page)
    expect(page.locator("h1")).to_have_text("You are booked")
    assert page.evaluate("sessionStorage.length") == 0
    choose(visit, path)
    expect(page.get_by_label("Your name")).to_have_value("")


def test_each_takes_a_seat_until_none_is_left(open_window: Open, make_service: Make) -> None:
    path = make_service(seats={"seatsPerTimeSlot": 2, "showAttendeeInfo": False, "showAvailabilityCount": True})
    start = ""
    for name, left in (("ann", "2 seats left"), ("bob", "1 seat left")):
        visit = open_window(PHONE)
        page = visit.page
        visit.go(f"{path}?zone=UTC&day={start[:10]}")
        button = page.locator(f"[name=start][value='{start}']" if start else "[name=start]").last
        start = button.get_attribute("value") or ""
        expect(button).to_contain_text(left)
        visit.check()
        button.click()
        page.get_by_label("Your name").fill(name)
        page.get_by_label("E-mail address").fill(f"{name}@acme.example")
        send(page)
        expect(page.locator("h1")).to_have_text("You are booked")
    late = open_window()
    late.go(f"{path}/details?zone=UTC&start={start}")
    expect(late.page.locator("#error-summary")).to_contain_text("The last seat at that time is taken")


def test_arrow_keys_go_over_the_edges_of_a_month(open_window: Open, make_service: Make) -> None:
    visit = open_window()
    page, press = visit.page, visit.page.keyboard.press
    visit.go(f"{make_service()}?zone=Europe/Berlin")
    caption, days = page.locator(".month caption"), page.locator(".month td a")
    first_month = caption.inner_text()
    page.locator("#later").click()
    expect(caption).not_to_have_text(first_month)
    second_month = caption.inner_text()
    days.nth(3).focus()
    press("Home")
    visit.expect_focus(days.first.get_attribute("id") or "")
    press("End")
    visit.expect_focus(days.last.get_attribute("id") or "")
    press("ArrowRight")
    expect(caption).not_to_have_text(second_month)
    expect(page.locator("#status")).to_contain_text("free time")
    visit.expect_focus(days.first.get_attribute("id") or "")
    press("ArrowLeft")
    expect(caption).to_have_text(second_month)
    visit.expect_focus(days.last.get_attribute("id") or "")
    press("PageDown")
    expect(caption).not_to_have_text(second_month)
    visit.expect_focus(days.first.get_attribute("id") or "")
    press("PageUp")
    expect(caption).to_have_text(second_month)
    page.go_back()
    expect(caption).not_to_have_text(second_month)


@pytest.mark.parametrize(("locale", "clock"), [("en-US", r"\d{1,2}:\d\d\s[ap]m"), ("de-DE", r"\d\d:\d\d")])
def test_the_clock_is_the_readers(open_window: Open, make_service: Make, locale: str, clock: str) -> None:
    visit = open_window(PHONE, locale=locale)
    page = visit.page
    visit.go(f"{make_service()}?zone=Europe/Berlin")
    expect(page.locator(".times li time").first).to_have_text(re.compile(f"^{clock}$"))
    visit.check()
    page.locator(".times li button").first.click()
    expect(page.locator(".chosen strong")).to_have_text(re.compile(rf", {clock} \(Berlin\)"))
