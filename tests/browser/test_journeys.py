"""Each way to book, from the choice of a time to the end, in real Chromium, and what becomes of it where something is
in the way. What shows it, by the letters below (those with a dot are of other modules of this folder):

                 native     embed      link
  books          N J        E J        L J
  approval       J          J P        J
  moved          J M        J          J
  cancelled      J M        J          J
  slot taken     T          t u        t
  Cal.com down   d          e f F      g

  J  test_from_the_request_to_the_cancellation: asked for, accepted, moved, accepted, cancelled; the native one on a
     desktop, the frame on a phone, the link on a phone without JavaScript
  N  test_booking.test_a_prospect_books_and_a_mail_confirms_it: phone and desktop, with JavaScript and without
  E  test_embed.test_a_prospect_books_in_the_frame_and_a_mail_confirms_it: phone and desktop; without JavaScript
     test_embed.test_without_javascript_each_free_time_leads_to_our_own_form
  L  test_link.test_a_prospect_books_at_cal_and_our_mail_confirms_it: phone and desktop, with JavaScript and without
  P  test_embed.test_a_paid_one_waits_for_its_payment_and_goes_on_once_it_arrived: the host decides once it is paid
  M  test_manage.test_from_the_mail_to_another_time, test_manage.test_from_the_mail_to_the_cancellation: phone and
     desktop, with JavaScript and without; whoever booked by frame or link has the same pages
  T  test_booking.test_a_taken_time_is_met_with_others_and_the_form_stays; where one is moved,
     test_manage.test_a_time_that_somebody_took_meanwhile_is_met_with_others
  t  test_at_cal_com_a_taken_time_is_met_with_others
  u  test_a_listed_time_that_is_taken_leads_to_others_of_ours: a phone, without JavaScript
  d  test_what_was_typed_is_kept_while_cal_com_is_silent_and_booked_afterwards
  e  test_a_frame_that_stays_empty_ends_at_a_way_to_write_and_later_at_our_own_times
  f  test_who_comes_back_from_the_frame_waits_for_cal_com_to_speak
  F  test_embed.test_a_frame_that_fails_ends_at_our_own_page, test_embed.test_where_the_webhook_is_late_cal_itself_is_asked
  g  test_the_link_and_the_address_stay_while_cal_com_is_silent
     Who moves or cancels meanwhile: test_manage.test_while_cal_com_does_not_answer_nobody_knows_and_then_everybody
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

import pytest
import requests
from playwright.sync_api import FrameLocator, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Visit, silent_cal_com
from tests.browser.test_booking import mails_to
from tests.browser.test_embed import Form, choose_in_frame, fill_in, open_shell, show_later_month, take_last_time
from tests.processes.tree import Site, until

pytestmark = pytest.mark.browser
FREE = "/book-consultation/strategy-consultation"
SLOW = 20_000  # ms: longer than all that a page asks of a Cal.com that is silent
Open = Callable[..., Visit]
Make = Callable[..., str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One of our own, with the default booker: here Cal.com falls silent. Each service that is made says its booker."""
    site = Site(tmp_path_factory.mktemp("each") / "data", TRUSTED_HOPS=1)
    yield site
    site.end()


# To the form of a time: `day` of the free days of the next month, one for each test, as there is one host for all.


def choose_on_ours(visit: Visit, path: str, day: int) -> Page:
    page = show_our_times(visit, path, day)
    page.locator(".times li button").first.click()
    expect(page.locator("h1")).to_have_text("Your details")
    return page


def show_our_times(visit: Visit, path: str, day: int) -> Page:
    visit.go(f"{path}?zone=Europe/Berlin")
    choose_day(visit.page, day)
    return visit.page


def choose_day(page: Page, day: int) -> None:
    caption = page.locator(".month caption")
    shown = caption.inner_text()
    page.locator("#later").click()
    expect(caption).not_to_have_text(shown)
    link = page.locator(".month td a").nth(day)
    name = link.get_attribute("aria-label") or ""
    link.click()
    expect(page.locator(".times-day")).to_have_text(name.split(",")[0])


