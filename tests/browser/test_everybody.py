"""For everybody: each public page by axe, by size, by finger, by keyboard, without colours, movement or scripts.

The pages' accessibility trees are kept in tests/browser/trees/; after a change that is meant, write them anew with
`HDS_WRITE_TREES=1 pytest tests/browser/test_everybody.py -k tree`, and read what changed.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Locator, expect

from tests.browser.conftest import PHONE, Visit
from tests.processes.tree import Site, until

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]

BOOK = "/book-consultation"
TIMES = f"{BOOK}/strategy-consultation?booker=native"
PATHS = (
    "/",
    "/services",
    "/services/strategy-consultation",
    "/services/deep-dive",
    "/services/fit",
    "/services/fit?cost=0",
    "/faq",
    "/faq?q=zebra",
    "/faq?q=refund",
    "/faq/prepare",
    "/privacy",
    BOOK,
    TIMES,
    f"{TIMES}&month=2026-01",
    f"{BOOK}/strategy-consultation",
    f"{BOOK}/deep-dive",
    "/nothing",
    "/bookings/cut-off",
    "/admin/sign-in",
    "/components",
    "/components?free=none",
)
IN_THE_DARK = (
    "/",
    "/services",
    "/services/deep-dive",
    "/services/fit?cost=0",
    "/faq",
    "/faq/prepare",
    "/privacy",
    BOOK,
    TIMES,
    f"{BOOK}/strategy-consultation",
    "/components",
)
TREES = Path(__file__).parent / "trees"
WITH_TIMES = ("/", "/services/strategy-consultation")
DAY, TIME = r"\w+day \d+ \w+", r"\d\d:\d\d"
# What to look for in a tree, and the pattern in its place.
OF_TODAY = (
    (rf": {DAY}, {TIME} \((.+)\)$", r": /\\w+ \\d+ \\w+, \\d\\d:\\d\\d \(\1\)/"),
    (rf'"{DAY} {TIME}"', r"/\\w+ \\d+ \\w+ \\d\\d:\\d\\d/"),
    (rf": {DAY}$", r": /\\w+ \\d+ \\w+/"),
    (rf": {TIME}$", r": /\\d\\d:\\d\\d/"),
)
TOUCH = {"has_touch": True, "is_mobile": True}

# Links, buttons and fields that one meets alone (not in running text) and that are smaller than a finger.
TOO_SMALL = """least => [...document.querySelectorAll("a, button, summary, select, textarea, input:not([type=hidden])")]
  .filter(element => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".visually-hidden, .skip"))
  .filter(element => !(getComputedStyle(element).display === "inline"
    && [...element.parentElement.childNodes].some(node => node !== element && node.textContent.trim())))
  .map(element => [element, (element.matches("[type=radio], [type=checkbox]") && element.closest("label") || element).getBoundingClientRect()])
  .filter(([, box]) => box.width < least || box.height < least)
  .map(([element, box]) => `${element.outerHTML.slice(0, 80)} is ${box.width} by ${box.height}`)"""
SLOWEST = """() => Math.max(...[...document.querySelectorAll("*")].flatMap(element => {
  const style = getComputedStyle(element);
  return [...style.transitionDuration.split(","), ...style.animationDuration.split(",")].map(parseFloat);
}))"""


def visit_all(visit: Visit, paths: tuple[str, ...] = PATHS) -> Iterator[str]:
    """Yields each path when its page is there. A missing page is meant to be missing."""
    for path in paths:
        visit.go(path)
        expect(visit.page.locator("h1")).to_have_count(1)
        yield path
        visit.complaints[:] = [said for said in visit.complaints if "status of 404" not in said]


def test_on_a_phone_axe_finds_nothing_fingers_hit_and_nothing_scrolls_sideways(open_window: Open) -> None:
    """A window of 1280 pixels that is magnified twice has room for 640."""
    visit = open_window(PHONE, device_scale_factor=2, **TOUCH)
    page = visit.page
    for path in visit_all(visit):
        visit.check()
        assert page.evaluate(TOO_SMALL, 43.9) == [], path
        for width in (640, 320):
            page.set_viewport_size({"width": width, "height": 640})
            found = page.evaluate("document.documentElement.scrollWidth")
            assert found <= width, f"{path} is {found} wide in {width}"
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})


def test_axe_finds_nothing_in_the_dark(open_window: Open) -> None:
    visit = open_window(color_scheme="dark")
    for _ in visit_all(visit, IN_THE_DARK):
        visit.check()


def test_forced_colours_keep_borders_marks_and_focus(open_window: Open) -> None:
    visit = open_window(forced_colors="active")
    page = visit.page
    visit.go(TIMES)
    for control in (".button", ".times li button", "select", ".steps [aria-current]"):
        assert is_drawn(page.locator(control).first, "::before" if "steps" in control else ""), control
    day, chosen = page.locator(".month td a:not([aria-current])").first, page.locator(".month [aria-current]")
    assert chosen.evaluate("element => getComputedStyle(element).outlineWidth") == "3px"
    day.focus()
    page.keyboard.press("Tab")
    focused = "() => { const style = getComputedStyle(document.activeElement); return [style.outlineStyle, style.outlineWidth] }"
    assert page.evaluate(focused) == ["solid", "3px"]


def is_drawn(element: Locator, pseudo: str) -> bool:
    style = element.evaluate(
        "(element, pseudo) => { const s = getComputedStyle(element, pseudo || null); return [s.borderTopStyle, parseFloat(s.borderTopWidth)] }",
        pseudo,
    )
    return style[0] == "solid" and style[1] >= 1


def test_nothing_moves_for_who_asked_for_rest_and_little_for_others(open_window: Open) -> None:
    visit = open_window()
    for path in visit_all(visit, (BOOK, TIMES, "/components")):
        visit.page.emulate_media(reduced_motion="reduce")
        assert visit.page.evaluate(SLOWEST) == 0, path
        visit.page.emulate_media(reduced_motion="no-preference")
        assert 0 < visit.page.evaluate(SLOWEST) <= 0.18, path


def test_the_live_regions_are_there_from_the_first(site: Site) -> None:
    """As the server sends the page: one that a script adds is often not read out."""
    for path in (path for path in PATHS if not path.startswith("/admin")):
        page = requests.get(f"http://127.0.0.1:{site.port}{path}", timeout=10).text
        assert '<div id="alerts" class="alerts" role="alert"></div>' in page, path
        assert '<div id="status" class="visually-hidden" role="status" aria-live="polite"></div>' in page, path


def test_the_keyboard_comes_past_the_menu_and_sees_where_it_is(open_window: Open) -> None:
    visit = open_window()
    page = visit.page
    visit.go("/faq")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    expect(page.locator(":focus")).to_be_in_viewport()
    page.keyboard.press("Enter")
    visit.expect_focus("main")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"


def test_the_theme_changes_in_place_and_stays(open_window: Open) -> None:
    visit = open_window()
    page, root = visit.page, visit.page.locator("html")
    visit.go(TIMES)
    expect(page.locator(".times-zone")).to_have_text("Times in Berlin")
    page.locator(".times li button").first.click()
    page.get_by_label("Your name").fill("Priya Natarajan")
    dark = page.get_by_role("button", name="Dark")
    dark.focus()
    page.keyboard.press("Enter")
    expect(root).to_have_attribute("data-theme", "dark")
    expect(dark).to_have_attribute("aria-pressed", "true")
    expect(dark).to_be_focused()
    expect(page.get_by_label("Your name")).to_have_value("Priya Natarajan")
    visit.check()
    visit.go("/")
    expect(root).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="As my system").click()
    expect(root).not_to_have_attribute("data-theme", re.compile("."))


def test_the_theme_changes_without_javascript(open_window: Open) -> None:
    visit = open_window(js=False)
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    visit.go("/faq?q=free")
    visit.page.get_by_role("button", name="Dark").click()
    expect(visit.page.locator("html")).to_have_attribute("data-theme", "dark")
    visit.expect_path("/faq?q=free")
    assert visit.page.evaluate(paper) != "rgb(255, 255, 255)"
    visit.page.get_by_role("button", name="Light").click()
    expect(visit.page.locator("html")).to_have_attribute("data-theme", "light")


def test_the_bar_on_a_phone_opens_and_lets_one_read_on(open_window: Open) -> None:
    visit = open_window(PHONE, **TOUCH)
    bar = visit.page.locator(".summary")
    visit.go(TIMES)
    expect(bar).to_be_in_viewport()
    expect(bar.locator(".facts")).to_be_hidden()
    bar.locator("summary").tap()
    expect(bar.locator(".facts")).to_be_visible()
    visit.check()


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/", {"home": "main"}),
        ("/services", {"services": "main"}),
        ("/services/strategy-consultation", {"service": "main"}),
        ("/faq", {"questions": "main"}),
        (BOOK, {"frame": "body", "choose": "#booking", "under": "main"}),
        ("/nothing", {"missing": "main"}),
        ("/admin/sign-in", {"sign-in": "main"}),
    ],
)
def test_the_tree_of_a_page_is_as_it_was(open_window: Open, site: Site, path: str, parts: dict[str, str]) -> None:
    """What changes from day to day stands as a pattern in the files."""
    visit = open_window()
    if path in WITH_TIMES:
        address = f"http://127.0.0.1:{site.port}{path}"
        until(lambda: 'class="next-times"' in requests.get(address, timeout=5).text)
    visit.go(path)
    if path in WITH_TIMES:
        expect(visit.page.locator(".next-times-zone")).to_contain_text("Berlin")
    for name, part in parts.items():
        expect_tree(visit.page.locator(part), name)
    visit.complaints[:] = [said for said in visit.complaints if "status of 404" not in said]


def test_the_tree_of_times_and_details_is_as_it_was(open_window: Open) -> None:
    visit = open_window()
    page, steps = visit.page, visit.page.locator("#booking")
    visit.go(TIMES)
    expect(page.locator(".times-zone")).to_have_text("Times in Berlin")
    expect(steps).to_match_aria_snapshot((TREES / "times.yml").read_text())  # a month differs from the next: by hand
    page.locator(".times li button").first.click()
    expect(page.locator("h1")).to_have_text("Your details")
    expect_tree(steps, "details")


def expect_tree(part: Locator, name: str) -> None:
    file = TREES / f"{name}.yml"
    if os.environ.get("HDS_WRITE_TREES"):
        file.write_text(patterned(part.aria_snapshot()))
    expect(part).to_match_aria_snapshot(file.read_text())


def patterned(tree: str) -> str:
    """A tree without what is of today: days and times become patterns, of which several alike count as one; addresses
    with a query are left out."""
    tree = re.sub(r"^ *- /url: .*\?.*\n", "", f"{tree}\n", flags=re.MULTILINE)
    tree = re.sub(r"^( *)(- .+):\n(?!\1 )", r"\1\2\n", tree, flags=re.MULTILINE)  # a colon that has nothing under it
    for sign, pattern in OF_TODAY:
        tree = re.sub(sign, lambda found, pattern=pattern: found.expand(pattern), tree, flags=re.MULTILINE)
    return re.sub(r"(^( *)- listitem:\n(?:\2  .*\n)+?)\1+", r"\1", tree, flags=re.MULTILINE)
