"""The outbox: when it tries again, when it gives up, what a restart does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import time_machine

from hds.sandbox.settings import Settings

from .conftest import MONDAY_ELEVEN, SECRET, Receiver, Sandbox


def settled(sandbox: Sandbox, state: str) -> tuple[int, str]:
    """Waits until the only delivery has that state; its attempts and last outcome."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        row = sandbox.desk.store.one("SELECT * FROM delivery")
        if row and row["state"] == state:
            return row["attempts"], row["outcome"]
        time.sleep(0.01)
    raise AssertionError(f"not {state}")


def test_delivery_comes_a_moment_later_not_at_once(
    start_sandbox: Callable[[Settings], Sandbox], settings: Settings, receiver: Receiver
) -> None:
    sandbox = start_sandbox(replace(settings, webhook_url=receiver.url, webhook_delay=0.3))
    sandbox.booked()
    assert receiver.requests == []
    receiver.wait_for(1)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_trouble_is_tried_again_with_the_same_bytes(posting: Sandbox, receiver: Receiver, status: int) -> None:
    receiver.answers = [status, status, 200]
    posting.booked()
    assert settled(posting, "delivered") == (3, "200 OK")
    assert len({request.get_data() for request in receiver.requests}) == 1


def test_three_attempts_are_all(posting: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [503] * 9
    posting.booked()
    assert settled(posting, "failed") == (3, "503 SERVICE UNAVAILABLE")
    assert len(receiver.requests) == 3


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410, 413])
def test_refusals_and_redirects_are_final(posting: Sandbox, receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    posting.booked()
    assert settled(posting, "failed")[0] == 1
    assert len(receiver.requests) == 1


def test_nobody_listening_is_tried_again(start_sandbox: Callable[[Settings], Sandbox], settings: Settings) -> None:
    sandbox = start_sandbox(replace(settings, webhook_url="http://127.0.0.1:9/api/webhooks/cal"))
    sandbox.booked()
    attempts, outcome = settled(sandbox, "failed")
    assert attempts == 3
    assert outcome == "Connection refused"


def test_pauses_grow(start_sandbox: Callable[[Settings], Sandbox], settings: Settings, receiver: Receiver) -> None:
    receiver.answers = [500, 500]
    sandbox = start_sandbox(replace(settings, webhook_url=receiver.url, webhook_retry=0.2))
    began = time.monotonic()
    sandbox.booked()
    receiver.wait_for(2)
    second = time.monotonic()
    receiver.wait_for(3)
    assert second - began >= 0.2
    assert time.monotonic() - second >= 0.28


def test_restart_goes_on_with_what_was_waiting(
    start_sandbox: Callable[[Settings], Sandbox], settings: Settings, receiver: Receiver
) -> None:
    waiting = replace(settings, webhook_url=receiver.url, webhook_secret=SECRET, webhook_delay=0.6)
    first = start_sandbox(waiting)
    first.booked()
    first.desk.outbox.stop()
    assert first.desk.outbox.thread is not None
    first.desk.outbox.thread.join(5)
    assert receiver.requests == []
    start_sandbox(waiting)
    receiver.wait_for(1)
    assert receiver.triggers() == ["BOOKING_CREATED"]


def test_without_an_address_nothing_is_sent(sandbox: Sandbox) -> None:
    sandbox.booked()
    assert settled(sandbox, "unsent") == (0, "SANDBOX_WEBHOOK_URL is not set")


# --- as the host asks for ----------------------------------------------------------------------------------------------


def let_them(sandbox: Sandbox, post: str) -> None:
    assert sandbox.post("/host/post", {"post": post}).status_code == 200


def test_they_are_lost_and_stay_in_the_list(posting: Sandbox, receiver: Receiver) -> None:
    let_them(posting, "lost")
    posting.booked()
    assert settled(posting, "unsent") == (0, "lost, as the host asked for")
    assert "lost, as the host asked for" in posting.page("/host").text
    let_them(posting, "works")
    posting.act(posting.booked(MONDAY_ELEVEN)["uid"], "cancel")
    receiver.wait_for(2)
    assert receiver.triggers() == ["BOOKING_CREATED", "BOOKING_CANCELLED"]


def test_they_come_twice_with_the_same_bytes(posting: Sandbox, receiver: Receiver) -> None:
    let_them(posting, "twice")
    posting.booked()
    receiver.wait_for(2)
    assert len({request.get_data() for request in receiver.requests}) == 1


def test_they_overtake_each_other(posting: Sandbox, receiver: Receiver, clock: time_machine.Traveller) -> None:
    let_them(posting, "turned")
    posting.act(posting.booked()["uid"], "cancel")
    receiver.wait_for(1)
    clock.shift(4)
    receiver.wait_for(2)
    assert receiver.triggers() == ["BOOKING_CANCELLED", "BOOKING_CREATED"]


def test_they_come_late(posting: Sandbox, receiver: Receiver, clock: time_machine.Traveller) -> None:
    let_them(posting, "late")
    posting.booked()
    clock.shift(10)
    assert receiver.requests == []
    clock.shift(15)
    receiver.wait_for(1)


def test_an_unknown_wish_lets_them_come(posting: Sandbox, receiver: Receiver) -> None:
    let_them(posting, "lost")
    let_them(posting, "x")
    posting.booked()
    receiver.wait_for(1)
