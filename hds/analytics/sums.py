"""The sums of a day: read from its visits while they are kept, written down once the day is over."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, exists, func, literal_column, select

from hds.analytics.models import ANY, AnalyticsEvent, Aspect, DailyFunnel, DailyVisits, Failure, FunnelStep, Visit
from hds.analytics.visits import SUMS_LOCK
from hds.extensions import db
from hds.lib.models import one_at_a_time

OTHERS = "(others)"
MOST_SOURCES = 100  # of one day, each with its campaign: anybody can make up an address with another one
MOST_VALUES = 100  # of one aspect
EMPTY: ColumnElement[str] = literal_column(
    "''"
)  # written out: PostgreSQL takes two parameters for two different groups
# What brought a visit first, in a word: the campaign's own name for it, the kind of click, or the site that linked.
SOURCE: ColumnElement[str] = func.coalesce(
    func.nullif(Visit.utm_source, EMPTY), func.nullif(Visit.click_kind, EMPTY), Visit.referrer
)
ASPECTS: dict[Aspect, Any] = {
    Aspect.FIRST_PATH: Visit.first_path,
    Aspect.REFERRER: Visit.referrer,
    Aspect.MEDIUM: Visit.utm_medium,
    Aspect.CLICK: Visit.click_kind,
    Aspect.DEVICE: Visit.device,
    Aspect.LANGUAGE: Visit.language,
}


class Reached(NamedTuple):
    """So many visits from this source took this step. The service ANY: each visit once, whatever its services."""

    step: FunnelStep
    service: str
    reason: Failure
    source: str
    campaign: str
    visits: int


def is_summed(day: Any) -> ColumnElement[bool]:
    return exists().where(DailyVisits.day == day, DailyVisits.aspect == Aspect.ALL)


def days_to_sum(before: date) -> list[date]:
    """Days that are over and not written down yet, the oldest first."""
    query = select(Visit.day).where(Visit.day < before, ~is_summed(Visit.day)).distinct().order_by(Visit.day)
    return list(db.session.scalars(query))


def sum_up(day: date) -> None:
    """Write the sums of a day that is over, in place of those that are there. The caller commits."""
    one_at_a_time(SUMS_LOCK)
    if not db.session.scalar(select(exists().where(Visit.day == day))):
        return  # another job was here first, and its sums are all that is left of the day
    for sums in (DailyFunnel, DailyVisits):
        db.session.execute(db.delete(sums).where(sums.day == day))
    db.session.add_all(DailyFunnel(day=day, **reached._asdict()) for reached in folded(funnel_of(day)))
    db.session.add_all(_visits_of(day))
    db.session.flush()


def funnel_of(day: date) -> list[Reached]:
    """From the steps themselves."""
    event, visit = AnalyticsEvent, Visit.utm_campaign
    of_day = select().join_from(event, Visit).where(event.day == day)
    each = of_day.add_columns(event.step, event.service, event.reason, SOURCE, visit, func.count())
    each = each.where(event.service != ANY).group_by(event.step, event.service, event.reason, SOURCE, visit)
    every = of_day.add_columns(event.step, event.reason, SOURCE, visit, func.count(event.visit_id.distinct()))
    every = every.group_by(event.step, event.reason, SOURCE, visit)
    found = [Reached(*row) for row in db.session.execute(each)]
    return found + [Reached(row[0], ANY, *row[1:]) for row in db.session.execute(every)]


def folded(rows: Iterable[Reached], most: int = MOST_SOURCES) -> list[Reached]:
    """The same with only the largest sources by name; the rest is one more."""
    rows = list(rows)
    sizes: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.service == ANY and not row.reason:
            sizes[row.source, row.campaign] += row.visits
    kept = {source for source, _ in sizes.most_common(most)}
    sums: Counter[tuple[FunnelStep, str, Failure, str, str]] = Counter()
    for row in rows:
        source = (row.source, row.campaign) if (row.source, row.campaign) in kept else (OTHERS, "")
        sums[row.step, row.service, row.reason, *source] += row.visits
    return [Reached(*key, visits) for key, visits in sums.items()]


def visits_of(day: date) -> tuple[int, int]:
    """How many visits, and pages that they saw."""
    query = select(func.count(), func.coalesce(func.sum(Visit.pages), 0)).where(Visit.day == day)
    visits, pages = db.session.execute(query).one()
    return visits, int(pages)


def _visits_of(day: date) -> list[DailyVisits]:
    visits, pages = visits_of(day)
    rows = [DailyVisits(day=day, aspect=Aspect.ALL, value="", visits=visits, pages=pages)]
    for aspect, column in ASPECTS.items():
        query = select(column, func.count(), func.sum(Visit.pages)).where(Visit.day == day).group_by(column)
        found: Sequence[Any] = db.session.execute(query.order_by(func.count().desc(), column)).all()
        rows += [
            DailyVisits(day=day, aspect=aspect, value=value, visits=visits, pages=pages)
            for value, visits, pages in found[:MOST_VALUES]
        ]
        if rest := found[MOST_VALUES:]:
            visits, pages = sum(row[1] for row in rest), sum(row[2] for row in rest)
            rows.append(DailyVisits(day=day, aspect=aspect, value=OTHERS, visits=visits, pages=pages))
    return rows
