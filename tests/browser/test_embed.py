"""Cal.com's booker in its frame, in real Chromium: from the shell to the mail, and each way in which it can fail."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import FrameLocator, Page, Request, expect

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.test_booking import mails_to
from tests.processes.tree import Site, until

pytestmark = pytest.mark.browser
BASE = "/book-consultation"
FREE, PAID = f"{BASE}/strategy-consultation", f"{BASE}/deep-dive"
LATE = 15_000  # ms: longer than the page's own patience of eight seconds
Open = Callable[..., Visit]
Behave = Callable[[str], None]
Form = Page | FrameLocator  # on a page of its own, or in the frame

# Keeps what moved without anybody's doing, from the first paint on.
WATCH_SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


PLACE = """(() => {
  const { left, top, width, height } = document.getElementById("embed").getBoundingClientRect();
  return [left + scrollX, top + scrollY, width, height].map(Math.round);
})()"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With the default booker."""
    site = Site(tmp_path_factory.mktemp("frames") / "data")
    until(lambda: 'class="embed-times"' in requests.get(f"http://127.0.0.1:{site.port}{FREE}", timeout=5).text)
    yield site
    site.end()


@pytest.fixture
def behave(site: Site) -> Iterator[Behave]:
    """How Cal.com's page behaves in frames during this test."""

    def ask(manner: str) -> None:
        answer = requests.post(f"http://127.0.0.1:{site.port + 1}/host/frames", data={"manner": manner}, timeout=5)
        assert answer.status_code == 200

    yield ask
    ask("works")


def open_shell(visit: Visit, path: str = FREE) -> Page:
    visit.go(path)
    expect(visit.page.locator(".times-zone")).to_have_text("Times in Berlin" if visit.has_js else "Times in New York")
    return visit.page


def calendar(page: Page) -> FrameLocator:
    return page.frame_locator("iframe.embed-frame")


def expect_calendar(page: Page) -> FrameLocator:
    expect(calendar(page).locator("h1")).to_be_visible()
    expect(page.locator("#embed[aria-busy]")).to_have_count(0)
    return calendar(page)


def choose_in_frame(page: Page, day: int) -> FrameLocator:
    """A time of one of the free days; each test its own, as there is one host for all."""
    page.locator("#show-calendar").click()
    frame = expect_calendar(page)
    show_later_month(frame)
    frame.locator(".days a").nth(day).click()
    expect(frame.locator("#times")).to_be_in_viewport()  # else the page scrolls there in the middle of the click
    take_last_time(frame)
    return frame


def take_last_time(frame: Form) -> None:
    """Waits until its form is in view: the page around the frame scrolls there, and may in the middle of a click."""
    frame.locator(".times a").last.click()
    expect(frame.get_by_label("Your name")).to_be_visible()
    expect(frame.locator("h1")).to_be_in_viewport()


def show_later_month(frame: FrameLocator) -> None:
    """Waits until it is there: both months have days that can be clicked."""
    shown = frame.locator("h2").first
    month = shown.inner_text()
    frame.locator(".months a").last.click()
    expect(shown).not_to_have_text(month)


def fill_in(form: Form, address: str, button: str) -> None:
    form.get_by_label("Your name").fill("Priya Natarajan")
    form.get_by_label(re.compile("^E-?mail address")).fill(address)
    form.get_by_role("button", name=button).click()


def fill_in_ours(page: Page, address: str) -> None:
    expect(page.locator("h1")).to_have_text("Your details")
    page.get_by_label("Your name").fill("Priya Natarajan")
    page.get_by_label("E-mail address", exact=True).fill(address)
    page.get_by_role("button", name="Book this time").click()
    expect(page.locator("h1")).to_have_text("You are booked")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_prospect_books_in_the_frame_and_a_mail_confirms_it(
    open_window: Open, site: Site, size: tuple[int, int]
) -> None:
    visit = open_window(size)
    page = visit.page
    abroad: list[str] = []

    def note(request: Request) -> None:
        if f":{site.port}/" not in request.url:
            abroad.append(request.url)

    page.on("request", note)
    visit.go(BASE)
    page.get_by_role("link", name="Free Strategy Consultation").click()
    expect(page.locator(".times-zone")).to_have_text("Times in Berlin")
    visit.expect_focus("step")
    visit.check()
    assert abroad == [], "Cal.com was asked before anybody wanted it"
    frame = choose_in_frame(page, 3 if size is PHONE else 4)
    assert abroad
    visit.check()
    address = f"frame{size[0]}@acme.example"
    fill_in(frame, address, "Confirm")
    expect(page.locator("h1")).to_have_text("You are booked")
    visit.expect_path(re.compile(rf"{FREE}/done/[\w.-]+(\?.*)?"))
    expect(page.locator(".receipt")).to_contain_text("(Berlin)")
    visit.check()
    [confirmation] = until(lambda: mails_to(site, address))
    assert "Free Strategy Consultation" in confirmation["Subject"]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_without_javascript_each_free_time_leads_to_our_own_form(
    open_window: Open, site: Site, size: tuple[int, int]
) -> None:
    visit = open_window(size, js=False)
    page = open_shell(visit)
    visit.check()
    page.locator(".embed-times a").nth(0 if size is PHONE else 1).click()
    address = f"plain{size[0]}@acme.example"
    fill_in_ours(page, address)
    visit.check()
    until(lambda: mails_to(site, address))


