"""What brought people, how far they got, and where booking failed them."""

from collections import Counter
from datetime import date, timedelta
from typing import NamedTuple

from flask import Blueprint, render_template, request, url_for

from hds.analytics import salt
from hds.analytics.models import ANY, FUNNEL, Failure, FunnelStep
from hds.analytics.reports import report, share
from hds.bookings.booker import wanted
from hds.config import BookerKind, settings
from hds.extensions import db
from hds.lib.times import utcnow
from hds.services.models import Service

blueprint = Blueprint("analytics", __name__, url_prefix="/analytics")

PERIODS = (7, 30, 90)  # days, today included
USUAL = 30
MOST_ORIGINS = 50
STEPS = {
    FunnelStep.PAGE_VIEWED: "Saw a page",
    FunnelStep.SERVICE_CHOSEN: "Chose a service",
    FunnelStep.BOOKER_SHOWN: "Saw free times",
    FunnelStep.SLOT_CHOSEN: "Chose a time",
    FunnelStep.DETAILS_GIVEN: "Gave their details",
    FunnelStep.BOOKED: "Booked",
    FunnelStep.CONFIRMED: "Confirmed",
}
# Taken at Cal.com, in its frame or on its page, where nothing of ours looks on.
ELSEWHERE = (FunnelStep.SLOT_CHOSEN, FunnelStep.DETAILS_GIVEN)
REASONS = {
    Failure.TIMEOUT: "Cal.com’s booker was not ready in time",
    Failure.REFUSED: "Cal.com refused to show its booker here",
    Failure.BLOCKED: "The browser blocks Cal.com’s booker",
    Failure.FAILED: "Cal.com’s booker failed by itself",
    Failure.TAKEN: "The time was gone",
    Failure.NOT_ACCEPTED: "Cal.com refused what was typed",
    Failure.NO_ANSWER: "Cal.com did not answer",
    Failure.OTHER: "Something else",
}


class Step(NamedTuple):
    """`visits`: of this period; `before`: of the one before it. None where the step is taken out of our sight."""

    label: str
    visits: int | None
    percent: float = 0.0  # of the largest step
    before: int | None = None


@blueprint.get("")
def index() -> str:
    period = _period()
    first, last = _days(period)
    said, before = report(first, last), report(first - timedelta(days=period), first - timedelta(days=1))
    offered = db.session.scalars(db.select(Service).order_by(Service.position)).all()
    services = {service.slug: service.name for service in offered}
    chosen = request.args.get("service", "")
    chosen = chosen if chosen in services else ANY
    unseen = {service.slug: _unseen(service) for service in offered}
    unseen[ANY] = {step for steps in unseen.values() for step in steps}
    return render_template(
        "admin/analytics/index.html",
        report=said,
        before=before,
        period=period,
        periods=[(days, url_for(".index", days=days, service=chosen or None)) for days in PERIODS],
        services=services,
        chosen=chosen,
        choices=[
            (name, slug, url_for(".index", days=period, service=slug or None)) for slug, name in _choices(services)
        ],
        funnel=_funnel(said.funnel(chosen), before.funnel(chosen), unseen[chosen]),
        by_service=[
            (name, [(label, None if step in unseen[slug] else reached[step]) for step, label in STEPS.items()])
            for slug, name in _choices(services)
            for reached in [said.funnel(slug)]
        ],
        has_unseen=bool(unseen[ANY]),
        origins=said.origins()[:MOST_ORIGINS],
        failures=[(services.get(slug, slug), REASONS[reason], count) for slug, reason, count in said.failures()],
        reasons=_reasons(said.failures()),
        in_frames=said.said_in_frames(chosen),
        share=share,
        kept_days=settings.visits_kept_days,
    )


def _days(period: int) -> tuple[date, date]:
    today = salt.day_of(utcnow())
    return today - timedelta(days=period - 1), today


def _unseen(service: Service) -> set[FunnelStep]:
    """Who takes our own steps beside Cal.com's frame is seen; shown among the others, it would look like a loss."""
    return set() if wanted(service) is BookerKind.NATIVE else set(ELSEWHERE)


def _choices(services: dict[str, str]) -> list[tuple[str, str]]:
    return [(ANY, "All visits"), *services.items()]


def _funnel(now: "Counter[FunnelStep]", before: "Counter[FunnelStep]", unseen: set[FunnelStep]) -> list[Step]:
    """The largest step is the measure of all: who follows a link begins in the middle."""
    most = max((now[step] for step in FUNNEL if step not in unseen), default=0)
    return [
        Step(STEPS[step], None)
        if step in unseen
        else Step(STEPS[step], now[step], share(now[step], most), before[step])
        for step in FUNNEL
    ]


def _reasons(failures: list[tuple[str, Failure, int]]) -> list[tuple[str, int, float]]:
    """Label, visits, and their share of the most frequent reason, over all services."""
    found: Counter[Failure] = Counter()
    for _, reason, visits in failures:
        found[reason] += visits
    most = max(found.values(), default=0)
    return [(REASONS[reason], visits, share(visits, most)) for reason, visits in found.most_common()]


def _period() -> int:
    try:
        days = int(request.args.get("days", USUAL))
    except ValueError:
        return USUAL
    return days if days in PERIODS else USUAL
