"""The sandbox's booking page inside Cal.com's own embed script: a parent that we did not write hears what it should.

The script comes from the npm registry while the test runs, as its licence allows for testing, and is never kept here.
Without npm, or where the registry does not answer within seconds, there is nothing to test with.
"""

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_httpserver import HTTPServer

from tests.browser.conftest import Visit
from tests.processes.tree import Site

pytestmark = pytest.mark.browser
PACKAGE = "@calcom/embed-core@1.5.3"
SCRIPT = "package/dist/embed/embed.js"
SECONDS = 15

# What a page says before the script is there: a queue, which the script takes over.
PAGE = """<!doctype html><html lang="en"><head><title>Another site</title></head><body><h1>Another site</h1>
<div id="cal"></div><script>
window.heard = [];
window.Cal = (...words) => Cal.q.push(words);
Object.assign(Cal, { q: [], ns: {}, loaded: true });
Cal("init", { origin: "ORIGIN" });
Cal("inline", { elementOrSelector: "#cal", calLink: "hudson/strategy-consultation", config: { name: "Priya Natarajan" } });
Cal("on", { action: "*", callback: (event) => heard.push(event.detail) });
</script><script src="/embed.js"></script></body></html>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("parent") / "data")
    yield site
    site.end()


@pytest.fixture(scope="session")
def embed_js(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    npm = shutil.which("npm") or pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("npm")
    command = [
        npm,
        "pack",
        PACKAGE,
        "--silent",
        "--fetch-retries=0",
        "--ignore-scripts",
        f"--pack-destination={folder}",
    ]
    try:
        subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=SECONDS)
        [package] = folder.glob("*.tgz")
        return script_of(package)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, tarfile.TarError) as error:
        pytest.skip(f"{PACKAGE} cannot be had from the registry: {type(error).__name__}")


def script_of(package: Path) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(package.read_bytes())) as files:
        found = files.extractfile(SCRIPT)
        assert found is not None
        return found.read()


@pytest.fixture
def parent(
    embed_js: bytes, site: Site, httpserver: HTTPServer, open_window: Callable[..., Visit]
) -> Callable[..., Page]:
    """Another site's page that embeds the sandbox as Cal.com's documentation says."""
    origin = f"http://127.0.0.1:{site.port + 1}"
    httpserver.expect_request("/").respond_with_data(PAGE.replace("ORIGIN", origin), content_type="text/html")
    httpserver.expect_request("/embed.js").respond_with_data(embed_js, content_type="text/javascript")
    httpserver.expect_request("/favicon.ico").respond_with_data(b"")

    def open_page(**more: Any) -> Page:
        page = open_window(**more).page
        page.goto(httpserver.url_for("/"))
        return page

    return open_page


def heard(page: Page, kind: str) -> Any:
    """What was said in a message of this kind, once it has come."""
    page.wait_for_function("kind => heard.some(({ type }) => type === kind)", arg=kind)
    return page.evaluate("kind => heard.find(({ type }) => type === kind)", kind)


def test_cal_coms_own_parent_shows_the_page_and_hears_of_the_booking(parent: Callable[..., Page]) -> None:
    page = parent()
    frame = page.frame_locator("iframe.cal-embed")
    expect(frame.locator("h1")).to_be_visible()
    assert heard(page, "linkReady")["namespace"] == ""
    assert heard(page, "bookerReady")["data"]["eventSlug"] == "strategy-consultation"
    height = heard(page, "__dimensionChanged")["data"]["iframeHeight"]
    assert height > 200
    expect(page.locator("iframe.cal-embed")).to_have_attribute("style", re.compile(r"height: ?\d{3,}px"))
    frame.locator(".months a").last.click()
    frame.locator(".days a").last.click()
    frame.locator(".times a").last.click()
    expect(frame.get_by_label("Your name")).to_have_value("Priya Natarajan")
    frame.get_by_label("Email address").fill("parent@acme.example")
    frame.get_by_role("button", name="Confirm").click()
    booked = heard(page, "bookingSuccessfulV2")["data"]
    assert set(booked) >= {"uid", "title", "startTime", "endTime", "eventTypeId", "status", "paymentRequired"}
    assert booked["status"] == "ACCEPTED"
