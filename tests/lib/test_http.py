"""Against real servers on this machine: what fails, fails fast, once, and without telling what was sent."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from email.utils import formatdate
from typing import Any

import pytest
import structlog
from pytest_httpserver import HTTPServer
from structlog.testing import LogCapture
from werkzeug import Request, Response

from hds.lib import http
from hds.lib.http import Breaker, Outbound, Throttled, Unavailable, seconds_to_wait

Serve = Callable[[Callable[[socket.socket], None]], str]


@pytest.fixture(scope="module")
def running() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", port=0, threaded=True) as server:
        yield server


@pytest.fixture
def server(running: HTTPServer) -> HTTPServer:
    running.clear()
    return running


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server made of one function, for what no proper server does; it gets each connection once it was asked."""
    listeners: list[socket.socket] = []

    def start(answer: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def one(connection: socket.socket) -> None:
            with closing(connection), suppress(OSError):
                connection.recv(65536)
                answer(connection)

        def loop() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=loop, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/x"

    yield start
    for listener in listeners:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def hang(seconds: float = 6) -> Callable[[socket.socket], None]:
    return lambda _: time.sleep(seconds)


def quick(**changes: float) -> Outbound:
    return Outbound("test", **{"connect": 0.5, "read": 0.3, "total": 1.0, "wait": 0.05} | changes)  # type: ignore[arg-type]


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/x"


def test_an_answer_carries_status_headers_and_body(server: HTTPServer) -> None:
    server.expect_request("/x", query_string={"a": "b c"}, headers={"X-Test": "1"}).respond_with_json(
        {"ok": "ü"}, status=404, headers={"X-Back": "2"}
    )
    answer = quick().call("GET", server.url_for("/x"), params={"a": "b c"}, headers={"X-Test": "1"})
    assert (answer.status, answer.json(), answer.headers["x-back"]) == (404, {"ok": "ü"}, "2")


def test_a_body_is_sent_as_json(server: HTTPServer) -> None:
    server.expect_request("/x", method="POST", json={"name": "Zoë"}).respond_with_data("", status=201)
    assert quick().call("POST", server.url_for("/x"), body={"name": "Zoë"}).status == 201


def test_an_answer_that_is_no_json_is_a_value_error() -> None:
    for body in (b"", b"<html>", b"[" * 100_000):
        with pytest.raises(ValueError):  # noqa: PT011
            http.Answer(200, {}, body).json()


def test_redirects_are_not_followed(server: HTTPServer) -> None:
    server.expect_request("/x").respond_with_data("", status=302, headers={"Location": server.url_for("/elsewhere")})
    assert quick().call("GET", server.url_for("/x")).status == 302
    assert [request.path for request, _ in server.log] == ["/x"]


def test_cookies_are_not_kept(server: HTTPServer) -> None:
    server.expect_request("/x").respond_with_data("", headers={"Set-Cookie": "a=b"})
    outbound = quick()
    for _ in range(2):
        outbound.call("GET", server.url_for("/x"))
    assert "Cookie" not in server.log[-1][0].headers


def test_connections_are_kept_for_the_next_call(serve: Serve) -> None:
    connections = []

    def answer(connection: socket.socket) -> None:
        connections.append(connection)
        for _ in range(3):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.recv(65536)

    url, outbound = serve(answer), quick()
    assert [outbound.call("GET", url).body for _ in range(3)] == [b"ok"] * 3
    assert len(connections) == 1


def test_nobody_there_is_said_fast_and_nothing_was_sent() -> None:
    outbound, url = quick(), closed_port()
    with pytest.raises(Unavailable, match="no connection") as caught:
        outbound.call("POST", url, body={})
    assert not caught.value.maybe_sent


def test_an_unknown_host_was_sent_nothing() -> None:
    with pytest.raises(Unavailable) as caught:
        quick().call("POST", "http://no-such-host.invalid/x", body={})
    assert not caught.value.maybe_sent


@pytest.mark.parametrize("url", ["http://", "nonsense", "ftp://x/y", "http://[::1", "http://" + "a" * 300 + "/x"])
def test_a_wrong_address_is_unavailable_too(url: str) -> None:
    with pytest.raises(Unavailable) as caught:
        quick().call("POST", url)
    assert not caught.value.maybe_sent


@pytest.mark.parametrize("value", ["a\nb", "schlüssel€"])
def test_a_header_that_cannot_be_sent_is_unavailable(server: HTTPServer, value: str) -> None:
    with pytest.raises(Unavailable):
        quick().call("GET", server.url_for("/x"), headers={"Authorization": value})


def test_a_hanging_server_costs_one_timeout_and_may_have_got_the_call(serve: Serve) -> None:
    url = serve(hang())
    for method in ("POST", "GET"):
        started = time.monotonic()
        with pytest.raises(Unavailable, match="timed out") as caught:
            quick().call(method, url)
        assert 0.25 < time.monotonic() - started < 5
        assert caught.value.maybe_sent


def test_a_dripping_server_is_left_at_the_deadline(serve: Serve) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(100):
            connection.sendall(b".")
            time.sleep(0.05)

    started = time.monotonic()
    with pytest.raises(Unavailable, match="took too long") as caught:
        quick().call("GET", serve(drip))
    assert time.monotonic() - started < 4.5
    assert caught.value.maybe_sent


def test_an_endless_body_is_not_read_to_its_end(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 100_000)

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with pytest.raises(Unavailable, match="too large"):
        quick().call("GET", serve(flood))


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut", b"not http\r\n\r\n"])
def test_a_broken_answer_may_have_been_acted_on(serve: Serve, start: bytes) -> None:
    with pytest.raises(Unavailable) as caught:
        quick().call("POST", serve(lambda connection: connection.sendall(start)), body={})
    assert caught.value.maybe_sent


def test_a_get_is_tried_again_and_a_post_never(server: HTTPServer) -> None:
    answers = iter([503, 502, 200])
    server.expect_request("/get").respond_with_handler(lambda _: Response(status=next(answers)))
    server.expect_request("/post").respond_with_data("", status=503)
    assert quick().call("GET", server.url_for("/get")).status == 200
    with pytest.raises(Unavailable, match="503") as caught:
        quick().call("POST", server.url_for("/post"), body={})
    assert (caught.value.status, caught.value.maybe_sent) == (503, True)
    assert [request.path for request, _ in server.log] == ["/get"] * 3 + ["/post"]


def test_a_500_is_no_answer_and_not_tried_again(server: HTTPServer) -> None:
    server.expect_request("/x").respond_with_data("", status=500)
    with pytest.raises(Unavailable, match="500"):
        quick().call("GET", server.url_for("/x"))
    assert len(server.log) == 1


def test_after_five_failures_it_is_left_alone_then_tried_once(server: HTTPServer) -> None:
    status = 500
    server.expect_request("/x").respond_with_handler(lambda _: Response(status=status))
    outbound, url = quick(rest=0.5), server.url_for("/x")
    for _ in range(5):
        with pytest.raises(Unavailable, match="500"):
            outbound.call("POST", url)
    with pytest.raises(Unavailable, match="not asked again") as caught:
        outbound.call("POST", url)
    assert not caught.value.maybe_sent
    assert len(server.log) == 5
    time.sleep(0.55)
    with pytest.raises(Unavailable, match="500"):  # the trial: one call, and alone again
        outbound.call("POST", url)
    with pytest.raises(Unavailable, match="not asked again"):
        outbound.call("POST", url)
    time.sleep(0.55)
    status = 200
    for _ in range(3):
        assert outbound.call("POST", url).status == 200
    assert len(server.log) == 9


def test_refusals_in_between_are_no_failures(server: HTTPServer) -> None:
    answers = iter([500, 500, 500, 500, 404] * 3)
    server.expect_request("/x").respond_with_handler(lambda _: Response(status=next(answers)))
    outbound = quick()
    for _ in range(15):
        with suppress(Unavailable):
            outbound.call("POST", server.url_for("/x"))
    assert len(server.log) == 15


def test_the_trial_is_one_call_however_many_want_one() -> None:
    breaker = Breaker(failures=1, rest=0.05)
    with pytest.raises(ZeroDivisionError), breaker.call():
        raise ZeroDivisionError
    time.sleep(0.06)
    with breaker.call(), pytest.raises(Unavailable), breaker.call():
        raise AssertionError("two trials at once")
    with breaker.call():
        pass


def test_no_more_than_two_calls_run_at_once(server: HTTPServer) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def slowly(_: Request) -> Response:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.6)
        with lock:
            running -= 1
        return Response("ok")

    server.expect_request("/x").respond_with_handler(slowly)
    outbound, url = quick(read=2.0, total=3.0), server.url_for("/x")

    together = threading.Barrier(8)

    def call(_: int) -> str:
        together.wait()
        try:
            return outbound.call("GET", url).body.decode()
        except Unavailable as error:
            return f"{error.reason}, maybe sent: {error.maybe_sent}"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(call, range(8)))
    assert outcomes == ["ok"] * 2 + ["too many calls at the same time, maybe sent: False"] * 6
    assert most == 2


