"""The steps of a booking as answers: a whole page, or the fragment #booking that htmx swaps in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request

from hds.analytics.models import Failure, FunnelStep
from hds.analytics.visits import track
from hds.bookings.availability import alternatives
from hds.bookings.booker import Booker, without_answer
from hds.bookings.forms import DetailsForm
from hds.bookings.models import Refusal
from hds.bookings.words import fixed_once_taken
from hds.config import settings
from hds.lib.htmx import render_page_or_fragment, wants_fragment
from hds.lib.times import by_twelve, reads_by_twelve
from hds.services.models import FaqEntry, Service

TAKEN_WORDS = "Choose one of these times, please."
NOTHING_NEAR = "Look at the other days, please."
QUESTIONS = 4  # under each step
OK = 200
FAILURES = {Refusal.TAKEN: Failure.TAKEN, Refusal.NO_ANSWER: Failure.NO_ANSWER}


def say_hours_as_read(blueprint: Blueprint) -> None:
    """Its pages write times as the browser's first language does. Those that are kept for everybody have none."""
    blueprint.before_request(_follow_browser)
    blueprint.teardown_request(_as_everybody)


def _follow_browser() -> None:
    by_twelve.set(reads_by_twelve(request.accept_languages.best or ""))


def _as_everybody(_: BaseException | None) -> None:
    by_twelve.set(False)


def step(name: str, title: str, context: Mapping[str, Any], *, status: int = 200) -> Response:
    """`arrives`: somebody comes from another step, so the focus goes to the heading."""
    by_zone = request.headers.get("HX-Source", "").startswith(("form#zone", "form#length"))
    return render_page_or_fragment(
        "bookings/page.html",
        f"bookings/_{name}.html",
        status=status,
        step=f"bookings/_{name}.html",
        title=title,
        swapped=wants_fragment(),
        arrives=wants_fragment() and not by_zone,
        questions=[] if wants_fragment() else FaqEntry.first(QUESTIONS),
        **context,
    )


def private(response: Response) -> Response:
    """Somebody's own page: kept nowhere, and its address is told to no other site."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@dataclass(frozen=True)
class DetailsStep:
    """The form of one service, as somebody filled it in."""

    service: Service
    booker: Booker
    form: DetailsForm
    zone: ZoneInfo

    def show(self, start: datetime, *, status: int = 200, notice: StrEnum | None = None, wait: str = "") -> Response:
        """`start` is the time that is meant, also where the form offers others. `notice`: a Refusal, or a
        Notice; `wait`: how long it says to wait."""
        context = {
            "service": self.service,
            "booker": self.booker,
            "form": self.form,
            "zone": self.zone,
            "start": start,
            "fixed": fixed_once_taken(start, self.service),
            "notice": notice,
            "wait": wait,
            "owner_zone": settings.owner_zone,
        }
        title = f"Your details: {self.service.name}"
        return private(step("details", title if status == OK else f"Error: {title}", context, status=status))

    def offer_others(self, wanted: datetime, why: Refusal, status: int = 422) -> Response:
        """The same form with the nearest free times in it. With 200 where somebody only looked at it."""
        if status != OK:
            track(FunnelStep.BOOKER_FAILED, self.service.slug, FAILURES.get(why, Failure.NOT_ACCEPTED))
        if why is Refusal.TOO_MANY:  # at any time
            return self.show(wanted, status=status, notice=why)
        free = alternatives(self.booker, wanted, self.zone)
        self.form.ask_for_another_time(free, self.zone, TAKEN_WORDS if free else NOTHING_NEAR)
        return self.show(wanted, status=status, notice=why)

    def nothing_booked(self, start: datetime) -> Response:
        """Cal.com cannot be asked: the form stays as it is, with the other ways beside it."""
        track(FunnelStep.BOOKER_FAILED, self.service.slug, Failure.NO_ANSWER)
        page = DetailsStep(self.service, without_answer(self.service, self.booker), self.form, self.zone)
        return page.show(start, status=503, notice=Refusal.NO_ANSWER)