def test_without_javascript_all_times_are_on_our_own_page_and_stay_there(open_window: Open) -> None:
    visit = open_window(js=False)
    page = open_shell(visit)
    page.locator("#show-calendar").click()
    expect(page.locator(".month")).to_be_visible()
    page.locator("#later").click()
    expect(page.locator("#earlier")).to_be_visible()
    page.get_by_label("Your time zone").select_option("Europe/London")
    page.get_by_role("button", name="Show times there").click()
    expect(page.locator(".times-zone").or_(page.locator(".times p")).first).to_be_visible()
    expect(page.locator(".month")).to_be_visible()
    page.locator(".month td a").first.click()
    page.locator(".times li button").first.click()
    expect(page.locator("h1")).to_have_text("Your details")
    page.get_by_role("button", name="Change the time").click()
    expect(page.locator(".month")).to_be_visible()


def test_a_paid_one_without_javascript_leads_to_cal_at_that_time(open_window: Open) -> None:
    visit = open_window(js=False)
    page = open_shell(visit, PAID)
    visit.check()
    page.locator(".embed-times a").first.click()
    expect(page.get_by_role("button", name="Go on to the payment")).to_be_visible()


def test_a_free_time_opens_the_frame_right_there(open_window: Open, site: Site) -> None:
    visit = open_window()
    page = open_shell(visit)
    page.locator(".embed-times a").nth(2).click()
    frame = expect_calendar(page)
    fill_in(frame, "direct@acme.example", "Confirm")
    expect(page.locator("h1")).to_have_text("You are booked")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_paid_one_waits_for_its_payment_and_goes_on_once_it_arrived(open_window: Open, size: tuple[int, int]) -> None:
    visit = open_window(size)
    page = open_shell(visit, PAID)
    frame = choose_in_frame(page, 5 if size is PHONE else 7)
    fill_in(frame, "paying@acme.example", "Go on to the payment")
    expect(page.locator("#embed-pay")).to_contain_text("waits for the payment")
    visit.check()
    expect(page.locator(".way-out")).to_be_hidden()
    expect(page.locator("#embed-pay h2")).to_be_in_viewport()
    frame.get_by_role("button", name="Pay ").click()
    expect(page.locator("h1")).to_have_text("We have your request")
    expect(page).to_have_title(re.compile("We have your request"))
    expect(page.locator(".steps [aria-current=step]")).to_have_text("Done")
    expect(page.locator("h1")).to_be_in_viewport()
    visit.expect_focus("step")
    visit.expect_path(re.compile(rf"{PAID}/done/[\w.-]+"))
    expect(page.locator("iframe, .way-out")).to_have_count(0)
    visit.check()
    page.reload()
    expect(page.locator("h1")).to_have_text("We have your request")


def test_who_does_not_pay_is_told_what_is_missing(open_window: Open) -> None:
    visit = open_window()
    page = open_shell(visit, PAID)
    frame = choose_in_frame(page, 6)
    fill_in(frame, "unpaid@acme.example", "Go on to the payment")
    expect(page.locator("#embed-pay")).to_be_visible()
    page.get_by_role("link", name="See whether it arrived").click()
    expect(page.locator("h1")).to_have_text("Your time waits for the payment")
    visit.check()
    visit.go(PAID)
    page.get_by_role("link", name="See how to pay").click()
    expect(page.locator("h1")).to_have_text("Your time waits for the payment")


