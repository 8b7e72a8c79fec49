"""The pages before a booking, as a visitor meets them: free times, comparing, what fits, questions; with and without
JavaScript, by back and reload."""

import re
import sqlite3
from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.processes.tree import Site, until

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
JS = pytest.mark.parametrize("js", [True, False], ids=["with JavaScript", "without"])
FREE, DIVE = "Free Strategy Consultation", "Deep Dive Technical Consultation"


def has_free_times(visit: Visit, path: str = "/") -> bool:
    visit.go(path)
    return visit.page.locator(".timetable a").count() > 0


@pytest.mark.parametrize("path", ["/", "/services/strategy-consultation"])
@pytest.mark.parametrize(
    ("locale", "zone", "clock"),
    [
        ("en-US", "America/New_York", r"\d{1,2}:\d\d [ap]m"),  # the owner's zone: the clock alone changes
        ("en-US", "Europe/Berlin", r"\d{1,2}:\d\d [ap]m"),
        ("de-DE", "Europe/Berlin", r"\d\d:\d\d"),
    ],
)
def test_free_times_are_written_as_their_readers_do(
    open_window: Open, path: str, locale: str, zone: str, clock: str
) -> None:
    visit = open_window(locale=locale, zone=zone)
    until(lambda: has_free_times(visit, path))
    for time in visit.page.locator(".timetable strong").all():
        expect(time).to_have_text(re.compile(f"^{clock}$"))


@JS
def test_a_free_time_on_the_first_page_leads_to_its_form(open_window: Open, js: bool) -> None:
    visit = open_window(PHONE, js=js)
    until(lambda: has_free_times(visit))
    times = visit.page.locator(".next-times")
    zone = "Berlin" if js else "New York"
    expect(times).to_contain_text(f"Times in {zone}")
    day, clock = times.locator("a").first.locator("span"), times.locator("a strong").first
    said = f"{day.inner_text()}, {clock.inner_text()}"
    times.locator("a").first.click()
    expect(visit.page.locator("h1")).to_have_text("Your details")
    expect(visit.page.locator(".chosen")).to_contain_text(f"{said} ({zone})")


@pytest.fixture
def third_service(site: Site) -> Iterator[None]:
    """Where there are two there is nothing to choose."""
    begin_next = "UPDATE edition SET number = number + 1"
    with sqlite3.connect(site.folder / "hds.sqlite3", timeout=20) as database:
        database.row_factory = sqlite3.Row
        row = dict(database.execute("SELECT * FROM service WHERE slug = 'deep-dive'").fetchone())
        row |= {"id": None, "slug": "third", "name": "Third", "position": 99}
        row |= {"cal_event_type_id": None, "cal_event_slug": None}
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        database.execute(f"INSERT INTO service ({columns}) VALUES ({marks})", tuple(row.values()))
        database.execute(begin_next)
    until(lambda: 'value="third"' in requests.get(f"http://127.0.0.1:{site.port}/services", timeout=5).text)
    yield
    with sqlite3.connect(site.folder / "hds.sqlite3", timeout=20) as database:
        database.execute("DELETE FROM service WHERE slug = 'third'")
        database.execute(begin_next)
    until(lambda: "/services/third" not in requests.get(f"http://127.0.0.1:{site.port}/services", timeout=5).text)


@JS
@pytest.mark.usefixtures("third_service")
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_choice_is_compared_and_the_address_keeps_it(open_window: Open, size: tuple[int, int], js: bool) -> None:
    visit = open_window(size, js=js)
    page = visit.page
    table, box = page.locator("table.compare"), page.get_by_role("checkbox", name=DIVE)
    visit.go("/services")
    expect(table.get_by_role("row")).to_have_count(4)
    expect(page.get_by_text("With none of them ticked you see all of them.")).to_be_visible()
    visit.check()
    box.uncheck()
    if not js:
        page.get_by_role("button", name="Compare", exact=True).click()
    expect(table.get_by_role("row")).to_have_count(3)
    visit.expect_path("/services?compare=strategy-consultation&compare=third")
    if js:
        expect(page.locator("#status")).to_have_text(f"Compared: {FREE}, Third")
        expect(box).to_be_focused()
    expect(page.locator(".choice-name")).to_have_text(DIVE)
    visit.check()
    page.reload()
    expect(table.get_by_role("row")).to_have_count(3)
    expect(box).not_to_be_checked()
    page.go_back()
    visit.expect_path("/services")
    expect(table.get_by_role("row")).to_have_count(4)


@JS
def test_what_fits_answers_and_the_address_keeps_the_answers(open_window: Open, js: bool) -> None:
    visit = open_window(js=js)
    page = visit.page
    heading = page.locator("#fits-best")

    def answer(words: str) -> None:
        page.get_by_label(words).check()
        if not js:
            page.get_by_role("button", name="Show what fits").click()

    visit.go("/services")
    page.get_by_role("link", name="Find out which one fits you").click()
    expect(heading).to_have_text("No answers yet")
    visit.check()
    answer("CTOs and technical leads before a large change")
    expect(heading).to_have_text(DIVE)
    answer("Nothing")
    expect(page.locator(".con")).to_contain_text("But:")
    visit.expect_path(re.compile(r"/services/fit\?who=deep-dive&cost=0(#fits)?"))
    if js:
        expect(page.locator("#status")).to_contain_text("comes closest")
    visit.check()
    page.reload()
    expect(page.get_by_label("Nothing")).to_be_checked()
    page.go_back()
    expect(page.get_by_label("Nothing")).not_to_be_checked()
    expect(heading).to_have_text(DIVE)
    page.locator("#fits").get_by_role("link", name="Compare it with").click()
    expect(page.locator("table.compare")).to_be_visible()


@JS
def test_on_a_phone_the_button_leads_to_what_fits(open_window: Open, js: bool) -> None:
    visit = open_window((360, 640), js=js)
    page = visit.page
    visit.go("/services/fit")
    page.get_by_label("Nothing").check()
    if js:  # an answer changes what fits, and leaves the focus where it is: the arrow keys go on to the next one
        expect(page.locator("#fits-best")).to_have_text("Free Strategy Consultation")
        expect(page.get_by_label("Nothing")).to_be_focused()
    page.get_by_role("button", name="Show what fits").click()
    visit.expect_path("/services/fit?cost=0#fits")
    visit.expect_focus("fits")
    expect(page.locator("#fits-best")).to_have_text("Free Strategy Consultation")
    expect(page.locator("#fits").get_by_role("link", name="Choose a time")).to_be_in_viewport()
    visit.check()


@JS
def test_a_question_is_found_and_has_its_own_address(open_window: Open, js: bool) -> None:
    visit = open_window(PHONE, js=js)
    page = visit.page
    visit.go("/faq")
    page.get_by_label("Search the questions").fill("reschedule")
    if not js:
        page.get_by_role("button", name="Search").click()
    expect(page.locator(".question")).to_have_count(1)
    visit.expect_path("/faq?q=reschedule")
    if js:
        expect(page.locator("#status")).to_have_text("1 question found")
        expect(page.get_by_label("Search the questions")).to_be_focused()
    visit.check()
    page.get_by_role("link", name="What if I need to reschedule?").click()
    expect(page.locator("h1")).to_have_text("What if I need to reschedule?")
    visit.check()
    page.go_back()
    visit.expect_path("/faq?q=reschedule")
    expect(page.locator(".question")).to_have_count(1)
    page.get_by_label("Search the questions").fill("zebra")
    if not js:
        page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="No question here speaks of “zebra”")).to_be_visible()
    page.locator("#answers").get_by_role("link", name="see all questions").click()
    visit.expect_path("/faq")
