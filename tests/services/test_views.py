"""The catalogue's pages."""

import pytest
from flask.testing import FlaskClient

from hds.bookings.free_times import FreeTime
from hds.extensions import db
from hds.services.models import Service
from tests.factories import ServiceFactory, in_days

PIECE = {"HX-Request": "true", "HX-Request-Type": "partial"}


def test_all_services_stand_beside_each_other_with_the_same_facts(client: FlaskClient) -> None:
    ServiceFactory(name="A talk", slug="talk")
    ServiceFactory(name="A dive", slug="dive", price_amount=15000, price_currency="USD", needs_approval=True)
    page = client.get("/services").text
    assert page.count('scope="row"') == 2
    assert "Free" in page
    assert "$150" in page
    assert "At once" in page
    assert "By us, after your request" in page
    assert 'href="/book-consultation/talk"' in page
    assert 'href="/services/dive"' in page


def test_an_empty_catalogue_offers_a_way_to_write(client: FlaskClient) -> None:
    page = client.get("/services").text
    assert "Nothing can be booked right now" in page
    assert "mailto:owner@hudson.example" in page


def test_its_page_says_what_came_from_its_event_type(client: FlaskClient) -> None:
    more = {"duration_options": [30, 45, 60], "seats": 8, "can_cancel": False, "questions": ["Which <b>site</b>?"]}
    ServiceFactory(slug="talk", **more)
    page = client.get("/services/talk").text
    assert "30, 45 or 60 minutes" in page
    assert "Up to 7 others" in page
    assert "It cannot be cancelled once it is booked" in page
    assert "<li>Which &lt;b&gt;site&lt;/b&gt;?</li>" in page
    ServiceFactory(slug="plain")
    page = client.get("/services/plain").text
    assert "30 minutes" in page
    assert not [words for words in ("Together with", "once it is booked", "We will ask you") if words in page]


@pytest.mark.parametrize(
    ("awaits", "words"), [(True, "before we have answered. If we decline it"), (False, "If it is")]
)
def test_who_pays_is_told_whom_to_ask_for_the_money(client: FlaskClient, awaits: bool, words: str) -> None:
    told = {"price": [15000, "USD"]}
    ServiceFactory(slug="dive", price_amount=15000, price_currency="USD", needs_approval=awaits, told=told)
    page = client.get("/services/dive").text
    assert f"You pay when you book{', ' if awaits else '. '}{words}" in page
    assert ("decline" in page) == awaits
    assert 'href="/faq?q=refund"' in page


def test_who_pays_nothing_as_they_book_reads_of_no_payment(client: FlaskClient) -> None:
    ServiceFactory(slug="talk")
    ServiceFactory(slug="billed", price_amount=15000, price_currency="USD")  # Cal.com takes nothing for it
    for slug in ("talk", "billed"):
        assert "You pay" not in client.get(f"/services/{slug}").text


@pytest.mark.parametrize(
    ("can_move", "can_cancel", "words"),
    [(True, True, ""), (False, True, "cannot be moved"), (False, False, "neither moved nor cancelled")],
)
def test_what_cannot_be_done_once_it_is_booked_is_said(can_move: bool, can_cancel: bool, words: str) -> None:
    said = Service(can_move=can_move, can_cancel=can_cancel).kept_once_booked
    assert words in said
    assert bool(words) == bool(said)


def test_a_service_has_a_page_of_its_own(client: FlaskClient) -> None:
    ServiceFactory(slug="talk", name="A talk", description="First.\n\nSecond.", benefits=["<b>bold</b>"])
    ServiceFactory(slug="dive", name="A dive")
    page = client.get("/services/talk").text
    assert "<title>A talk · " in page
    assert "<p>First.</p>" in page
    assert "<p>Second.</p>" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert 'href="/services/dive"' in page


def test_a_service_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    ServiceFactory(slug="old", active=False)
    assert client.get("/services/old").status_code == 404
    assert client.get("/services/never").status_code == 404


def test_a_choice_of_services_is_compared_and_the_others_stay_in_reach(client: FlaskClient) -> None:
    for slug in ("talk", "dive", "day"):
        ServiceFactory(slug=slug, name=f"A {slug}")
    page = client.get("/services?compare=day&compare=talk&compare=nothing").text
    assert page.count('scope="row"') == 2
    assert 'id="compare-talk" name="compare" value="talk" checked' in page
    assert 'value="dive">' in page
    assert "And the other one" in page
    assert '<a class="choice" href="/services/dive">' in page


def test_htmx_gets_the_comparison_alone_and_says_it(client: FlaskClient) -> None:
    ServiceFactory(slug="talk", name="A talk")
    ServiceFactory(slug="dive", name="A dive")
    answer = client.get("/services?compare=talk", headers=PIECE)
    assert answer.text.lstrip().startswith('<div id="comparison">')
    assert "Shown: A talk" in answer.text
    assert "HX-Request-Type" in answer.headers["Vary"]


def test_no_more_stand_side_by_side_than_can_be_read(client: FlaskClient) -> None:
    for number in range(6):
        ServiceFactory(slug=f"s{number}")
    page = client.get("/services").text
    assert page.count('scope="row"') == 3
    assert page.count('<a class="choice"') == 3
    assert "up to 3" in page
    assert "With none of them ticked you see the first 3." in page
    answer = client.get("/services", query_string=[("compare", f"s{number}") for number in range(4)], headers=PIECE)
    assert "No more than 3 stand side by side" in answer.text


def test_two_are_compared_without_choosing_them(client: FlaskClient) -> None:
    ServiceFactory(slug="talk")
    ServiceFactory(slug="dive")
    page = client.get("/services").text
    assert page.count('scope="row"') == 2
    assert 'name="compare"' not in page


def test_a_single_service_needs_no_comparing(client: FlaskClient) -> None:
    ServiceFactory(slug="talk")
    page = client.get("/services").text
    assert 'name="compare"' not in page
    assert "/services/fit" not in page
    assert 'href="/book-consultation/talk"' in page


def test_a_slash_at_the_end_is_no_other_page(client: FlaskClient) -> None:
    for path in ("/services/", "/faq/"):
        assert client.get(path, follow_redirects=True).status_code == 200


def test_what_fits_is_asked_and_answered_by_address(client: FlaskClient) -> None:
    ServiceFactory(slug="talk", name="A talk", duration_minutes=30)
    ServiceFactory(slug="dive", name="A dive", duration_minutes=60)
    assert "No answers yet" in client.get("/services/fit").text
    page = client.get("/services/fit?minutes=30").text
    assert '<h2 id="fits-best">A talk</h2>' in page
    assert 'id="minutes-30" name="minutes" value="30" checked' in page
    assert 'href="/services?compare=talk&amp;compare=dive"' in page
    answer = client.get("/services/fit?minutes=30", headers=PIECE)
    assert answer.text.lstrip().startswith('<section id="fits"')
    assert "A talk fits" in answer.text


def test_what_fits_stands_with_nothing_to_ask(client: FlaskClient) -> None:
    assert "Nothing can be booked right now" in client.get("/services/fit").text
    ServiceFactory()
    assert "not much to choose between" in client.get("/services/fit").text


def test_a_service_shows_its_next_free_times(client: FlaskClient) -> None:
    service = ServiceFactory(slug="talk")
    assert "Next free times" not in client.get("/services/talk").text
    FreeTime.keep({service.id: [in_days(day) for day in range(1, 8)]})
    db.session.commit()
    page = client.get("/services/talk").text
    assert page.count('<a href="/book-consultation/talk/details?start=') == 4
    assert "zone=America/New_York" in page
    assert "Times in <span>New York</span>" in page
