"""A verb announces; whoever subscribed is told, once, in the same transaction."""

import pytest

from hds.lib import moments


@pytest.fixture(autouse=True)
def _own_table(monkeypatch):
    from collections import defaultdict

    monkeypatch.setattr(moments, "_subscribers", defaultdict(list))


def test_who_subscribed_is_told_what_it_is_about():
    told = []
    moments.subscribe("booking confirmed", lambda *about: told.append(about))
    moments.announce("booking confirmed", "booking", 7)
    moments.announce("booking cancelled", "booking", 7)
    assert told == [("booking", 7)]


def test_subscribing_twice_is_told_once():
    told = []

    def listen() -> None:
        told.append(1)

    moments.subscribe("x", listen)
    moments.subscribe("x", listen)
    moments.announce("x")
    assert told == [1]


def test_a_listener_that_fails_stops_what_announced_it():
    """Its rows belong to the same transaction: without them the change must not stand either."""

    def fail() -> None:
        raise ZeroDivisionError

    moments.subscribe("x", fail)
    with pytest.raises(ZeroDivisionError):
        moments.announce("x")
