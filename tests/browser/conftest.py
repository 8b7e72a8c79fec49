"""One site for all journeys, as `make run` starts it, and a Chromium that reports whatever the page complains of."""

import itertools
import os
import re
import secrets
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests import html
from tests.processes.tree import Site

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]
ADDRESSES = itertools.count(1)
PHONE, DESKTOP = (360, 740), (1280, 800)
KEY = {"Authorization": "Bearer cal_sandbox"}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("journeys") / "data", BOOKER="native")
    yield site
    site.end()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or "/usr/bin/chromium", args=FLAGS
        )
        yield browser
        browser.close()


@dataclass
class Visit:
    """One visitor's window."""

    site: Site
    page: Page
    has_js: bool
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(f"http://127.0.0.1:{self.site.port}{path}")

    @property
    def path(self) -> str:
        return self.page.url.partition(str(self.site.port))[2]

    @property
    def focused(self) -> str:
        return str(self.page.evaluate("document.activeElement.id"))

    def expect_focus(self, element: str) -> None:
        """Waits for it: htmx moves the focus, as it sets the title, a moment after the new content can be seen."""
        expect(self.page.locator(":focus")).to_have_id(element)

    def expect_path(self, path: str | re.Pattern[str]) -> None:
        """Waits for the address, which is pushed after the content is swapped."""
        origin = re.escape(f"http://127.0.0.1:{self.site.port}")
        pattern = path.pattern if isinstance(path, re.Pattern) else re.escape(path)
        expect(self.page).to_have_url(re.compile(f"^{origin}{pattern}$"))

    def check(self) -> None:
        """The page as it now is: right as HTML, no wider than the window, and without a fault that axe can see."""
        html.check(f"<!doctype html>{self.page.locator('html').evaluate('element => element.outerHTML')}")
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
        if self.has_js:
            # Another site's frame is not ours to judge, and axe would post messages into it.
            # Only what is wrong is asked for: all that is right, with its HTML, takes longer than to look.
            found = Axe().run(self.page, options={"iframes": False, "resultTypes": ["violations"]})
            assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def open_window(site: Site, chromium: Browser) -> Iterator[Callable[..., Visit]]:
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def open_one(
        size: tuple[int, int] = DESKTOP, *, js: bool = True, zone: str = "Europe/Berlin", **more: Any
    ) -> Visit:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=js,
            timezone_id=zone,
            reduced_motion="reduce",
            # An address of its own, where the site trusts a proxy: each visitor may ask Cal.com so often.
            **({"locale": "en-GB", "extra_http_headers": {"X-Forwarded-For": f"10.0.0.{next(ADDRESSES)}"}} | more),
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        visit = Visit(site, page, js)
        visits.append(visit)
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on("console", lambda message: note(visit, message.type, message.text))
        return visit

    yield open_one
    complaints = [complaint for visit in visits for complaint in visit.complaints]
    for context in contexts:
        context.close()
    assert complaints == []


def note(visit: Visit, kind: str, text: str) -> None:
    if kind in {"error", "warning"} and "responded with a status of 422" not in text:
        visit.complaints.append(text)


@contextmanager
def silent_cal_com(site: Site) -> Iterator[None]:
    """It takes every call, and answers none before this is over."""
    pid = site.pid("sandbox")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def somebody_else_books(site: Site) -> Callable[[str], None]:
    """Takes a time at the sandbox, past the site."""

    def book(start: str) -> None:
        body = {
            "start": start,
            "eventTypeId": 1001,
            "attendee": {"name": "Ann", "email": "ann@else.example", "timeZone": "UTC"},
        }
        answer = requests.post(
            f"http://127.0.0.1:{site.port + 1}/v2/bookings",
            json=body,
            headers={"cal-api-version": "2024-08-13"},
            timeout=5,
        )
        assert answer.status_code == 201, answer.text

    return book


@pytest.fixture
def make_service(site: Site) -> Callable[..., str]:
    """An event type at the sandbox, and a service like the first one for it; the address of its times comes back.
    `booker`, `needs_approval`: the service's own."""

    def make(*, booker: str | None = None, needs_approval: bool = False, **stated: Any) -> str:
        slug = f"made-{secrets.token_hex(4)}"
        body = {"title": "Made", "slug": slug, "lengthInMinutes": 30, **stated}
        if needs_approval:
            body["confirmationPolicy"] = {"type": "always", "blockUnconfirmedBookingsInBooker": True}
        answer = requests.post(
            f"http://127.0.0.1:{site.port + 1}/v2/event-types",
            json=body,
            headers=KEY | {"cal-api-version": "2024-06-14"},
            timeout=5,
        )
        assert answer.status_code == 201, answer.text
        with sqlite3.connect(site.folder / "hds.sqlite3", timeout=20) as database:
            database.row_factory = sqlite3.Row
            row = dict(database.execute("SELECT * FROM service WHERE slug = 'strategy-consultation'").fetchone())
            row |= {"id": None, "slug": slug, "cal_event_type_id": answer.json()["data"]["id"], "cal_event_slug": slug}
            row |= {"active": 1, "featured": 0, "position": 99, "needs_approval": needs_approval, "booker": booker}
            columns = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" * len(row))
            database.execute(f"INSERT INTO service ({columns}) VALUES ({marks})", tuple(row.values()))
        return f"/book-consultation/{slug}"

    return make
