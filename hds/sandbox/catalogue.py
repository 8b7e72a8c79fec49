"""What can be booked: three event types of one host, and those that somebody made over the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .settings import Settings

OWNER_ID = 2201
SCHEDULE_ID = 601
MINIMUM_NOTICE_MINUTES = 120
WINDOW_DAYS = 60
SLOT_GRID_MINUTES = 30

VIDEO = "integrations:daily"


@dataclass(frozen=True)
class Question:
    """What the host asks beside the default fields: on the sandbox's own page a text area, and optional.

    A hidden one is asked of nobody: a link or a frame brings its value along.
    """

    slug: str
    label: str
    placeholder: str = ""
    is_hidden: bool = False


# The site's own words, as an owner sets them up at Cal.com: they come back where metadata get lost.
CARRIED = tuple(Question(slug, slug, is_hidden=True) for slug in ("hds-reference", "hds-visit"))


DEFAULT_SLUGS = {"name", "email", "title", "location", "notes", "guests", "rescheduleReason"}


@dataclass(frozen=True)
class EventType:
    id: int
    slug: str
    title: str
    description: str
    minutes: int
    price: int = 0  # in the currency's smallest unit
    currency: str = "usd"
    requires_confirmation: bool = False
    takes_phone: bool = False
    questions: tuple[Question, ...] = field(default=())
    # Of those made over the API, in the API's own words.
    stated_locations: tuple[dict[str, Any], ...] = ()
    fields: tuple[dict[str, Any], ...] = ()
    lengths: tuple[int, ...] = ()  # more than one where the booker chooses
    window: dict[str, Any] | None = None
    needs_proof: bool = False  # of the booker's e-mail address
    takes_guests: bool = True
    seats: int | None = None  # at one time, each booked by somebody of their own
    shows_seats: bool = False

    @property
    def is_paid(self) -> bool:
        return self.price > 0

    @property
    def locations(self) -> list[dict[str, Any]]:
        video = {"type": "integration", "integration": "cal-video"}
        return list(self.stated_locations) or [video, *([{"type": "attendeePhone"}] if self.takes_phone else [])]

    @property
    def asked(self) -> list[Question]:
        """Every question of its own."""
        stated = [
            Question(own["slug"], own.get("label") or own["slug"], is_hidden=bool(own.get("hidden")))
            for own in self.fields
        ]
        return [*self.questions, *(own for own in stated if own.slug not in DEFAULT_SLUGS)]

    def lasts(self, minutes: int) -> bool:
        return minutes in (self.lengths or (self.minutes,))

    @property
    def price_text(self) -> str:
        return f"{self.price / 100:.2f} {self.currency.upper()}" if self.is_paid else "Free"


def event_types(settings: Settings) -> list[EventType]:
    return [
        EventType(
            id=settings.free_event_id,
            slug="strategy-consultation",
            title="Free Strategy Consultation",
            description="Half an hour on where you stand online and what would help first.",
            minutes=30,
            takes_phone=True,
            questions=(
                Question(
                    "topic",
                    "What would you like to talk about?",
                    "A sentence is enough",
                ),
                *CARRIED,
            ),
        ),
        EventType(
            id=settings.deep_dive_event_id,
            slug="deep-dive",
            title="Deep Dive Technical Consultation",
            description="An hour on your systems, your architecture and the road ahead.",
            minutes=60,
            price=15000,
            requires_confirmation=True,
            questions=CARRIED,
        ),
        EventType(
            id=settings.intro_event_id,
            slug="intro-call",
            title="Intro Call",
            description="A quarter of an hour to see whether we fit. We confirm each request by hand.",
            minutes=15,
            requires_confirmation=True,
            questions=CARRIED,
        ),
    ]
