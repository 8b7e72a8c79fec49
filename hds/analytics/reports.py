"""What the sums of some days say together. The queries are few; what is made of them is plain arithmetic."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func, select

from hds.analytics import sums
from hds.analytics.models import ANY, FUNNEL, Aspect, DailyFunnel, DailyVisits, Failure, FunnelStep, Visit
from hds.analytics.sums import Reached
from hds.extensions import db


@dataclass(frozen=True)
class Day:
    day: date
    visits: int
    pages: int


@dataclass(frozen=True)
class Origin:
    """A source with its campaign, and how far its visits got. Both empty: they came by themselves."""

    source: str
    campaign: str
    steps: Counter[FunnelStep]


@dataclass(frozen=True)
class Report:
    days: Sequence[Day]
    rows: Sequence[Reached]

    @property
    def visits(self) -> int:
        return sum(day.visits for day in self.days)

    def funnel(self, service: str = ANY) -> Counter[FunnelStep]:
        """Visits by step. Those of one service begin with its page; all visits are the funnel of ANY."""
        return _by_step(row for row in self.rows if row.service == service and row.step in FUNNEL)

    def origins(self) -> list[Origin]:
        """Those that brought most first."""
        found: dict[tuple[str, str], list[Reached]] = defaultdict(list)
        for row in self.rows:
            if row.service == ANY:
                found[row.source, row.campaign].append(row)
        origins = [Origin(source, campaign, _by_step(rows)) for (source, campaign), rows in found.items()]
        return sorted(origins, key=lambda one: (-one.steps[FunnelStep.PAGE_VIEWED], one.source, one.campaign))

    def failures(self) -> list[tuple[str, Failure, int]]:
        """Service, reason, visits; the most frequent first."""
        found: Counter[tuple[str, Failure]] = Counter()
        for row in self.rows:
            if row.step is FunnelStep.BOOKER_FAILED and row.service != ANY:
                found[row.service, row.reason] += row.visits
        return [(*key, visits) for key, visits in sorted(found.items(), key=lambda item: (-item[1], item[0]))]

    def said_in_frames(self, service: str = ANY) -> int:
        """What browsers alone said of bookings."""
        return sum(row.visits for row in self.rows if (row.step, row.service) == (FunnelStep.BOOKED_IN_FRAME, service))


def share(part: int, whole: int) -> float:
    """Per cent; nothing of nothing is nothing."""
    return 100 * part / whole if whole else 0.0


def report(first: date, last: date) -> Report:
    """Of these days, both included: from the written sums, and from the visits of days that have none yet."""
    period = DailyVisits.day.between(first, last) & (DailyVisits.aspect == Aspect.ALL)
    known = {
        row.day: Day(row.day, row.visits, row.pages) for row in db.session.scalars(select(DailyVisits).where(period))
    }
    keys = (DailyFunnel.step, DailyFunnel.service, DailyFunnel.reason, DailyFunnel.source, DailyFunnel.campaign)
    query = select(*keys, func.sum(DailyFunnel.visits)).where(DailyFunnel.day.between(first, last)).group_by(*keys)
    rows = [Reached(*row) for row in db.session.execute(query)]
    live = select(Visit.day).where(Visit.day.between(first, last), ~sums.is_summed(Visit.day)).distinct()
    for day in db.session.scalars(live).all():
        known[day] = Day(day, *sums.visits_of(day))
        rows += sums.folded(sums.funnel_of(day))
    every = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return Report([known.get(day) or Day(day, 0, 0) for day in every], rows)


def _by_step(rows: Iterable[Reached]) -> Counter[FunnelStep]:
    steps: Counter[FunnelStep] = Counter()
    for row in rows:
        steps[row.step] += row.visits
    return steps
