"""What fits me? A few questions that the catalogue itself asks, and the services in the order in which they answer.

Nothing here knows what is sold: where services differ in whom they are for, in price or in length, there is a question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hds.lib.money import say_money
from hds.services.models import Service

WHO, COST, MINUTES = "who", "cost", "minutes"


@dataclass(frozen=True)
class Option:
    value: str
    label: str


@dataclass(frozen=True)
class Question:
    """`key` is its name in the address. `answer`: the value of the chosen option, empty for none."""

    key: str
    words: str
    options: tuple[Option, ...]
    answer: str = ""


@dataclass
class Match:
    """A service, with what speaks for it and what against it: whole sentences, for who asked."""

    service: Service
    pro: list[str] = field(default_factory=list)
    con: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return not self.con


def questions(services: Sequence[Service], asked: Mapping[str, str]) -> list[Question]:
    """Those in which these services differ, with the answers that the address holds. An unknown answer is none."""
    found = []
    for key, words, options in (_who(services), _cost(services), _minutes(services)):
        if len(options) > 1:
            answer = asked.get(key, "")
            is_known = any(option.value == answer for option in options)
            found.append(Question(key, words, options, answer if is_known else ""))
    return found


def matches(services: Sequence[Service], asked: Sequence[Question]) -> list[Match]:
    """Best first: least against it, then most for it, then the owner's order. None where nothing was answered."""
    answers = {question.key: question.answer for question in asked if question.answer}
    if not answers:
        return []
    found = [_match(service, services, answers) for service in services]
    return sorted(found, key=lambda match: (len(match.con), -len(match.pro)))


def _match(service: Service, services: Sequence[Service], answers: Mapping[str, str]) -> Match:
    match = Match(service)
    if WHO in answers and service.audience:
        chosen = next(other.audience for other in services if other.slug == answers[WHO])
        _say(match, f"It is for {_lower(service.audience)}", is_pro=service.audience == chosen)
    if COST in answers:
        price = say_money(service.price_amount, service.price_currency)
        words = "It costs nothing." if service.is_free else f"It costs {price}."
        _say(match, words, is_pro=(service.price_amount or 0) <= int(answers[COST]))
    if MINUTES in answers:
        _say(
            match,
            f"It takes {service.duration_minutes} minutes.",
            is_pro=service.duration_minutes <= int(answers[MINUTES]),
        )
    return match


def _say(match: Match, words: str, *, is_pro: bool) -> None:
    (match.pro if is_pro else match.con).append(words)


def _who(services: Sequence[Service]) -> tuple[str, str, tuple[Option, ...]]:
    audiences: dict[str, str] = {}
    for service in services:
        if service.audience:
            audiences.setdefault(service.audience, service.slug)
    return (
        WHO,
        "Which comes closest to you?",
        tuple(Option(slug, words.rstrip(".")) for words, slug in audiences.items()),
    )


def _cost(services: Sequence[Service]) -> tuple[str, str, tuple[Option, ...]]:
    """Prices in several currencies cannot be put in an order: then it is not asked."""
    priced = {service.price_amount or 0: service.price_currency for service in services}
    currencies = {service.price_currency for service in services if not service.is_free}
    amounts = sorted(priced) if len(currencies) == 1 else []
    return (
        COST,
        "What may it cost?",
        tuple(
            Option(str(amount), f"Up to {say_money(amount, priced[amount])}" if amount else "Nothing")
            for amount in amounts
        ),
    )


def _minutes(services: Sequence[Service]) -> tuple[str, str, tuple[Option, ...]]:
    lengths = sorted({service.duration_minutes for service in services})
    return MINUTES, "How long have you got?", tuple(Option(str(length), f"{length} minutes") for length in lengths)


def _lower(words: str) -> str:
    """For the middle of a sentence; CTOs and other words in capitals stay as they are."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]
