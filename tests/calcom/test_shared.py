import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hds.calcom.errors import Invalid, Unavailable
from hds.calcom.shared import Shared


class Source:
    """Counts how often it is asked; answers with the number, after a while, or fails."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.calls = 0
        self.seconds = seconds
        self.fault: Exception | None = None

    def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        time.sleep(self.seconds)
        if self.fault:
            raise self.fault
        return number


def test_a_crowd_makes_one_call() -> None:
    shared, source = Shared[int](fresh=10, stale=60), Source(0.1)
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: shared.get("key", source), range(16))) == {1}
    assert source.calls == 1


def test_each_question_has_its_own_answer() -> None:
    shared, source = Shared[int](fresh=10, stale=60), Source()
    assert (shared.get("a", source), shared.get("b", source), shared.get("a", source)) == (1, 2, 1)


def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    shared, source = Shared[int](fresh=10, stale=60), Source(0.1)
    source.fault = Unavailable("gone")

    def outcome(_: int) -> str:
        try:
            return str(shared.get("key", source))
        except Unavailable as error:
            return error.reason

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(outcome, range(4))) == {"gone"}
    assert source.calls == 1
    source.fault = None
    assert shared.get("key", source) == 2


def test_an_old_answer_stands_in_while_there_is_no_new_one() -> None:
    shared, source = Shared[int](fresh=0.02, stale=60), Source()
    assert shared.get("key", source) == 1
    time.sleep(0.03)
    source.fault = Unavailable("gone")
    assert shared.get("key", source) == 1
    source.fault = Invalid("wrong")
    with pytest.raises(Invalid):
        shared.get("key", source)
    source.fault = None
    assert shared.get("key", source) == 4


def test_an_answer_that_is_too_old_stands_in_for_nothing() -> None:
    shared, source = Shared[int](fresh=0.01, stale=0.05), Source()
    shared.get("key", source)
    time.sleep(0.06)
    source.fault = Unavailable("gone")
    with pytest.raises(Unavailable):
        shared.get("key", source)


def test_nobody_waits_for_a_new_answer_who_can_have_the_last_one() -> None:
    shared, source = Shared[int](fresh=0.01, stale=60), Source()
    shared.get("key", source)
    time.sleep(0.02)
    source.seconds = 2
    asker = threading.Thread(target=shared.get, args=("key", source))
    asker.start()
    time.sleep(0.05)
    started = time.monotonic()
    assert shared.get("key", source) == 1
    assert time.monotonic() - started < 1.5
    asker.join()
    assert source.calls == 2


def test_what_was_asked_before_a_change_is_not_kept_after_it() -> None:
    shared, source = Shared[int](fresh=10, stale=60), Source(0.1)
    asker = threading.Thread(target=shared.get, args=("key", source))
    asker.start()
    time.sleep(0.03)
    shared.clear()
    asker.join()
    assert shared.get("key", source) == 2
