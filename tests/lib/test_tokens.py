"""Signed references say one thing, for one purpose, for a while."""

import pytest
import time_machine
from pydantic import SecretStr

from hds.lib import tokens
from hds.lib.times import utcnow


def test_what_was_signed_is_read(app):
    assert tokens.read("manage", tokens.sign("manage", {"booking": 7}), 60) == {"booking": 7}


def test_another_purpose_reads_nothing(app):
    assert tokens.read("cancel", tokens.sign("manage", 7), 60) is None


def test_it_ends(app):
    with time_machine.travel(utcnow(), tick=False) as clock:
        token = tokens.sign("manage", 7)
        clock.shift(59)
        assert tokens.read("manage", token, 60) == 7
        clock.shift(3)
        assert tokens.read("manage", token, 60) is None


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "x", lambda t: "x" + t, lambda t: "", lambda t: "é" * 40]
)
def test_what_was_changed_is_nothing(app, change):
    assert tokens.read("manage", change(tokens.sign("manage", 7)), 60) is None


def test_another_secret_reads_nothing(app, monkeypatch):
    token = tokens.sign("manage", 7)
    other = app.config["HDS"].model_copy(update={"secret_key": SecretStr("another")})
    monkeypatch.setitem(app.config, "HDS", other)
    assert tokens.read("manage", token, 60) is None
