"""Rows of visits and steps, many at once, right under any number of writers."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import case
from sqlalchemy.dialects import postgresql, sqlite

from hds.analytics import seen
from hds.analytics.models import ANY, AnalyticsEvent, Failure, FunnelStep, Visit
from hds.analytics.seen import Seen
from hds.extensions import db
from hds.lib.times import utcnow

FIRST = (
    "first_path",
    "referrer",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "click_kind",
)
LAST = ("last_referrer", "last_source", "last_medium", "last_campaign", "last_click_kind")


def visit(day: date, visitor: str, entries: Sequence[Seen]) -> dict[str, Any]:
    """One visitor's row, as these entries alone tell it."""
    entries = sorted(entries, key=lambda entry: entry.at)
    first, newest = entries[0], entries[-1]
    came, came_at = seen.source(first), first.at
    last = came
    for entry in entries[1:]:
        if again := seen.source(entry):
            last, came_at = again, entry.at
    return {
        "day": day,
        "visitor": visitor,
        "first_path": seen.short_path(first.path),
        "referrer": came.referrer,
        "utm_source": came.source,
        "utm_medium": came.medium,
        "utm_campaign": came.campaign,
        "utm_term": came.term,
        "utm_content": came.content,
        "click_kind": came.click,
        "device": seen.device(newest.user_agent),
        "language": seen.language(newest.language),
        "pages": sum(entry.step is FunnelStep.PAGE_VIEWED for entry in entries),
        "first_seen_at": first.at,
        "last_seen_at": newest.at,
        "last_came_at": came_at,
        "last_referrer": last.referrer,
        "last_source": last.source,
        "last_medium": last.medium,
        "last_campaign": last.campaign,
        "last_click_kind": last.click,
        "created_at": utcnow(),
    }


def upsert_visits(visits: Sequence[dict[str, Any]]) -> dict[tuple[date, str], int]:
    """The ids by day and visitor. Whichever process wrote first: the earliest entry says what brought them first, the
    latest that names a source what brought them last."""
    statement: Any = _dialect().insert(Visit).values(list(visits))
    new = statement.excluded
    is_earlier = new.first_seen_at < Visit.first_seen_at
    says_later = (new.last_came_at > Visit.last_came_at) & (
        (new.last_referrer != "") | (new.last_source != "") | (new.last_campaign != "") | (new.last_medium != "")
        | (new.last_click_kind != "")
    )  # fmt: skip
    changes: dict[str, Any] = {name: case((is_earlier, new[name]), else_=getattr(Visit, name)) for name in FIRST}
    changes |= {name: case((says_later, new[name]), else_=getattr(Visit, name)) for name in (*LAST, "last_came_at")}
    changes["first_seen_at"] = case((is_earlier, new.first_seen_at), else_=Visit.first_seen_at)
    changes["last_seen_at"] = case((new.last_seen_at > Visit.last_seen_at, new.last_seen_at), else_=Visit.last_seen_at)
    changes["pages"] = Visit.pages + new.pages
    statement = statement.on_conflict_do_update(index_elements=["day", "visitor"], set_=changes)
    found = db.session.execute(statement.returning(Visit.id, Visit.day, Visit.visitor))
    return {(day, visitor): visit_id for visit_id, day, visitor in found}


def counted_for(entry: Seen) -> tuple[str, ...]:
    """The services under which it stands: a page of one service is a page as well."""
    return (ANY, entry.service) if entry.step is FunnelStep.PAGE_VIEWED and entry.service else (entry.service,)


def event(
    visit_id: int, day: date, step: FunnelStep, service: str, *, reason: Failure = Failure.NONE, at: datetime
) -> dict[str, Any]:
    return {
        "visit_id": visit_id,
        "day": day,
        "step": step,
        "service": service,
        "reason": reason,
        "at": at,
        "created_at": utcnow(),
    }


def insert_events(events: Sequence[dict[str, Any]]) -> int:
    """How many of them are new: what a visit did before counts no second time."""
    if not events:
        return 0
    keys = ("visit_id", "step", "service", "reason")
    once = {tuple(entry[key] for key in keys): entry for entry in reversed(events)}
    statement: Any = _dialect().insert(AnalyticsEvent).values([once[key] for key in sorted(once)])
    added = db.session.scalars(statement.on_conflict_do_nothing().returning(AnalyticsEvent.id)).all()
    return len(added)


def _dialect() -> Any:
    return postgresql if db.engine.dialect.name == "postgresql" else sqlite
