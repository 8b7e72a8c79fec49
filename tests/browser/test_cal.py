"""The owner connects the account by a page: it looks, mends, says what is wrong, and takes over what differs."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, KEY, PHONE, Visit
from tests.processes.tree import Site

pytestmark = pytest.mark.browser
PAGE = "/admin/cal"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One of our own: what is taken over here would change the pages of other journeys."""
    site = Site(tmp_path_factory.mktemp("connect") / "data", BOOKER="native")
    yield site
    site.end()


@pytest.fixture
def sign_in(site: Site, open_window: Callable[..., Visit]) -> Callable[..., Visit]:
    """A window of the owner's, on the page."""

    def open_one(size: tuple[int, int] = DESKTOP, **more: Any) -> Visit:
        visit = open_window(size, **more)
        visit.go(PAGE)
        found = re.search(r"Sign in as\s+(\S+)\s+Password\s+(\S+)", site.text)
        assert found
        visit.page.get_by_label("E-mail").fill(found[1])
        visit.page.get_by_label("Password").fill(found[2])
        visit.page.get_by_role("button", name="Sign in").click()
        visit.expect_path(PAGE)
        return visit

    return open_one


def at_cal(site: Site, method: str, path: str, **body: Any) -> Any:
    url = f"http://127.0.0.1:{site.port + 1}/v2{path}"
    answer = requests.request(method, url, json=body or None, headers=KEY, timeout=5)
    assert answer.ok, answer.text
    return answer.json()["data"]


@pytest.mark.parametrize(("size", "js"), [(DESKTOP, True), (PHONE, False)], ids=["wide", "phone, no scripts"])
def test_a_webhook_that_was_switched_off_is_put_right(
    site: Site, sign_in: Callable[..., Visit], size: tuple[int, int], js: bool
) -> None:
    [webhook] = at_cal(site, "GET", "/webhooks")
    at_cal(site, "PATCH", f"/webhooks/{webhook['id']}", active=False)
    visit = sign_in(size, js=js)
    found = visit.page.locator(".findings")

    visit.page.get_by_role("button", name="Only look").click()
    expect(visit.page.get_by_text("1 thing is not right: see below.")).to_be_visible()
    expect(found.get_by_role("listitem").filter(has_text="it was switched off")).to_contain_text("Wrong")
    visit.check()

    visit.page.get_by_role("button", name="Look at it and put it right").click()
    expect(visit.page.get_by_text("Everything that was looked at is right.")).to_be_visible()
    expect(found.get_by_role("listitem").filter(has_text="it was switched off")).to_contain_text("Put right")
    expect(found.get_by_text("A signed test delivery of our own arrived through")).to_be_visible()
    expect(found.get_by_text("A test mail to you lies in the local mailbox")).to_be_visible()
    visit.check()

    visit.page.get_by_role("button", name="Look at it and put it right").click()
    expect(found.get_by_text("The webhook posts everything to")).to_be_visible()
    [webhook] = at_cal(site, "GET", "/webhooks")
    assert (webhook["active"], webhook["version"]) == (True, "2026-07-27")


def test_whether_cal_com_gets_through_is_said_once_it_did(site: Site, sign_in: Callable[..., Visit]) -> None:
    visit = sign_in()
    visit.page.get_by_role("button", name="Only look").click()
    expect(visit.page.get_by_text("No delivery of Cal.com's has come yet")).to_be_visible()
    answer = requests.post(f"http://127.0.0.1:{site.port + 1}/host/ping", timeout=5, allow_redirects=False)
    assert answer.status_code == 303
    button = visit.page.get_by_role("button", name="Only look")
    told = visit.page.get_by_text("Cal.com gets through: its last delivery")
    for _ in range(20):
        button.click()
        expect(visit.page.locator(".notice")).to_be_visible()
        if told.is_visible():
            break
        visit.page.wait_for_timeout(250)
    expect(told).to_be_visible()


def test_what_differs_is_taken_over_and_stands_on_the_public_page(site: Site, sign_in: Callable[..., Visit]) -> None:
    visit = sign_in(PHONE)
    visit.page.get_by_role("button", name="Ask Cal.com again").click()
    expect(visit.page.get_by_text("Cal.com was asked just now.")).to_be_visible()
    differing = visit.page.get_by_role("region", name="What differs for Free Strategy Consultation")
    expect(differing.get_by_role("row", name="Questions")).to_contain_text("What would you like to talk about?")
    visit.check()
    visit.page.get_by_role("button", name="Take over").click()
    expect(visit.page.get_by_text("taken over from Cal.com.")).to_be_visible()
    expect(visit.page.get_by_text("Nothing: the services say what Cal.com says.")).to_be_visible()
    visit.go("/services/strategy-consultation")
    expect(visit.page.get_by_role("listitem").filter(has_text="What would you like to talk about?")).to_be_visible()
    visit.check()


def test_an_event_type_is_chosen_for_a_service(site: Site, sign_in: Callable[..., Visit]) -> None:
    visit = sign_in()
    choice = visit.page.get_by_label("Deep Dive Technical Consultation")
    for label in ("Intro Call", "Deep Dive Technical Consultation"):
        choice.select_option(label=label)
        visit.page.get_by_role("button", name="Save the event types").click()
        expect(visit.page.get_by_text("The event types are saved.")).to_be_visible()
        expect(choice.locator("option:checked")).to_have_text(label)