def choose_in_its_frame(visit: Visit, path: str, day: int) -> FrameLocator:
    return choose_in_frame(open_shell(visit, path), day)


def choose_at_cals(visit: Visit, path: str, day: int) -> Page:
    visit.go(path)
    page = visit.page
    page.get_by_role("link", name="Choose a time on Cal.com").click()
    show_later_month(page)
    page.locator(".days a").nth(day).click()
    page.locator(".times a").first.click()
    return page


@dataclass(frozen=True)
class Way:
    """A booker, and the window that it is tried in."""

    booker: str
    choose: Callable[[Visit, str, int], Form]
    size: tuple[int, int]
    js: bool = True

    def __str__(self) -> str:
        return self.booker


NATIVE = Way("native", choose_on_ours, DESKTOP)
EMBED = Way("embed", choose_in_its_frame, PHONE)
LINK = Way("link", choose_at_cals, PHONE, js=False)


def links(site: Site, address: str, number: int, about: str) -> list[str]:
    """To see, move and cancel, of the mail of this number to somebody, once it is there."""
    mails = until(lambda: found if len(found := mails_to(site, address)) >= number else None)
    assert len(mails) == number
    assert mails[-1]["Subject"].startswith(f"{about}: ")
    return re.findall(r"http\S+?(/bookings/\S+)", mails[-1].get_body(("plain",)).get_content())


def accept(host: Visit, address: str) -> None:
    """At the sandbox, as the host does it at Cal.com."""
    page = host.page
    page.goto(f"http://127.0.0.1:{host.site.port + 1}/host")
    page.locator("article", has_text=address).get_by_role("button", name="Accept").click()
    expect(page.locator(".said")).to_have_text("The booking is accepted.")


@pytest.mark.parametrize("way", [NATIVE, EMBED, LINK], ids=str)
def test_from_the_request_to_the_cancellation(open_window: Open, site: Site, make_service: Make, way: Way) -> None:
    address = f"{way}.journey@acme.example"
    visit, host = open_window(way.size, js=way.js), open_window()
    page, heading = visit.page, visit.page.locator("h1")
    path = make_service(booker=way.booker, needs_approval=True)
    fill_in(way.choose(visit, path, 1), address, "Ask for this time")
    done = ""
    if way is LINK:
        expect(heading).to_have_text("Your booking awaits the host")  # at Cal.com: our mail leads back
    else:
        expect(heading).to_have_text("We have your request")
        expect(page.locator(".lead")).to_contain_text("It is not confirmed yet")
        done = visit.path
        visit.check()
    see, _, _ = links(site, address, 1, "Requested")
    visit.go(see)
    expect(heading).to_have_text("Your request waits for our answer")
    visit.check()

    accept(host, address)
    see, move, _ = links(site, address, 2, "Confirmed")
    if done:
        visit.go(done)
        expect(heading).to_have_text("You are booked")
    visit.go(see)
    expect(heading).to_have_text("Your booking is confirmed")
    before = page.locator(".receipt dd").nth(1).inner_text()

    visit.go(move)
    choose_day(page, 2)
    page.locator(".times li button").first.click()
    expect(heading).to_have_text("Move it to this time?")
    expect(page.locator("form.fields")).to_contain_text("The new time is a new request")
    then = page.locator(".receipt dd").nth(2).inner_text()
    assert then != before
    visit.check()
    page.get_by_role("button", name="Ask for the new time").click()
    expect(heading).to_have_text("Your request waits for our answer")
    expect(page.locator(".receipt dd").nth(1)).to_have_text(then)
    links(site, address, 3, "Requested")
    accept(host, address)
    see, _, cancel = links(site, address, 4, "Confirmed at a new time")
    visit.go(see)
    expect(heading).to_have_text("Your booking is moved")
    expect(page.locator(".receipt dd").nth(1)).to_have_text(then)

    visit.go(cancel)
    expect(heading).to_have_text("Cancel this booking?")
    page.get_by_role("button", name="Cancel the booking").click()
    expect(heading).to_have_text("This booking is cancelled")
    visit.check()
    if done:
        visit.go(done)
        expect(heading).to_have_text("This booking is cancelled")
    assert len(mails_to(site, address)) == 4