@pytest.fixture
def no_webhooks(site: Site) -> Iterator[None]:
    """None is sent during this test: for a page it is as if they were late."""
    url, key = f"http://127.0.0.1:{site.port + 1}/v2/webhooks", {"Authorization": "Bearer cal_sandbox"}
    [webhook] = requests.get(url, headers=key, timeout=5).json()["data"]

    def switch(*, on: bool) -> None:
        answer = requests.patch(f"{url}/{webhook['id']}", json={"active": on}, headers=key, timeout=5)
        assert answer.status_code == 200

    switch(on=False)
    yield
    switch(on=True)


@pytest.mark.usefixtures("no_webhooks")
def test_where_the_webhook_is_late_cal_itself_is_asked(open_window: Open) -> None:
    visit = open_window()
    page = open_shell(visit)
    frame = choose_in_frame(page, 8)
    fill_in(frame, "late@acme.example", "Confirm")
    expect(page.locator("h1")).to_have_text("Almost there")
    expect(page.locator("h1")).to_have_text("You are booked", timeout=2 * LATE)
    expect(page.locator(".receipt")).to_contain_text("(Berlin)")
    visit.expect_focus("step")
    visit.check()


def test_a_frames_word_alone_confirms_nothing(open_window: Open) -> None:
    """As a page of Cal.com's that says what is not so: neither a webhook nor the API knows of the booking."""
    visit = open_window()
    page = open_shell(visit)
    page.locator("#show-calendar").click()
    expect_calendar(page)
    start = "2030-12-03T10:00:00.000Z"
    said = {"uid": "9bTq3mX2LwYcVhR7pKsZ4d", "paymentRequired": False, "startTime": start}
    message = {"originator": "CAL", "namespace": "booking", "type": "bookingSuccessfulV2", "data": said}
    inside = page.frame(name="cal-embed=booking")
    assert inside is not None
    inside.evaluate("message => parent.postMessage(message, '*')", message)
    expect(page.locator("h1")).to_have_text("Almost there")
    expect(page.locator(".receipt")).to_contain_text("3 December 2030, 11:00 (Berlin)")
    page.goto(f"{page.url.partition('?')[0]}?look=19")  # past the last time that Cal.com is asked
    expect(page.locator(".lead")).to_contain_text("We have not heard of your booking yet")
    expect(page.locator("h1")).to_have_text("Almost there")


def test_an_earlier_frames_clock_does_not_close_a_later_one(open_window: Open, behave: Behave) -> None:
    behave("never_ready")
    visit = open_window()
    page = visit.page
    page.clock.install()
    visit.go(BASE)
    page.get_by_role("link", name="Free Strategy Consultation").click()
    page.locator("#show-calendar").click()
    expect(page.locator("#embed[aria-busy=true]")).to_be_visible()
    page.go_back()
    behave("works")
    page.get_by_role("link", name="Free Strategy Consultation").click()
    page.locator("#show-calendar").click()
    expect_calendar(page)
    page.clock.fast_forward(LATE)
    expect_calendar(page)
    expect(page.locator("#embed-trouble")).to_be_hidden()


def test_who_comes_back_to_a_page_that_did_not_change_may_load_the_frame(open_window: Open) -> None:
    """The page comes as a 304, and Chromium takes the policy of that answer."""
    visit = open_window()
    page = visit.page
    answers: list[int] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.responseReceivedExtraInfo", lambda answer: answers.append(answer["statusCode"]))
    visit.go(BASE)
    visit.go("/services")
    answers.clear()
    visit.go(BASE)
    assert 304 in answers
    page.get_by_role("link", name="Free Strategy Consultation").click()
    expect(page.locator(".times-zone")).to_have_text("Times in Berlin")
    page.locator("#show-calendar").click()
    expect_calendar(page)


def test_on_a_phone_what_the_frame_shows_is_in_view(open_window: Open) -> None:
    visit = open_window(PHONE)
    page = open_shell(visit)
    page.locator("#show-calendar").click()
    frame = expect_calendar(page)
    show_later_month(frame)
    frame.locator(".days a").last.scroll_into_view_if_needed()
    frame.locator(".days a").last.click()
    expect(frame.locator("#times")).to_be_in_viewport()
    expect(frame.locator(".times a").last).to_be_in_viewport()
    frame.locator(".times a").last.click()
    expect(frame.locator("h1")).to_be_in_viewport()
    expect(frame.get_by_label("Your name")).to_be_visible()
    expect(page.locator("iframe")).to_be_in_viewport()


