"""Cal.com's limit is one for all visitors and all our processes: no crowd and no bot may spend it."""

import json
import random
import re
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from hds.app import create_app
from hds.calcom import client as calcom
from hds.calcom.account import Account
from hds.calcom.client import BROWSING, CALLS, EACH, CalClient, Person, Target
from hds.calcom.errors import RateLimited
from hds.config import Settings
from hds.lib.budget import comes_first
from hds.webhooks import inbox
from tests.test_limits import somewhere

UTC_ZONE = ZoneInfo("UTC")
LIMIT_OF_CAL = 120
pytestmark = pytest.mark.usefixtures("noon")  # all calls of a test are of one minute, however slow the machine
BOOKED = {"id": 1, "uid": "abc", "status": "accepted", "start": "2030-01-01T10:00:00Z", "end": "2030-01-01T10:30:00Z"}


class Cal:
    """Answers everything, and counts."""

    def __init__(self, server: HTTPServer) -> None:
        self.calls: Counter[str] = Counter()
        self.url = server.url_for("/v2")
        server.expect_request(re.compile(".*")).respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        self.calls[request.method] += 1
        data: Any = BOOKED if request.method == "POST" else {}
        return Response(json.dumps({"status": "success", "data": data}), mimetype="application/json")


@pytest.fixture
def cal(httpserver: HTTPServer) -> Cal:
    return Cal(httpserver)


@pytest.fixture
def process(cal: Cal) -> Callable[[], CalClient]:
    """Another process of ours with the same account, which no other test has."""
    account = Account(api_url=cal.url, api_key=secrets.token_hex(8))

    def start() -> CalClient:
        client: CalClient = calcom._client_of.__wrapped__(account)
        return client

    return start


def look(app: Flask, client: CalClient, number: int, address: str = "127.0.0.1") -> bool:
    """A visitor's look at a month that nobody looked at before. False where there was no call left for it."""
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
        day = date(2030, 1, 1) + timedelta(days=number)
        try:
            client.slots(Target(1001), day, day, UTC_ZONE)
        except RateLimited:
            return False
        return True


def book(app: Flask, client: CalClient) -> bool:
    with app.test_request_context(), comes_first():
        try:
            client.create_booking(
                Target(1001), datetime(2030, 1, 1, 10, tzinfo=UTC), Person("Ann", "a@b.example", "UTC")
            )
        except RateLimited:
            return False
        return True


def test_a_crowd_with_many_wishes_makes_a_bounded_number_of_calls(app: Flask, cal: Cal, process: Any) -> None:
    processes = [process(), process(), process()]
    wishes = list(range(3 * CALLS))
    random.Random(1).shuffle(wishes)

    def one(number: int) -> bool:
        return look(app, processes[number % 3], number, somewhere())

    with ThreadPoolExecutor(2) as pool:
        answered = list(pool.map(one, wishes))
    assert sum(answered) == cal.calls["GET"] == BROWSING
    assert BROWSING < CALLS < LIMIT_OF_CAL


def test_browsing_never_starves_a_booking(app: Flask, cal: Cal, process: Any) -> None:
    client, other = process(), process()
    for number in range(BROWSING):
        assert look(app, client, number)
    assert not look(app, other, BROWSING)
    assert [book(app, other) for _ in range(CALLS - BROWSING)] == [True] * (CALLS - BROWSING)
    assert not book(app, client)
    assert cal.calls.total() == CALLS


def test_one_bot_takes_nothing_away_from_the_others(app: Flask, cal: Cal, process: Any) -> None:
    client, bot = process(), somewhere()
    answered = [look(app, client, number, bot) for number in range(3 * EACH)]
    assert answered == [True] * EACH + [False] * (2 * EACH)
    assert look(app, client, 3 * EACH, somewhere())


def test_what_is_known_already_costs_nothing(app: Flask, cal: Cal, process: Any) -> None:
    client, bot = process(), somewhere()
    assert [look(app, client, 1, bot) for _ in range(3 * EACH)] == [True] * (3 * EACH)
    assert cal.calls.total() == 1


@pytest.fixture
def deaf(make_settings: Callable[..., Settings]) -> Iterator[Flask]:
    """An application of two processes whose Redis takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        redis_url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        yield create_app(make_settings(redis_url=redis_url, web_workers=2))
        inbox.hang_up()


def test_while_redis_is_silent_each_process_has_its_part(deaf: Flask, cal: Cal, process: Any) -> None:
    """Two web processes and a worker."""
    client = process()
    answered = [look(deaf, client, number) for number in range(CALLS)]
    assert sum(answered) == BROWSING // 3
    assert book(deaf, client)