def test_all_calls_of_a_page_share_one_deadline(server: HTTPServer) -> None:
    server.expect_request("/x").respond_with_data("{}")
    outbound = quick()
    with http.within(0.4):
        assert http.time_left() <= 0.4
        with http.within(60):  # an inner one gives no more time
            for _ in range(7):
                with pytest.raises(Unavailable, match="no time is left") as caught:
                    outbound.call("POST", server.url_for("/x"))
                assert not caught.value.maybe_sent
    assert not server.log
    assert http.time_left() == float("inf")
    assert outbound.call("GET", server.url_for("/x")).status == 200, "the other side failed at nothing"


def test_what_the_deadline_cuts_off_is_no_answer(serve: Serve) -> None:
    with http.within(0.6), pytest.raises(Unavailable, match="timed out") as caught:
        quick(read=1.4, total=2.0).call("POST", serve(hang()))
    assert caught.value.maybe_sent


def test_without_room_nothing_is_sent(server: HTTPServer) -> None:
    server.expect_request("/x").respond_with_data("{}")
    room = [True, False, True]
    outbound = Outbound("test", has_room=lambda: room.pop(0))
    assert outbound.call("GET", server.url_for("/x")).status == 200
    with pytest.raises(Throttled) as caught:
        outbound.call("GET", server.url_for("/x"))
    assert not caught.value.maybe_sent
    assert outbound.call("GET", server.url_for("/x")).status == 200
    assert (len(server.log), room) == (2, [])