def test_no_frame_scrolls_itself_out_of_view(open_window: Open) -> None:
    """Who scrolls while it measures how far it is to the times would come out beyond it."""
    visit = open_window(PHONE)
    page = open_shell(visit)
    page.locator("#show-calendar").click()
    show_later_month(expect_calendar(page))
    inside = page.frame(name="cal-embed=booking")
    assert inside is not None
    way = {"originator": "CAL", "namespace": "booking", "type": "__scrollByDistance", "data": {"distance": 5000}}
    mark = {"originator": "CAL", "namespace": "booking", "type": "__dimensionChanged", "data": {"iframeHeight": 3333}}
    inside.evaluate("messages => messages.forEach(message => parent.postMessage(message, '*'))", [way, mark])
    expect(page.locator("iframe")).to_have_attribute("height", "3333")
    expect(page.locator("iframe")).to_be_in_viewport()


@pytest.mark.parametrize(
    ("manner", "reason"),
    [("refused", "refused"), ("silent", "refused"), ("never_ready", "timeout"), ("broken", "failed")],
)
def test_a_frame_that_fails_ends_at_our_own_page(
    open_window: Open, behave: Behave, site: Site, manner: str, reason: str
) -> None:
    behave(manner)
    visit = open_window(PHONE)
    page = open_shell(visit)
    with page.expect_request("**/api/events", timeout=LATE) as reported:
        page.locator("#show-calendar").click()
    assert reported.value.post_data_json == {
        "step": "booker_failed",
        "service": "strategy-consultation",
        "reason": reason,
    }
    expect(page.locator("#embed-trouble")).to_be_visible()
    expect(page.locator("iframe")).to_have_count(0)
    expect(page.locator("#way-out, #show-calendar").locator("visible=true")).to_have_count(0)
    visit.expect_focus("embed-trouble")
    visit.check()
    page.locator("#embed-trouble a").click()
    page.locator(".times li button").first.click()
    fill_in_ours(page, f"{manner.replace('_', '')}@acme.example")
    visit.complaints.clear()  # Chromium's own words on what it was kept from


def test_what_cannot_be_reached_ends_there_too_and_the_free_times_still_lead_on(open_window: Open, site: Site) -> None:
    visit = open_window()
    page = visit.page
    page.route(f"http://127.0.0.1:{site.port + 1}/**", lambda route: route.abort())
    open_shell(visit)
    page.locator("#show-calendar").click()
    expect(page.locator("#embed-trouble")).to_be_visible(timeout=LATE)
    page.locator(".embed-times a").first.click()
    expect(page.locator("h1")).to_have_text("Your details")
    visit.complaints.clear()


def test_a_paid_one_that_fails_ends_at_cals_own_page(open_window: Open, behave: Behave) -> None:
    behave("broken")
    visit = open_window()
    page = open_shell(visit, PAID)
    page.locator("#show-calendar").click()
    expect(page.locator("#embed-trouble")).to_be_visible()
    page.locator("#embed-trouble a").click()
    expect(page.locator("h1")).to_have_text("Deep Dive Technical Consultation")
    visit.complaints.clear()


def test_a_slow_frame_is_waited_for(open_window: Open, behave: Behave) -> None:
    behave("slow")
    visit = open_window()
    page = open_shell(visit)
    page.locator("#show-calendar").click()
    expect(page.locator("#embed[aria-busy=true] .embed-loading")).to_be_visible()
    visit.check()
    expect_calendar(page)


@pytest.mark.parametrize("script", ["booking", "htmx.min"])
def test_a_blocked_script_leaves_links_that_work(open_window: Open, script: str) -> None:
    visit = open_window()
    page = visit.page
    page.route(re.compile(rf"/static/.*{re.escape(script)}\.[0-9a-f]+\.js"), lambda route: route.abort())
    visit.go(FREE)
    page.locator(".embed-times a").first.click()
    if script == "booking":
        expect(page.locator("h1")).to_have_text("Your details")
    else:
        expect_calendar(page)
    visit.complaints.clear()


def test_blocked_cookies_leave_the_way_out_in_sight(open_window: Open) -> None:
    """Nothing tells a page that Cal.com's cookie was kept out, so the other way is there at all times."""
    visit = open_window(PHONE)
    page = open_shell(visit)
    page.locator("#show-calendar").click()
    expect_calendar(page)
    page.locator("#way-out").click()
    expect(page.locator(".month")).to_be_visible()


