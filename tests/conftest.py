"""What all tests share: one application on a migrated database, emptied between tests, and a client that reads pages.

HDS_TEST_PAIR=servers runs them on TEST_DATABASE_URL and TEST_REDIS_URL; otherwise on SQLite and an embedded Valkey.
"""

import os

# Before anything reads it: tests never see the developer's settings.
os.environ["HDS_ENV_FILE"] = ""
os.environ["FLASK_SKIP_DOTENV"] = "1"

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import Context
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from redis import Redis

from hds.app import create_app
from hds.config import Settings
from hds.extensions import db
from hds.lib.models import reading
from hds.lib.times import utcnow
from hds.migrate import upgrade
from hds.webhooks import inbox
from tests import html, servers

# The same examples in every run: a suite that fails now and then teaches nobody.
hypothesis_settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis_settings.load_profile("steady")

ON_SERVERS = os.environ.get("HDS_TEST_PAIR") == "servers"
SECRET = "whsec_test_only_not_a_real_secret"
NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)  # at the owner's


class Client(FlaskClient):
    """Reads every page that it gets, and fails on one that is not right.

    Each request runs in a context of its own, as behind a server: with the test's, it would find the user, the token
    and the database session of the request before.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        if has_app_context():
            db.session.commit()  # the test's open transaction would hold SQLite's write lock
        response = Context().run(super().open, *args, **kwargs)
        is_mail = "unsafe-inline" in response.headers.get("Content-Security-Policy", "")  # it brings its own styles
        is_page = response.mimetype == "text/html" and response.status_code not in {204, 301, 302, 303}
        if is_page and response.data and not is_mail:
            fragment = response.request.headers.get("HX-Request-Type") == "partial"
            html.check(response.get_data(as_text=True), fragment=fragment)
        return response


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not ON_SERVERS:
        return
    once = [item for item in items if item.get_closest_marker("browser") or item.get_closest_marker("processes")]
    config.hook.pytest_deselected(items=once)
    items[:] = [item for item in items if item not in once]


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """DATABASE_URL and REDIS_URL of this run."""
    with ExitStack() as stack:
        if ON_SERVERS:
            database = stack.enter_context(servers.own_database(os.environ["TEST_DATABASE_URL"]))
            queue = stack.enter_context(servers.empty_redis_database(os.environ["TEST_REDIS_URL"]))
        else:
            database = ""
            queue = stack.enter_context(servers.own_valkey(tmp_path_factory.mktemp("q")))
        yield {"database_url": database, "redis_url": queue}


@pytest.fixture(scope="session")
def make_settings(stores: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """Settings for tests: everything stated, nothing from the environment or a file."""
    data = tmp_path_factory.mktemp("data")

    def make(**stated: Any) -> Settings:
        values: dict[str, Any] = {
            "hds_data": data,
            "secret_key": "a test's secret",
            "cal_webhook_secret": SECRET,
            "sandbox": True,
            "booker": "native",
            "contact_email": "owner@hudson.example",
            **stores,
        }
        return Settings(_env_file=None, **(values | stated)).completed()

    return make


@pytest.fixture(scope="session")
def _app(make_settings: Callable[..., Settings]) -> Iterator[Flask]:
    app = create_app(make_settings())
    app.testing = True
    app.test_client_class = Client
    app.extensions["pagecache"].look_seconds = 0  # an edit shows at once, and no thread looks for it
    with app.app_context():
        upgrade()
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
    inbox.hang_up()


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords() -> Iterator[None]:
    """A fifth of a second for each password is right for staff, and minutes for a suite that signs in all the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hds.accounts.models._hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(autouse=True)
def _silent_inbox() -> Iterator[None]:
    """The inbox rings from a thread a moment later, which would be in the middle of another test. Tests call the jobs
    themselves; real processes, and the tests of the bell, ring."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hds.webhooks.views.bell.ring", lambda: None)
        yield


@pytest.fixture(autouse=True)
def _silent_counting() -> Iterator[None]:
    """What visits leave is written by a thread a moment later. Tests of the counting write it themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hds.analytics.writer.Writer._start", lambda writer: None)
        yield


@pytest.fixture
def app(_app: Flask) -> Iterator[Flask]:
    """The application with empty tables, inside an application context."""
    reading.set(False)  # as another application's client in an earlier test may have left it
    with _app.app_context():
        yield _app
        db.session.remove()
    empty(_app)


def empty(app: Flask) -> None:
    if has_app_context():
        db.session.remove()  # on SQLite a transaction that is still open would keep this one waiting
    with app.app_context():
        for table in reversed(db.metadata.sorted_tables):
            db.session.execute(table.delete())
        db.session.commit()
        app.extensions["pagecache"].clear()
        shutil.rmtree(app.config["HDS"].hds_data / "mailbox", ignore_errors=True)
        with Redis.from_url(app.config["HDS"].redis_url.get_secret_value()) as redis:
            for key in redis.scan_iter("rq:*"):
                redis.delete(key)


@pytest.fixture
def noon() -> Iterator[datetime]:
    """The clock stands, in the middle of the owner's day: some minutes later are the same day, and the same minute."""
    with time_machine.travel(NOON, tick=False):
        yield NOON


@pytest.fixture
def still() -> Iterator[None]:
    """The clock stands: what is signed now and a moment later is the same, letter by letter."""
    with time_machine.travel(utcnow(), tick=False):
        yield


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def staff(app: Flask) -> Any:
    from tests.factories import StaffFactory

    return StaffFactory(email="owner@hudson.example")


@pytest.fixture
def signed_in(app: Flask, staff: Any) -> FlaskClient:
    """A browser in which the owner has signed in."""
    from tests import forms

    client = app.test_client()
    forms.sign_in(client, staff.email)
    return client


@pytest.fixture
def strategy(app: Flask) -> Any:
    """The free consultation, as the sandbox knows it."""
    from tests.factories import ServiceFactory

    return ServiceFactory(slug="strategy-consultation", cal_event_type_id=1001, cal_event_slug="strategy-consultation")


@pytest.fixture
def payloads() -> Path:
    return Path(__file__).parent / "payloads"
