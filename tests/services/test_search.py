"""How the questions are searched."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from hds.services.models import FaqEntry
from hds.services.search import MEANINGS, SMALL, search
from hds.services.seed import QUESTIONS

SEEDED = [FaqEntry(**values) for values in QUESTIONS]
SILENT_ON_REFUNDS = [entry for entry in SEEDED if entry.slug != "refund"]


def entry(question: str, answer: str = "Yes.", topic: str = "Booking") -> FaqEntry:
    return FaqEntry(slug="x", topic=topic, question=question, answer=answer)


def slugs(text: str, entries: Sequence[FaqEntry] = SEEDED) -> list[str]:
    return [found.slug for found in search(entries, text).entries]


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("cookies", "no-banner"),
        ("COOKIE", "no-banner"),
        ("confirmations", "no-mail"),  # another form
        ("paying", "payment"),
        ("resch", "reschedule"),  # as one types
        ("java", "without-javascript"),
        ("postpone", "reschedule"),  # another word
        ("move my call", "reschedule"),
        ("how much is it?", "really-free"),
        ("how do I pay", "payment"),
        ("e-mail", "account"),
        ("email address", "account"),
        ("timezone", "time-zone"),
        ("What’s in the spam folder", "no-mail"),
        ("refund", "refund"),
        ("can I get a refund?", "refund"),
        ("money back", "refund"),
    ],
)
def test_a_search_finds(text: str, slug: str) -> None:
    assert slug in slugs(text)
    assert search(SEEDED, text).instead == ""


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("reshedule", "reschedule"),
        ("kookies", "cookies"),
        ("acount", "account"),
        ("confrimation mail", "confirmation mail"),
        ("refnud", "refund"),
    ],
)
def test_a_misspelt_word_is_read_as_the_one_it_is_like(text: str, instead: str) -> None:
    results = search(SEEDED, text)
    assert results.instead == instead
    assert results.entries == search(SEEDED, instead).entries != []


@pytest.mark.parametrize("text", ["zebra", "is there parking", "not zebra", "x" * 100, "%"])
def test_what_nobody_asked_is_not_found(text: str) -> None:
    assert slugs(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cookies zebra", ["no-banner"]),
        ("wheelchair cookie", ["no-banner"]),
        ("refund", ["reschedule", "payment"]),
        ("money back", ["reschedule", "payment"]),
        ("can I get a refund?", ["reschedule", "payment"]),
        ("refnud", ["reschedule", "payment"]),
    ],
)
def test_where_nothing_speaks_of_all_of_it_what_comes_near_is_found(text: str, found: list[str]) -> None:
    assert slugs(text, SILENT_ON_REFUNDS) == found
    assert search(SILENT_ON_REFUNDS, text).are_near


def test_what_speaks_of_more_of_it_comes_first() -> None:
    one, both = entry("Is it long?", "No."), entry("Is it long?", "It has zebras.")
    assert search([one, both], "long zebra parking").entries == [both, one]


def test_what_is_near_stands_back_where_it_is_answered() -> None:
    refund, pay = entry("Do I get a refund?"), entry("How do I pay?")
    assert search([refund, pay], "refund").entries == [refund]
    assert not search([refund, pay], "refund").are_near


def test_everything_that_is_asked_for_must_be_there() -> None:
    price = entry("Is it really FREE?", "It costs nothing.")
    long = entry("Is it long?", "No.")
    assert search([price, long], "free nothing").entries == [price]
    assert search([price, long], "free long").are_near
    assert search([price, long], "  ").entries == [price, long]


def test_two_words_that_mean_one_thing_are_found_by_it() -> None:
    back = entry("Do I get my money back?")
    money = entry("What does it do with my money?", "It goes back and forth.")
    assert search([back, money], "refund").entries == [back]
    assert search([entry("May I ask for a refund?")], "money back").entries != []


def test_signs_without_letters_are_looked_for_as_they_are() -> None:
    percent, everything = entry("How much?", "100 % of it."), entry("How much?", "All of it.")
    assert search([percent, everything], "%").entries == [percent]
    assert search([percent, everything], "100 %").entries == [percent]
    assert search([percent, everything], "_").entries == []


def test_accents_and_capitals_do_not_matter() -> None:
    zoe = entry("Who is ZOË?")
    assert [search([zoe], text).entries for text in ("zoe", "zoë", "Zoe\u0308")] == [[zoe]] * 3


def test_a_search_of_small_words_alone_takes_them_seriously() -> None:
    assert search([entry("Why us?"), entry("Is it long?")], "why").entries != []


def test_each_phrase_means_one_thing() -> None:
    phrases = [phrase for line in MEANINGS for phrase in line]
    assert len(phrases) == len(set(phrases))
    assert not SMALL & set(phrases)


def test_threads_do_not_mix_their_words() -> None:
    texts = [f"{word} number{n}" for n in range(100) for word in ("rescheduling", "payments", "confirmations")]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(slugs, texts))
    assert found == [slugs(text) for text in texts]
    assert slugs("payments") == ["payment"]
