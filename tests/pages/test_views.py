"""The first page, the questions, and what every public page keeps to."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hds.bookings.free_times import FreeTime
from hds.extensions import db
from tests.factories import FaqEntryFactory, ServiceFactory, in_days

PIECE = {"HX-Request": "true", "HX-Request-Type": "partial"}


def test_the_first_page_leads_to_the_featured_consultation(client: FlaskClient) -> None:
    ServiceFactory(slug="dive", price_amount=15000, price_currency="USD")
    ServiceFactory(slug="talk", featured=True)
    page = client.get("/").text
    assert 'href="/book-consultation/talk">Book the free consultation' in page


def test_the_first_page_promises_free_only_where_it_is(client: FlaskClient) -> None:
    ServiceFactory(slug="dive", name="A dive", featured=True, price_amount=15000, price_currency="USD")
    page = client.get("/").text
    assert "Book the free consultation" not in page
    assert "at no cost" not in page
    assert "Book A dive" in page


def test_the_first_page_stands_with_nothing_to_book(client: FlaskClient) -> None:
    page = client.get("/").text
    assert 'href="/book-consultation">Book a consultation' in page


def test_the_first_page_shows_the_first_four_questions(client: FlaskClient) -> None:
    for number in range(6):
        FaqEntryFactory(question=f"Question {number}?", position=number)
    page = client.get("/").text
    assert "Question 3?" in page
    assert "Question 4?" not in page


def test_questions_stand_by_topic_each_with_an_address(client: FlaskClient) -> None:
    FaqEntryFactory(slug="free", topic="Money", position=1)
    FaqEntryFactory(slug="where", topic="Place", position=2)
    FaqEntryFactory(slug="card", topic="Money", position=3)
    page = client.get("/faq").text
    assert page.index('id="free"') < page.index('id="card"') < page.index('id="where"')
    assert page.count(">Money<") == 1


def test_a_search_works_as_a_plain_form(client: FlaskClient) -> None:
    FaqEntryFactory(question="Is it free?", answer="Yes.")
    FaqEntryFactory(question="Is it long?", answer="No.")
    page = client.get("/faq?q=free").text
    assert "Is it free?" in page
    assert "Is it long?" not in page
    assert 'value="free"' in page
    assert "<title>Questions about “free” · " in page


def test_htmx_gets_the_answers_alone_and_says_how_many(client: FlaskClient) -> None:
    FaqEntryFactory(question="Is it free?")
    answer = client.get("/faq?q=free", headers=PIECE)
    assert answer.text.lstrip().startswith('<div id="answers">')
    assert "1 question found" in answer.text
    assert "HX-Request-Type" in answer.headers["Vary"]
    assert "HX-Request-Type" in client.get("/faq?q=free").headers["Vary"]
    assert "hx-partial" not in client.get("/faq?q=free").text


def test_a_search_without_result_leads_back(client: FlaskClient) -> None:
    FaqEntryFactory()
    page = client.get("/faq?q=<zebra>").text
    assert "No question here speaks of “&lt;zebra&gt;”" in page
    assert 'href="/faq">see all questions' in page
    assert 'href="mailto:owner@hudson.example?subject=%3Czebra%3E"' in page
    assert 'value="&lt;zebra&gt;"' in page


def test_a_misspelt_search_says_what_it_found_instead(client: FlaskClient) -> None:
    FaqEntryFactory(slug="move", question="What if I need to reschedule?", answer="Move it.")
    page, piece = client.get("/faq?q=reshedule"), client.get("/faq?q=reshedule", headers=PIECE)
    for answer in (page, piece):
        assert "No question here speaks of “reshedule”. 1 question found for “reschedule”." in answer.text
        assert 'href="/faq/move"' in answer.text
    assert 'value="reshedule"' in page.text
    assert "1 question found for “reschedule”</hx-partial>" in piece.text


def test_a_search_that_finds_only_what_comes_near_says_so(client: FlaskClient) -> None:
    FaqEntryFactory(slug="pay", question="How do I pay?", answer="By card.")
    FaqEntryFactory(slug="move", question="May I cancel?", answer="Yes.")
    page, piece = client.get("/faq?q=refund"), client.get("/faq?q=refund", headers=PIECE)
    for answer in (page, piece):
        assert "No question here speaks of “refund”. 2 questions come near it." in answer.text
        assert 'href="/faq/pay"' in answer.text
    assert '<hx-partial hx-target="#status" hx-swap="innerHTML">2 questions come near</hx-partial>' in piece.text


def test_a_very_long_search_is_cut(client: FlaskClient) -> None:
    assert client.get("/faq?q=" + "x" * 5000).text.count("x" * 101) == 0


@pytest.mark.parametrize(
    "path", ["/", "/services", "/services/talk", "/services/fit", "/faq", "/faq/free", "/privacy", "/nowhere"]
)
def test_a_public_page_sets_no_cookie_and_prints_no_token(client: FlaskClient, path: str) -> None:
    ServiceFactory(slug="talk")
    FaqEntryFactory(slug="free")
    answer = client.get(path)
    assert "Set-Cookie" not in answer.headers
    assert "csrf" not in answer.text.lower()


def test_the_first_page_links_to_the_next_free_times(client: FlaskClient) -> None:
    ServiceFactory(slug="dive")
    talk = ServiceFactory(slug="talk", featured=True)
    FreeTime.keep({talk.id: [in_days(1), in_days(2)]})
    db.session.commit()
    page = client.get("/").text
    assert page.count('<a href="/book-consultation/talk/details?start=') == 2
    assert "Times in <span>New York</span>" in page


def test_a_question_has_a_page_of_its_own_and_leads_to_its_neighbours(client: FlaskClient) -> None:
    FaqEntryFactory(slug="free", topic="Money", question="Is it free?", answer="Yes.")
    FaqEntryFactory(slug="card", topic="Money", question="Do you take cards?")
    FaqEntryFactory(slug="where", topic="Place", question="Where is it?")
    page = client.get("/faq/free").text
    assert "<title>Is it free? · " in page
    assert '<h1 class="asked">Is it free?</h1>' in page
    assert 'href="/faq/card">Do you take cards?' in page
    assert "/faq/where" not in page
    assert 'href="/faq/free">Is it free?' in client.get("/faq").text
    assert client.get("/faq/never").status_code == 404


def test_the_privacy_page_says_the_number_that_the_job_enforces(client: FlaskClient, app: Flask) -> None:
    page = client.get("/privacy").text
    assert f"deleted after {app.config['HDS'].visits_kept_days} days" in page
    assert "mailto:owner@hudson.example" in page
    assert 'href="/privacy">Privacy' in client.get("/").text


def test_an_unknown_address_helps(client: FlaskClient) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "There is no page here" in answer.text
    assert 'href="/services"' in answer.text
    assert 'role="search"' in answer.text
    assert 'href="/book-consultation"' in answer.text
    assert "mailto:owner@hudson.example" in answer.text


def test_an_error_for_htmx_is_a_sentence_in_the_alerts(client: FlaskClient) -> None:
    answer = client.get("/nowhere", headers=PIECE)
    assert answer.headers["HX-Retarget"] == "#alerts"
    assert answer.text.startswith('<p class="alert">')


def test_a_wrong_method_is_said_kindly(client: FlaskClient) -> None:
    answer = client.post("/services", data={})
    assert answer.status_code in {400, 405}
    assert "<h1>" in answer.text


def test_the_owner_is_named_with_an_address_where_one_is_set(client: FlaskClient) -> None:
    page = client.get("/faq").text
    assert "<address>" not in page
    assert "mailto:owner@hudson.example" in page


def test_the_present_page_is_marked_in_the_menu(client: FlaskClient) -> None:
    assert '<a href="/faq" aria-current="page">' in client.get("/faq").text
    ServiceFactory(slug="talk")
    assert '<a href="/services" aria-current="true">' in client.get("/services/talk").text