FORGED: list[Any] = [
    None,
    "CAL",
    7,
    [],
    {"originator": "CAL"},
    {"originator": "CAL", "namespace": "booking", "type": "toString"},
    {"originator": "CAL", "namespace": "booking", "type": "constructor"},
    {"originator": "CAL", "namespace": "other", "type": "bookingSuccessfulV2", "data": {}},
    {"originator": "EVIL", "namespace": "booking", "type": "bookingSuccessfulV2", "data": {}},
    {"originator": "CAL", "namespace": "booking", "type": "__dimensionChanged", "data": {"iframeHeight": 1e9}},
    {"originator": "CAL", "namespace": "booking", "type": "__dimensionChanged", "data": {"iframeHeight": "900"}},
    {"originator": "CAL", "namespace": "booking", "type": "__dimensionChanged", "data": None},
    {"originator": "CAL", "namespace": "booking", "type": "__scrollByDistance", "data": {"distance": "down"}},
]
DECISIVE = [
    {"originator": "CAL", "namespace": "booking", "type": name, "data": {"paymentRequired": True}}
    for name in ("bookingSuccessfulV2", "linkFailed")
]


def test_forged_messages_do_nothing(open_window: Open) -> None:
    """Those of the page itself have the wrong source and origin; junk from the frame itself has the wrong shape."""
    visit = open_window()
    page = open_shell(visit)
    for message in FORGED + DECISIVE:
        page.evaluate("message => postMessage(message, '*')", message)
    page.locator("#show-calendar").click()
    expect_calendar(page)
    height = page.locator("iframe").get_attribute("height")
    for message in FORGED + DECISIVE:
        page.evaluate("message => postMessage(message, '*')", message)
    inside = page.frame(name="cal-embed=booking")
    assert inside is not None
    for message in FORGED:
        inside.evaluate("message => parent.postMessage(message, '*')", message)
    # Messages keep their order: once this one arrived, all before it did.
    mark = {"originator": "CAL", "namespace": "booking", "type": "__dimensionChanged", "data": {"iframeHeight": 3333}}
    inside.evaluate("message => parent.postMessage(message, '*')", mark)
    expect(page.locator("iframe")).to_have_attribute("height", "3333")
    assert height != "3333"
    expect(page.locator("#embed-pay")).to_be_hidden()
    expect(page.locator("#embed-trouble")).to_be_hidden()
    visit.expect_path(re.compile(re.escape(FREE) + ".*"))


def test_before_the_calendar_is_asked_for_its_place_holds_no_room(open_window: Open) -> None:
    page = open_shell(open_window((768, 800)))
    below = "id => document.getElementById(id).getBoundingClientRect().bottom + scrollY"
    rest = page.evaluate(below, "embed") - page.evaluate(below, "slots")
    assert rest < 60
    page.locator("#show-calendar").click()
    expect_calendar(page)
    assert page.locator("#embed").bounding_box()["height"] >= 600  # type: ignore[index]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_jumps_when_the_calendar_comes(open_window: Open, size: tuple[int, int]) -> None:
    visit = open_window(size)
    page = visit.page
    page.add_init_script(WATCH_SHIFTS)
    open_shell(visit)
    place = page.evaluate(PLACE)
    page.locator("#show-calendar").click()
    reserved = page.evaluate(PLACE)
    expect_calendar(page)
    now = page.evaluate(PLACE)
    assert now[:3] == reserved[:3] == place[:3]
    assert now[3] >= reserved[3] >= place[3]
    assert page.evaluate("window.shifts") < 0.02


def test_the_frame_follows_the_theme(open_window: Open) -> None:
    visit = open_window(color_scheme="dark")
    page = open_shell(visit)
    visit.check()
    page.locator("#show-calendar").click()
    expect_calendar(page)
    expect(calendar(page).locator("html[data-theme=dark]")).to_have_count(1)
    page.emulate_media(color_scheme="light")
    expect(calendar(page).locator("html[data-theme=light]")).to_have_count(1)
    visit.check()


@pytest.mark.parametrize("js", [True, False], ids=["with scripts", "without"])
def test_the_button_for_all_times_is_in_sight_on_a_small_phone(open_window: Open, js: bool) -> None:
    visit = open_window((360, 640), js=js)
    page = open_shell(visit)
    times, button, bar = page.locator(".embed-times li"), page.locator("#show-calendar"), page.locator(".summary")
    expect(times.locator("visible=true")).to_have_count(3)
    expect(button).to_be_in_viewport(ratio=1)
    bottom, top = (f"element => element.getBoundingClientRect().{edge}" for edge in ("bottom", "top"))
    assert button.evaluate(bottom) < bar.evaluate(top), "the bar lies over it"
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(times.locator("visible=true")).to_have_count(times.count())
    assert times.count() > 4
