"""Lists whose whole state stands in the URL. Whatever it says, there is a page: what cannot be read is left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from flask import request
from sqlalchemy import Select, func

from hds.config import settings
from hds.extensions import db

PER_PAGE = 50
LONGEST_SEARCH = 100
# A row's id in a URL: both databases refuse what does not fit.
LARGEST_ID = 2**63 - 1

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


@dataclass(frozen=True)
class Listing(Generic[T]):
    """One page of a list that has `count` entries in all."""

    rows: Sequence[T]
    number: int
    count: int
    size: int = PER_PAGE

    @property
    def pages(self) -> int:
        return pages_of(self.count, self.size)


def page_of(query: Select[Any], size: int = PER_PAGE) -> Listing[Any]:
    """The page that ?page= asks for, or the last one there is. Two queries, however many rows."""
    entity = query.column_descriptions[0]["entity"]
    counting = query.with_only_columns(func.count(entity.id), maintain_column_froms=True).order_by(None)
    count = db.session.scalar(counting) or 0
    number = min(_number("page"), pages_of(count, size))
    rows = db.session.scalars(query.limit(size).offset((number - 1) * size)).unique().all()
    return Listing(rows, number, count, size)


def slice_of(entries: Sequence[T], size: int = PER_PAGE) -> Listing[T]:
    """The same for entries that are no rows."""
    number = min(_number("page"), pages_of(len(entries), size))
    return Listing(entries[(number - 1) * size : number * size], number, len(entries), size)


def pages_of(count: int, size: int) -> int:
    return max(1, -(-count // size))


def words(name: str) -> str:
    """What somebody searches for, without what a database refuses."""
    return " ".join(request.args.get(name, "").replace("\0", " ").split())[:LONGEST_SEARCH].strip()


def member(name: str, members: type[E]) -> E | None:
    """One of an enum's members; None for anything else."""
    given = request.args.get(name, "")
    return members(given) if given in list(members) else None


def day(name: str) -> date | None:
    """A day that somebody may have meant; None for anything else."""
    try:
        given = date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
    return given if 2000 <= given.year <= 2200 else None


def begins(of_day: date) -> datetime:
    """When a day begins where the owner lives."""
    return datetime.combine(of_day, time.min, settings.owner_zone)


def ends(of_day: date) -> datetime:
    return begins(of_day + timedelta(days=1))


def _number(name: str) -> int:
    try:
        return max(1, int(request.args.get(name, "1")))
    except ValueError:
        return 1
