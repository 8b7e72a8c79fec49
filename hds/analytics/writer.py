"""From memory to the database: what requests noted is written in batches by one thread per process.

Never in a visitor's way: where the buffer is full or the database silent, counts are lost and said so, never a page.
"""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import islice
from multiprocessing.util import Finalize
from typing import Any

import structlog
from flask import Flask, current_app

from hds.analytics import rows, salt, seen
from hds.analytics.seen import Seen
from hds.extensions import db
from hds.lib.logs import where

log = structlog.get_logger(part="analytics")
LARGEST = 10_000  # entries that wait
BATCH = 500
REST = 1.0  # seconds between two writes


class Writer:
    """The buffer of one application, and the thread that empties it. `lost`: how many entries were never written."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._waiting: deque[Seen] = deque()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = 0

    def note(self, entry: Seen) -> None:
        if len(self._waiting) >= LARGEST:
            self.lost += 1
            return
        self._waiting.append(entry)
        if not self._awake.is_set():
            self._awake.set()
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """Write all that waits now. Never raises."""
        with self._writing, self._app.app_context():
            while batch := self._take():
                try:
                    write(batch)
                except Exception as error:  # counts are lost, the site goes on
                    self._lose(len(batch), **where(error))
                finally:
                    db.session.remove()
        if self.lost:
            log.warning("visits not counted", entries=self.lost)
            self.lost = 0

    def _lose(self, entries: int, **why: Any) -> None:
        self.lost += entries
        log.error("visits not written", entries=entries, **why)

    def _take(self) -> list[Seen]:
        taken: list[Seen] = []
        while self._waiting and len(taken) < BATCH:
            taken.append(self._waiting.popleft())
        return taken

    def _start(self) -> None:
        """At the first entry, so that it runs in the process that serves and not in the one that it was forked from."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="counting")
                self._thread.start()
                # A server's worker ends without atexit's functions; multiprocessing calls these in any process.
                Finalize(None, self.flush, exitpriority=10)

    def _run(self) -> None:
        while True:
            self._awake.wait()
            threading.Event().wait(REST)
            self._awake.clear()
            self.flush()


def init_app(app: Flask) -> Writer:
    writer = app.extensions["counting"] = Writer(app)
    return writer


def writer() -> Writer:
    found: Writer = current_app.extensions["counting"]
    return found


def write(entries: Iterable[Seen]) -> None:
    """Commits. Programs are left out here, because telling them takes time."""
    of_people: dict[tuple[date, str], list[Seen]] = {}
    for noted in entries:
        if seen.is_bot(noted.user_agent):
            continue
        entry = seen.read(noted)
        day = salt.day_of(entry.at)
        if visitor := salt.visitor(day, entry.address, entry.user_agent):
            of_people.setdefault((day, visitor), []).append(entry)
    # Always in the same order, so that two processes never wait for each other in a circle.
    people = iter(sorted(of_people.items()))
    while some := list(islice(people, BATCH)):
        _write(some)
        db.session.commit()


def _write(people: Sequence[tuple[tuple[date, str], list[Seen]]]) -> None:
    ids = rows.upsert_visits([rows.visit(day, visitor, entries) for (day, visitor), entries in people])
    rows.insert_events(
        [
            rows.event(ids[key], key[0], entry.step, service, reason=entry.reason, at=entry.at)
            for key, entries in people
            for entry in entries
            for service in rows.counted_for(entry)
        ]
    )
