"""What fits me? The catalogue asks, whatever is sold; the answers put its services in an order, with reasons."""

from typing import Any

from flask import Flask

from hds.services.fit import matches, questions
from hds.services.models import Service
from tests.factories import ServiceFactory


def two() -> list[Service]:
    return [
        ServiceFactory(slug="talk", audience="Owners.", duration_minutes=30),
        ServiceFactory(slug="dive", audience="CTOs.", duration_minutes=60, price_amount=15000, price_currency="USD"),
    ]


def best(services: list[Service], **asked: str) -> Any:
    return matches(services, questions(services, asked))[0]


def test_it_is_asked_in_what_services_differ(app: Flask) -> None:
    found = {question.key: [option.label for option in question.options] for question in questions(two(), {})}
    assert found == {
        "who": ["Owners", "CTOs"],
        "cost": ["Nothing", "Up to $150"],
        "minutes": ["30 minutes", "60 minutes"],
    }


def test_nothing_is_asked_where_there_is_nothing_to_choose(app: Flask) -> None:
    assert questions([], {}) == []
    assert questions([ServiceFactory()], {}) == []
    assert questions([ServiceFactory(), ServiceFactory()], {}) == []


def test_prices_in_several_currencies_are_not_put_in_an_order(app: Flask) -> None:
    services = [
        ServiceFactory(price_amount=15000, price_currency="USD"),
        ServiceFactory(price_amount=15000, price_currency="JPY"),
    ]
    assert "cost" not in {question.key for question in questions(services, {})}


def test_without_an_answer_nothing_is_recommended(app: Flask) -> None:
    services = two()
    assert matches(services, questions(services, {})) == []
    assert matches(services, questions(services, {"cost": "77", "who": "nobody", "minutes": "x"})) == []


def test_what_breaks_no_limit_comes_first(app: Flask) -> None:
    services = two()
    assert best(services, who="dive").service.slug == "dive"
    assert best(services, cost="0").service.slug == "talk"
    assert best(services, minutes="30").service.slug == "talk"
    assert best(services, who="dive", cost="15000", minutes="60").service.slug == "dive"


def test_reasons_for_and_against_are_said(app: Flask) -> None:
    match = best(two(), who="dive", cost="0", minutes="60")
    assert (match.service.slug, match.fits) == ("talk", False)
    assert match.pro == ["It costs nothing.", "It takes 30 minutes."]
    assert match.con == ["It is for owners."]


def test_equals_stand_in_the_owners_order(app: Flask) -> None:
    services = two()
    assert [match.service.slug for match in matches(services, questions(services, {"cost": "15000"}))] == [
        "talk",
        "dive",
    ]


def test_words_in_capitals_stay_so(app: Flask) -> None:
    assert best(two(), who="dive").pro == ["It is for CTOs."]