@pytest.mark.parametrize("way", [EMBED, LINK], ids=str)
def test_at_cal_com_a_taken_time_is_met_with_others(
    open_window: Open, site: Site, make_service: Make, somebody_else_books: Callable[[str], None], way: Way
) -> None:
    """It says so on its own page. In the frame, ours stays around it as it was, with the other way in sight."""
    address = f"{way}.late@acme.example"
    visit = open_window(way.size, js=way.js)
    page = visit.page
    path = make_service(booker=way.booker)
    form = way.choose(visit, path, 4)
    somebody_else_books(form.locator("[name=slot]").get_attribute("value") or "")
    fill_in(form, address, "Confirm")
    expect(form.locator(".summary")).to_contain_text("no longer free")
    if way is EMBED:
        expect(page.locator("h1")).to_have_text("Choose a time")
        expect(page.locator("#way-out")).to_be_visible()
        visit.check()
    form.get_by_role("link", name="Choose another time").click()
    take_last_time(form)
    fill_in(form, address, "Confirm")
    if way is EMBED:
        expect(page.locator("h1")).to_have_text("You are booked")
    links(site, address, 1, "Confirmed")


def test_a_listed_time_that_is_taken_leads_to_others_of_ours(
    open_window: Open, site: Site, somebody_else_books: Callable[[str], None]
) -> None:
    """The page with the frame lists times that were free some minutes ago."""
    until(lambda: 'class="embed-times"' in requests.get(f"http://127.0.0.1:{site.port}{FREE}", timeout=5).text)
    visit = open_window(PHONE, js=False)
    page = open_shell(visit)
    listed = page.locator(".embed-times li").nth(2)
    somebody_else_books(listed.locator("time").get_attribute("datetime") or "")
    listed.get_by_role("link").click()
    expect(page.locator("#error-summary")).to_contain_text("That time is no longer free")
    visit.check()
    page.locator("[name=start]").first.check()
    fill_in(page, "listed@acme.example", "Book this time")
    expect(page.locator("h1")).to_have_text("You are booked")
    links(site, "listed@acme.example", 1, "Confirmed")


def test_what_was_typed_is_kept_while_cal_com_is_silent_and_booked_afterwards(
    open_window: Open, site: Site, make_service: Make
) -> None:
    """The call that should hold the time gets no answer, too: Cal.com does it later, and nobody else may have it."""
    path, other = make_service(booker="native"), make_service(booker="native")
    late, visit = open_window(PHONE, js=False), open_window(PHONE)
    page = show_our_times(visit, path, 7)
    with silent_cal_com(site):
        late.go(other)
        expect(late.page.locator("h1")).to_have_text("Our calendar does not answer")
        expect(late.page.get_by_role("link", name="Choose a time on Cal.com")).to_be_visible()
        late.check()
        page.locator(".times li button").first.click()
        expect(page.locator("h1")).to_have_text("Your details", timeout=SLOW)
        fill_in(page, "silent@acme.example", "Book this time")
        expect(page.locator("#error-summary")).to_contain_text("Nothing is booked yet", timeout=SLOW)
        visit.expect_focus("error-summary")
        visit.check()
    expect(page.get_by_label("Your name")).to_have_value("Priya Natarajan")
    page.get_by_role("button", name="Book this time").click()
    expect(page.locator("h1")).to_have_text("You are booked", timeout=SLOW)
    links(site, "silent@acme.example", 1, "Confirmed")
    late.page.reload()
    expect(late.page.locator("h1")).to_have_text("Choose a time")
    visit.complaints[:] = [said for said in visit.complaints if "status of 503" not in said]


