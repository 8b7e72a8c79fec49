"""What an event type can ask, in real Chromium: questions of every kind, places, a proven address."""

import re
from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.bookings.test_questions import EACH_KIND, required
from tests.browser.conftest import DESKTOP, PHONE, Visit
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
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_questions_of_every_kind_are_asked_checked_kept_and_booked(
    open_window: Open, make_service: Make, js: bool, size: tuple[int, int]
) -> None:
    visit = open_window(size, js=js)
    page = visit.page
    places = [{"type": "integration", "integration": "cal-video"}, {"type": "attendeeAddress"}]
    choose(visit, make_service(bookingFields=required(EACH_KIND), locations=places))
    visit.check()
    send(page)
    expect(page.locator("#error-summary")).to_contain_text("Answer “Your company”.")
    expect(page.locator("#error-summary")).to_contain_text("Tick “I agree”.")
    visit.check()
    page.get_by_label("Your name").fill("Priya Natarajan")
    page.get_by_label("E-mail address").fill("fields@acme.example")
    page.get_by_label("In person, where you are").check()
    page.get_by_label("Your address").fill("2 Side St")
    page.get_by_label("Your company").fill("Acme")
    page.get_by_label("Your goals").fill("More speed")
    page.get_by_label("Your budget").fill("lots")
    page.get_by_label("Your team").select_option("Large")
    page.get_by_label("Fast").check()
    page.get_by_label("Word").check()
    page.get_by_label("SEO").check()
    page.get_by_label("I agree").check()
    page.get_by_label("Your mobile").fill("+1 202 555 0123")
    page.get_by_label("Your office").fill("1 Main St")
    page.get_by_label("Your colleagues").fill("bob@acme.example\ncid@acme.example")
    page.get_by_label("Your site").fill("acme.example")
    page.get_by_text("Bring somebody along").click()
    page.get_by_label("Your guests").fill("dee@acme.example")
    send(page)
    summary = page.locator("#error-summary")
    expect(summary.get_by_role("link")).to_have_text(["Enter a number, like 12 or 12.5."])
    if js:
        visit.expect_focus("error-summary")
    expect(page.get_by_label("Your company")).to_have_value("Acme")
    expect(page.get_by_label("Your team")).to_have_value("Large")
    for kept in ("Fast", "Word", "SEO", "I agree", "In person, where you are"):
        expect(page.get_by_label(kept)).to_be_checked()
    expect(page.get_by_label("Your guests")).to_have_value("dee@acme.example")
    summary.get_by_role("link").click()
    if js:
        visit.expect_focus("q-budget")
    page.get_by_label("Your budget").fill("1000")
    send(page)
    expect(page.locator("h1")).to_have_text("You are booked")
    visit.check()


def test_a_place_brings_its_own_field(open_window: Open, make_service: Make) -> None:
    visit = open_window()
    page = visit.page
    places = [{"type": "integration", "integration": "cal-video"}, {"type": "attendeePhone"}]
    places += [{"type": "attendeeAddress"}, {"type": "attendeeDefined"}]
    choose(visit, make_service(locations=places))
    of_place = {"Phone number": "Phone: we call you", "Your address": "In person, where you are"}
    of_place["Where shall we meet?"] = "Somewhere else: you say where"
    for name in of_place:
        expect(page.get_by_label(name)).to_be_hidden()
    for name, place in of_place.items():
        page.get_by_label(place).check()
        for other in of_place:
            expect(page.get_by_label(other)).to_be_visible(visible=other == name)


@pytest.mark.parametrize("js", [True, False], ids=["with JavaScript", "without"])
def test_an_address_is_proven_by_a_code_from_the_mail(
    open_window: Open, make_service: Make, site: Site, js: bool
) -> None:
    visit = open_window(PHONE, js=js)
    page = visit.page
    address = f"proof-{js}@acme.example".lower()
    choose(visit, make_service(requiresBookerEmailVerification=True))
    page.get_by_label("Your name").fill("Priya Natarajan")
    page.get_by_label("E-mail address").fill(address)
    send(page)
    expect(page.locator("#code-sent")).to_contain_text(f"sent a code to {address}")
    if js:
        visit.expect_focus("code-sent")
    visit.check()
    page.get_by_label("The code from the mail").fill("12")
    send(page)
    expect(page.locator("#error-summary")).to_contain_text("That code is wrong")
    visit.check()
    host = requests.get(f"http://127.0.0.1:{site.port + 1}/host", timeout=5).text
    code = re.search(rf'data-email="{address}"><code>(\d+)<', host)
    assert code
    page.get_by_label("The code from the mail").fill(code[1])
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("You are booked")