def test_hanging_calls_do_not_make_others_wait(serve: Serve) -> None:
    outbound, url = quick(read=3.0, total=3.0), serve(hang(4))
    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(outbound.call, "POST", url) for _ in range(2)]
        time.sleep(0.2)
        started = time.monotonic()
        with pytest.raises(Unavailable, match="same time"):
            outbound.call("POST", url)
        assert time.monotonic() - started < 2
        assert all(isinstance(call.exception(), Unavailable) for call in slow)


def test_too_many_is_respected_before_the_next_call(server: HTTPServer) -> None:
    server.expect_request("/x").respond_with_data("", status=429, headers={"X-RateLimit-Reset-Default": "17"})
    outbound = quick()
    for _ in range(3):
        with pytest.raises(Throttled) as caught:
            outbound.call("GET", server.url_for("/x"))
        assert 10 < caught.value.seconds <= 17
        assert not caught.value.maybe_sent
    assert len(server.log) == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 60),
        ({"Retry-After": "12"}, 12),
        ({"Retry-After": "soon"}, 60),
        ({"X-RateLimit-Reset-Default": "30"}, 30),
        ({"X-RateLimit-Reset-Guests": "nan"}, 60),
        ({"Retry-After": "99999"}, 300),
        ({"Retry-After": "0"}, 1),
    ],
)
def test_how_long_to_stay_away(headers: dict[str, str], expected: float) -> None:
    assert seconds_to_wait(headers) == pytest.approx(expected)


def test_a_reset_may_also_be_a_moment() -> None:
    later = time.time() + 90
    assert seconds_to_wait({"x-ratelimit-reset-default": f"{later:.0f}"}) == pytest.approx(90, abs=5)
    assert seconds_to_wait({"Retry-After": formatdate(later, usegmt=True)}) == pytest.approx(90, abs=5)


def test_logs_hold_the_path_and_nothing_that_was_sent(
    server: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="werkzeug")  # the server's own lines
    lines = LogCapture()
    monkeypatch.setattr(http, "log", structlog.wrap_logger(structlog.PrintLogger(), processors=[lines]))
    server.expect_request("/x").respond_with_data("secret-answer", status=200)
    server.expect_request("/y").respond_with_data("secret-answer", status=503)
    private: dict[str, Any] = {"params": {"q": "secret-query"}, "headers": {"X": "secret-header"}}
    quick().call("GET", server.url_for("/x"), **private)
    with pytest.raises(Unavailable) as caught:
        quick().call("GET", server.url_for("/y"), **private)
    with pytest.raises(Unavailable) as refused:
        quick().call("GET", closed_port(), **private)
    printed = capfd.readouterr()
    told = repr(lines.entries) + repr(caught.value) + repr(refused.value) + printed.out + printed.err + caplog.text
    assert refused.value.__suppress_context__
    assert [entry["path"] for entry in lines.entries] == ["/x"] + ["/y"] * 3 + ["/x"] * 3
    assert "secret" not in told
