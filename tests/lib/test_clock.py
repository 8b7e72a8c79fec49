"""The clock's lines: each runs when its time has come, by one clock at a time, whatever the others do."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine

from hds.extensions import db
from hds.lib.clock import LEASE, ClockLine, Line, run_due
from hds.lib.times import utcnow


@pytest.fixture
def clock(app):
    with time_machine.travel(utcnow(), tick=False) as clock:
        yield clock


def test_a_line_runs_when_its_time_has_come(clock):
    ran = []
    line = Line("a line", timedelta(minutes=5), lambda: ran.append(utcnow()))
    for _ in range(11):
        run_due([line])
        clock.shift(timedelta(minutes=1))
    assert len(ran) == 3


def test_a_missed_run_is_caught_up_once(clock):
    ran = []
    line = Line("a line", timedelta(minutes=5), lambda: ran.append(1))
    run_due([line])
    clock.shift(timedelta(days=1))
    run_due([line])
    run_due([line])
    assert len(ran) == 2


def test_a_line_that_fails_keeps_no_other_waiting_and_is_tried_again(clock):
    ran = []

    def fail() -> None:
        ran.append("fails")
        raise ZeroDivisionError

    lines = [Line("fails", timedelta(0), fail), Line("works", timedelta(0), lambda: ran.append("works"))]
    run_due(lines)
    run_due(lines)
    assert ran == ["fails", "works", "works"]
    clock.shift(LEASE + timedelta(seconds=1))
    run_due(lines)
    assert ran[3:] == ["fails", "works"]


def test_a_line_whose_clock_died_is_taken_over_within_a_minute(clock):
    ran = []
    line = Line("a line", timedelta(0), lambda: ran.append(1))
    assert ClockLine.take(line)
    clock.shift(timedelta(seconds=45))
    run_due([line])
    assert ran == [1]


def test_clocks_that_start_at_once_run_a_line_once_and_fail_nowhere(app):
    ran = []
    start = threading.Barrier(4)
    line = Line("a line", timedelta(minutes=5), lambda: ran.append(1))
    db.session.rollback()

    def tick(_: int) -> bool:
        with app.app_context():
            start.wait()
            taken = ClockLine.take(line)  # raises where the row was made by another meanwhile
            if taken:
                line.function()
                ClockLine.note(line)
            return taken

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(tick, range(4))) == 1
    assert ran == [1]
