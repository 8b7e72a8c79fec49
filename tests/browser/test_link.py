"""Booking by a link to Cal.com's own page, for owners who want no more than that: it works without a script of ours."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.test_booking import mails_to
from tests.processes.tree import Site, until

pytestmark = pytest.mark.browser
BASE = "/book-consultation"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("links") / "data", BOOKER="link")
    yield site
    site.end()


@pytest.mark.parametrize("js", [True, False], ids=["with JavaScript", "without"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_prospect_books_at_cal_and_our_mail_confirms_it(
    open_window: Callable[..., Visit], site: Site, size: tuple[int, int], js: bool
) -> None:
    visit = open_window(size, js=js)
    page = visit.page
    visit.go(BASE)
    page.get_by_role("link", name="Free Strategy Consultation").click()
    way = page.get_by_role("link", name="Choose a time on Cal.com")
    expect(way).to_be_visible()
    visit.check()
    way.click()
    at_cal = re.escape(f"http://127.0.0.1:{site.port + 1}/hudson/strategy-consultation?")
    expect(page).to_have_url(re.compile(f"^{at_cal}.*hds-visit="))
    page.locator(".months a").last.click()
    page.locator(".days a").nth(1 + 2 * js + (size is PHONE)).click()
    page.locator(".times a").last.click()
    address = f"link{size[0]}{js}@acme.example".lower()
    page.get_by_label("Your name").fill("Priya Natarajan")
    page.get_by_label("Email address").fill(address)
    page.get_by_role("button", name="Confirm").click()
    [confirmation] = until(lambda: mails_to(site, address))
    assert "Free Strategy Consultation" in confirmation["Subject"]
