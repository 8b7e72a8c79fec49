"""Visitors with a browser of their own, and the counting written when a test says so."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from hds.analytics.models import Visit
from hds.analytics.writer import Writer
from hds.extensions import db
from tests.conftest import NOON

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148"
ADDRESS = "198.51.100.7"


@pytest.fixture
def written(app: Flask) -> Any:
    """Write what was noted, and nothing of an earlier test: written()."""
    writer: Writer = app.extensions["counting"]
    writer._waiting.clear()
    writer.lost = 0

    def write() -> list[Visit]:
        db.session.rollback()
        writer.flush()
        return list(db.session.scalars(db.select(Visit).order_by(Visit.id)))

    yield write
    writer._waiting.clear()
    writer.lost = 0


@pytest.fixture
def look(client: FlaskClient, written: Any) -> Callable[..., Any]:
    """Somebody opens an address: look("/faq", agent=IPHONE, Referer=…)."""

    def open_page(
        path: str, *, address: str = ADDRESS, agent: str = CHROME, method: str = "GET", **headers: str
    ) -> Any:
        said = {"User-Agent": agent, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return client.open(path, method=method, headers=said, environ_base={"REMOTE_ADDR": address})

    return open_page


@pytest.fixture
def at() -> Callable[[datetime], None]:
    """Travel: at(NOON)."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller.move_to
