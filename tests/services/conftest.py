"""A Cal.com of one's own beside the site, in this process, so that a test can see and change what it keeps."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from hds.calcom.account import account_from
from hds.calcom.client import CalClient
from hds.config import Settings
from hds.sandbox.app import create_app, desk_of, listen
from hds.sandbox.desk import Desk
from hds.sandbox.settings import Settings as SandboxSettings
from tests import granian


@dataclass
class Cal:
    """`url`: where it is. `desk`: what it keeps."""

    url: str
    desk: Desk

    @property
    def webhooks(self) -> list[Any]:
        return self.desk.subscriptions.all()


@contextmanager
def running(settings: SandboxSettings) -> Iterator[Cal]:
    cal = create_app(settings)
    server, address = listen(cal)
    desk = desk_of(cal)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Cal(address, desk)
    finally:
        desk.outbox.stop()
        server.shutdown()
        server.server_close()
        thread.join(5)
        if desk.outbox.thread:
            desk.outbox.thread.join(5)
        desk.store.close()


@pytest.fixture
def cal(tmp_path: Path) -> Iterator[Cal]:
    with running(SandboxSettings(data=tmp_path / "cal", rate_limit=1000, webhook_delay=0.0)) as found:
        yield found


@pytest.fixture(scope="module")
def served(_app: Flask) -> Iterator[str]:
    """The address at which the site really answers."""
    with granian.served(_app.config["HDS"]) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def state(app: Flask) -> Iterator[Callable[..., Settings]]:
    """Change settings of the site for one test: state(site_url=…)."""
    before: Settings = app.config["HDS"]

    def change(**stated: Any) -> Settings:
        app.config["HDS"] = app.config["HDS"].model_copy(update=stated)
        return app.config["HDS"]

    yield change
    app.config["HDS"] = before


@pytest.fixture
def at(state: Callable[..., Settings]) -> Callable[..., CalClient]:
    """Have the site use the Cal.com at this address, as a real account, and get a client of it."""

    def point(url: str, *, seconds: float = 2.0, **stated: Any) -> CalClient:
        settings = state(**{"cal_api_url": f"{url}/v2", "cal_base_url": url, "sandbox": False} | stated)
        return CalClient(replace(account_from(settings), read_seconds=seconds))

    return point
