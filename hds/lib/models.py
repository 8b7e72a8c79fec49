"""What every table shares: a base with id and birth, UTC times, states as text, and who may write when on SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import BigInteger, DateTime, Dialect, Engine, Integer, String, TypeDecorator, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hds.extensions import db
from hds.lib.times import utcnow

if TYPE_CHECKING:
    Model = DeclarativeBase
else:
    Model = db.Model

# Set to True while a request only reads: SQLite then begins DEFERRED and never waits for a writer.
reading = ContextVar("reading", default=False)


@contextmanager
def only_reading() -> Iterator[None]:
    """A block in the middle of a change that only reads, and takes long: others may write meanwhile.

    What was changed before must be committed; what was read is read again afterwards.
    """
    before = reading.set(True)
    db.session.rollback()
    try:
        yield
    finally:
        db.session.rollback()
        reading.reset(before)


class UTCDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets offsets and keeps the local clock, so naive values are refused, not guessed."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


S = TypeVar("S", bound=StrEnum)


class State(TypeDecorator[S]):
    """A StrEnum kept as plain text: adding a member needs no migration, and both databases agree."""

    impl = String(32)
    cache_ok = True

    def __init__(self, members: type[S]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: S | None, dialect: Dialect) -> str | None:
        return None if value is None else self.members(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> S | None:
        return None if value is None else self.members(value)


# BIGINT in PostgreSQL; in SQLite only INTEGER counts up by itself.
BigId = BigInteger().with_variant(Integer, "sqlite")


class Base(Model):
    """Every table: an id and the moment its row was made."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utcnow)


def prepare_sqlite(engine: Engine) -> None:
    """WAL with full syncs (a booking survives a power cut), foreign keys on, and writers that queue instead of fail.

    A transaction that reads first and writes later fails at once when another wrote in between; so whoever may write
    takes the write lock with BEGIN IMMEDIATE, and waits for it.
    """

    @event.listens_for(engine, "connect")
    def _connect(connection: DBAPIConnection, _record: Any) -> None:
        setattr(connection, "isolation_level", None)  # noqa: B010 - the driver must not begin by itself
        # SQLite's own knows only ASCII: a search for zoë would not find ZOË.
        connection.create_function("lower", 1, _lower, deterministic=True)
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN DEFERRED" if reading.get() else "BEGIN IMMEDIATE")


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def insert_or_ignore(model: type[Base], **values: Any) -> int | None:
    """Insert a row unless one of its unique keys is taken: the new id, or None. Right under any number of writers."""
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(model).values(**values).on_conflict_do_nothing().returning(model.id)
    return db.session.scalar(statement)


def one_at_a_time(key: int) -> None:
    """Hold a lock until the transaction ends: PostgreSQL's advisory lock. SQLite has one writer anyway."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