def test_a_frame_that_stays_empty_ends_at_a_way_to_write_and_later_at_our_own_times(
    open_window: Open, site: Site, make_service: Make
) -> None:
    visit = open_window(PHONE)
    page = visit.page
    page.clock.install()
    open_shell(visit, make_service(booker="embed"))
    with silent_cal_com(site):
        page.locator("#show-calendar").click()
        expect(page.locator("#embed[aria-busy=true]")).to_be_visible()
        page.clock.fast_forward(SLOW)
        expect(page.locator("#embed-trouble")).to_contain_text("Nothing was booked yet")
        visit.check()
        page.get_by_role("link", name="Choose a time on our own page").click()
        expect(page.locator("h1")).to_have_text("Our calendar does not answer", timeout=SLOW)
        expect(page.locator(".elsewhere a[href^='mailto:']")).to_be_visible()
        visit.check()
    page.reload()
    choose_day(page, 8)
    page.locator(".times li button").first.click()
    fill_in(page, "empty@acme.example", "Book this time")
    expect(page.locator("h1")).to_have_text("You are booked")


@pytest.fixture
def lost_webhooks(site: Site) -> Iterator[None]:
    def post(manner: str) -> None:
        assert requests.post(f"http://127.0.0.1:{site.port + 1}/host/post", data={"post": manner}, timeout=5).ok

    post("lost")
    yield
    post("works")


@pytest.mark.usefixtures("lost_webhooks")
def test_who_comes_back_from_the_frame_waits_for_cal_com_to_speak(
    open_window: Open, site: Site, make_service: Make
) -> None:
    """Booked, and then neither a webhook comes nor does the API answer."""
    visit = open_window(PHONE)
    page = visit.page
    form = choose_in_its_frame(visit, make_service(booker="embed"), 10)
    fill_in(form, "waits@acme.example", "Confirm")
    expect(page.locator("h1")).to_have_text("Almost there")
    visit.check()
    with silent_cal_com(site):
        visit.go(f"{visit.path.partition('?')[0]}?look=19")  # the last time that it asks by itself
        expect(page.locator(".lead")).to_contain_text("We have not heard of your booking yet", timeout=SLOW)
        expect(page.locator("h1")).to_have_text("Almost there")
        visit.check()
    visit.go(f"{visit.path.partition('?')[0]}?look=5")  # the time before, when it asks as well
    expect(page.locator("h1")).to_have_text("You are booked", timeout=SLOW)
    visit.check()


def test_the_link_and_the_address_stay_while_cal_com_is_silent(
    open_window: Open, site: Site, make_service: Make
) -> None:
    """Our page asks Cal.com nothing. Who goes there waits in their browser, and can write to us instead."""
    visit = open_window(PHONE, js=False)
    page = visit.page
    path = make_service(booker="link")
    way = page.get_by_role("link", name="Choose a time on Cal.com")
    with silent_cal_com(site):
        visit.go(path)
        expect(page.locator(".elsewhere")).to_contain_text("Or write to")
        visit.check()
        way.click(no_wait_after=True)
    expect(page.locator("h1")).to_have_text("Made", timeout=SLOW)
    show_later_month(page)
    page.locator(".days a").nth(11).click()
    page.locator(".times a").first.click()
    fill_in(page, "patient@acme.example", "Confirm")
    links(site, "patient@acme.example", 1, "Confirmed")


def test_the_tests_that_are_named_above_are_there() -> None:
    named = re.findall(r"(?:(test_\w+)\.)?\b(test_\w+)\b(?!\.)", __doc__ or "")
    assert len(named) > 12
    for module, name in named:
        found = import_module(f"tests.browser.{module}") if module else import_module(__name__)
        assert callable(getattr(found, name, None)), name
