"""How often one visitor may do what, and how kindly the rest is refused. Each test comes from addresses of its own."""

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_limiter.util import get_qualified_name
from redis import Redis

from hds.app import create_app
from hds.config import Settings
from hds.extensions import counting, db, limiter
from hds.lib import limits
from hds.webhooks import inbox
from tests.bookings.visitor import HTMX
from tests.conftest import Client
from tests.deliveries import URL

THEME = int(limits.THEME.split()[0])
SEARCH = int(limits.SEARCH.split()[0])


def somewhere() -> str:
    """An address that no other test has: what was counted for it in an earlier run may not be forgotten yet."""
    return str(IPv4Address(random.SystemRandom().randrange(11 << 24, 12 << 24)))


def somewhere_new() -> IPv6Network:
    network = random.SystemRandom().getrandbits(61) | 1 << 61  # 2000::/3
    return IPv6Network((network << 64, 64))


@pytest.fixture
def home(app: Flask) -> str:
    """A visitor's address. The limiter counts where this application does, whichever was made last."""
    limiter.init_app(app)
    return somewhere()


def switch(client: FlaskClient, address: str | IPv6Address, **more: Any) -> Any:
    return client.post("/theme", data={"theme": "dark"}, environ_base={"REMOTE_ADDR": str(address)}, **more)


def exhaust(client: FlaskClient, address: str | IPv6Address) -> None:
    assert {switch(client, address).status_code for _ in range(THEME)} == {303}


def test_who_asks_too_often_is_told_what_to_do(client: FlaskClient, home: str) -> None:
    exhaust(client, home)
    page, piece = switch(client, home), switch(client, home, headers=HTMX)
    for answer in (page, piece):
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert "Wait a minute" in answer.text
        assert "owner@hudson.example" in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "X-RateLimit-Limit" not in answer.headers
    assert "<html" in page.text
    assert (piece.headers["HX-Retarget"], piece.headers["HX-Reswap"]) == ("#alerts", "innerHTML")


def test_others_and_other_pages_are_not_limited_by_that(client: FlaskClient, home: str) -> None:
    exhaust(client, home)
    assert switch(client, home).status_code == 429
    assert switch(client, somewhere()).status_code == 303
    assert client.get("/faq?q=time", environ_base={"REMOTE_ADDR": home}).status_code == 200


def test_one_connection_of_ipv6_is_one_visitor(client: FlaskClient, home: str) -> None:
    ours, theirs = somewhere_new(), somewhere_new()
    exhaust(client, ours[1])
    assert switch(client, ours[2**63]).status_code == 429
    assert switch(client, theirs[1]).status_code == 303


def test_ipv4_is_the_same_visitor_in_the_clothes_of_ipv6(client: FlaskClient, home: str) -> None:
    exhaust(client, home)
    assert switch(client, f"::ffff:{home}").status_code == 429


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "", "unix:"])
def test_this_machine_and_who_has_no_address_are_not_counted(client: FlaskClient, home: str, address: str) -> None:
    exhaust(client, address)
    assert switch(client, address).status_code == 303


def test_behind_a_proxy_the_visitor_counts_and_not_what_it_claims(make_settings: Callable[..., Settings]) -> None:
    with another_site(make_settings(trusted_hops=1)) as client:
        home = somewhere()

        def ask(address: str, claimed: str = "") -> int:
            header = {"X-Forwarded-For": f"{claimed}, {address}" if claimed else address}
            return int(client.post("/theme", data={"theme": "dark"}, headers=header).status_code)

        assert {ask(home, somewhere()) for _ in range(THEME)} == {303}
        assert ask(home, "127.0.0.1") == 429
        assert ask(somewhere()) == 303


def test_no_address_is_kept_and_nothing_for_long(client: FlaskClient, app: Flask, home: str) -> None:
    with Redis.from_url(app.config["HDS"].redis_url.get_secret_value()) as redis:
        before = set(redis.scan_iter("limit:*"))
        switch(client, home)
        (kept,) = set(redis.scan_iter("limit:*")) - before
        assert home.encode() not in kept
        assert 0 < redis.ttl(kept) <= 60


def test_while_redis_is_silent_each_process_counts_by_itself(make_settings: Callable[..., Settings]) -> None:
    """It takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        settings = make_settings(redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with another_site(settings) as client:
            home = somewhere()
            exhaust(client, home)
            answer = switch(client, home)
            assert (answer.status_code, answer.headers["Retry-After"].isdecimal()) == (429, True)
            assert switch(client, somewhere()).status_code == 303


def test_a_socket_of_redis_is_named_as_the_counter_wants_it(make_settings: Callable[..., Settings]) -> None:
    for stated, wanted in {
        "unix:///run/valkey.sock?db=1": "redis+unix:///run/valkey.sock?db=1",
        "redis://:secret@host:1/2": "redis://:secret@host:1/2",
        "rediss://host:1": "rediss://host:1",
    }.items():
        assert counting(make_settings(redis_url=stated))[0] == wanted


def test_webhooks_are_never_refused_for_their_number(client: FlaskClient, home: str) -> None:
    answers = {client.post(URL, data=b"{}", environ_base={"REMOTE_ADDR": home}).status_code for _ in range(400)}
    assert answers == {401}


def test_a_search_is_limited_and_reading_is_not(client: FlaskClient, home: str) -> None:
    from_home: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": home}, "headers": HTMX}
    assert {client.get(f"/faq?q=x{n}", **from_home).status_code for n in range(SEARCH)} == {200}
    assert client.get("/faq?q=more", **from_home).status_code == 429
    assert client.get("/faq", **from_home).status_code == 200


@pytest.mark.parametrize(
    "endpoint",
    [
        "bookings.choose_time",
        "bookings.times",
        "bookings.book",
        "bookings.done",
        "bookings.elsewhere",
        "crawlers.picture",
        "accounts.begin_session",
        "analytics.receive",
    ],
)
def test_what_costs_something_has_a_limit(app: Flask, endpoint: str) -> None:
    assert limiter.limit_manager.decorated_limits(get_qualified_name(app.view_functions[endpoint]))


@contextmanager
def another_site(settings: Settings) -> Iterator[FlaskClient]:
    """A client of an application of its own. Afterwards the limiter asks Redis again."""
    app = create_app(settings)
    app.test_client_class = Client
    yield app.test_client()
    limiter._storage_dead = False
    inbox.hang_up()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
