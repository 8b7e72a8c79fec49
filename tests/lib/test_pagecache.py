"""Pages from memory: the same for everybody, never older than the last edit, and nothing else."""

import gzip
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from datetime import UTC, datetime
from typing import Any

import brotli
import pytest
import requests
import time_machine
from flask import Flask, Response, abort, request, session
from flask.testing import FlaskClient
from flask_wtf.csrf import generate_csrf
from sqlalchemy.exc import OperationalError

from hds.app import create_app
from hds.config import Settings
from hds.extensions import db
from hds.lib import pagecache
from hds.lib.compression import best_encoding
from hds.lib.edition import Edition
from hds.lib.pagecache import PageCache, kept
from hds.webhooks import inbox
from tests.conftest import empty
from tests.factories import FaqEntryFactory, ServiceFactory
from tests.granian import served
from tests.processes.tree import until
from tests.test_headers import check

PIECE = {"HX-Request": "true", "HX-Request-Type": "partial"}
WORDS = "The river runs to the sea. " * 100
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
PAGES = ["/", "/services", "/services/talk", "/faq", "/privacy", "/book-consultation"]
FILES = ["/sitemap.xml", "/robots.txt", "/site.webmanifest"]


class Plain(FlaskClient):
    """Reads whatever comes, also what is compressed or no page."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return Context().run(super().open, *args, **kwargs)


@pytest.fixture
def other(app: Flask, make_settings: Callable[..., Settings]) -> Iterator[Flask]:
    """A second application on the same database, to which a test adds pages of its own."""
    other = create_app(make_settings())
    other.test_client_class = Plain
    other.extensions["pagecache"].look_seconds = 0
    yield other
    inbox.hang_up()
    with other.app_context():
        db.session.remove()
        db.engine.dispose()


class Shop:
    """A page of a test, and what it was asked with."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.cache: PageCache = app.extensions["pagecache"]
        self.client = app.test_client()
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[], Any] = lambda: Response(WORDS, mimetype="text/plain")

        @app.route("/shop", methods=["GET", "POST"])
        @kept("size", "colour")
        def shop() -> Any:
            return self.view()

        @app.get("/shop/<name>")
        @kept("size")
        def shelf(name: str) -> Any:
            return self.view()

        @app.get("/desk")
        def desk() -> Any:
            return self.view()

    def view(self) -> Any:
        told = {"query": request.query_string.decode(), "cookies": dict(request.cookies), "headers": request.headers}
        self.asked.append({**told, "body": request.get_data(), "host": request.host, "scheme": request.scheme})
        return self.answer()


@pytest.fixture
def shop(other: Flask) -> Shop:
    return Shop(other)


# What is kept, and under which key


@pytest.mark.parametrize("path", [*PAGES, *FILES])
def test_public_pages_are_answered_from_memory(app: Flask, client: FlaskClient, path: str) -> None:
    ServiceFactory(slug="talk")
    cache = app.extensions["pagecache"]
    first = client.get(path)
    assert (first.status_code, [key.path for key in cache.pages]) == (200, [path])
    page = next(iter(cache.pages.values()))
    second = client.get(path)
    assert second.data == first.data
    assert second.headers == first.headers
    assert next(iter(cache.pages.values())) is page


@pytest.mark.parametrize("path", PAGES)
def test_a_browser_may_keep_a_page_and_asks_each_time(client: FlaskClient, path: str) -> None:
    ServiceFactory(slug="talk")
    for _ in range(2):
        answer = client.get(path)
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Vary"] == "Accept-Encoding, Cookie, HX-Request-Type"
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("query", "same_as"),
    [
        ("utm_source=news&utm_medium=mail", ""),
        ("gclid=a&fbclid=b&msclkid=c&utm_x=%00", ""),
        ("", ""),
        ("colour=red&size=9", "size=9&colour=red"),
        ("size=9&utm_campaign=x&colour=red", "colour=red&size=9"),
        ("colour=%72ed", "colour=red"),
    ],
)
def test_one_page_for_each_combination_of_what_it_knows(shop: Shop, query: str, same_as: str) -> None:
    shop.client.get(f"/shop?{same_as}")
    shop.client.get(f"/shop?{query}")
    assert len(shop.asked) == 1
    assert "utm" not in shop.asked[0]["query"]


@pytest.mark.parametrize("query", ["size=9", "size=8", "colour=9", "size=", "size=9&size=8", "size=8&size=9"])
def test_what_a_page_knows_makes_another_page(shop: Shop, query: str) -> None:
    shop.client.get("/shop")
    shop.client.get("/shop?size=1")
    shop.client.get(f"/shop?{query}")
    assert [asked["query"] for asked in shop.asked] == ["", "size=1", query]


@pytest.mark.parametrize("query", ["q=river", "size=9&q=", "Size=9", "x=1;size=9", "size=" + "9" * 3000])
def test_what_no_page_knows_goes_to_flask_as_it_came(shop: Shop, query: str) -> None:
    shop.client.get(f"/shop?{query}")
    shop.client.get(f"/shop?{query}")
    assert [asked["query"] for asked in shop.asked] == [query] * 2
    assert not shop.cache.pages


def test_a_search_is_not_kept(app: Flask, client: FlaskClient) -> None:
    FaqEntryFactory(question="Is it free?")
    whole = client.get("/faq").text
    assert client.get("/faq?q=nothing-like-it").text != whole
    assert client.get("/faq").text == whole
    assert len(app.extensions["pagecache"].pages) == 1


# One visitor's state is never another's


def test_a_page_is_made_as_if_nobody_in_particular_asked(shop: Shop) -> None:
    shop.client.set_cookie("session", "ann")
    shop.client.set_cookie("theme", "dark")
    shop.client.set_cookie("seen", "yes")
    headers = {"User-Agent": "Ann", "Accept-Language": "de", "Referer": "http://ann.example/", "X-Name": "Ann"}
    shop.client.get("/shop?utm_source=ann", headers=headers, data=b"Ann=1", content_type="text/plain")
    [asked] = shop.asked
    assert (asked["cookies"], asked["body"], asked["query"]) == ({"theme": "dark"}, b"", "")
    assert set(asked["headers"].keys()) == {"Host", "Cookie"}


def test_each_theme_has_its_own_page(app: Flask) -> None:
    texts = {}
    for cookie in ("", "theme=light", "theme=dark", "theme=pink", "a=b; theme=dark; c=d", "mytheme=dark"):
        headers = {"Cookie": cookie} if cookie else {}
        texts[cookie] = app.test_client(use_cookies=False).get("/faq", headers=headers).text
    assert 'data-theme="dark"' in texts["theme=dark"]
    assert 'data-theme="light"' in texts["theme=light"]
    assert texts["a=b; theme=dark; c=d"] == texts["theme=dark"]
    assert "data-theme=" not in texts[""]
    assert texts[""] == texts["theme=pink"] == texts["mytheme=dark"]
    assert len(app.extensions["pagecache"].pages) == 3


def test_staff_and_strangers_see_the_same_page(client: FlaskClient, signed_in: FlaskClient) -> None:
    assert signed_in.get("/services").text == client.get("/services").text
    assert signed_in.get("/admin/bookings").status_code == 200, "the session outlives a kept page"


@pytest.mark.parametrize("first", [{}, PIECE], ids=["page first", "piece first"])
def test_a_piece_is_never_a_page(client: FlaskClient, first: dict[str, str]) -> None:
    FaqEntryFactory()
    for headers in (first, {}, PIECE, {}, PIECE, {"HX-Request-Type": "full"}):
        text = client.get("/faq", headers=headers).text
        assert ("<html" in text) is (headers != PIECE)


def test_each_host_and_scheme_has_its_own_page(shop: Shop) -> None:
    shop.answer = lambda: request.url
    for origin in ("http://one.example", "http://two.example", "https://one.example"):
        for _ in range(2):
            assert shop.client.get("/shop", base_url=origin).text == f"{origin}/shop"
    assert len(shop.asked) == 3


def test_who_brings_credentials_is_answered_alone(shop: Shop) -> None:
    for _ in range(2):
        shop.client.get("/shop", headers={"Authorization": "Bearer x"})
    assert len(shop.asked) == 2
    assert "Authorization" in shop.asked[0]["headers"]
    assert not shop.cache.pages


# What is not kept


def set_cookie() -> Response:
    response = Response(WORDS)
    response.set_cookie("seen", "yes")
    return response


def open_session() -> str:
    session.get("anything")
    return WORDS


@pytest.mark.parametrize(
    "answer",
    [
        set_cookie,
        open_session,
        generate_csrf,
        lambda: (WORDS, {"Cache-Control": "no-store"}),
        lambda: (WORDS, 201),
        lambda: ("", 302, {"Location": "/"}),
        lambda: abort(404),
        lambda: abort(429),
        lambda: abort(503),
        lambda: 1 / 0,
    ],
    ids=["cookie", "session", "token", "no-store", "201", "302", "404", "429", "503", "fault"],
)
def test_answers_that_are_not_for_everybody_are_not_kept(shop: Shop, answer: Callable[[], Any]) -> None:
    shop.answer = answer
    statuses = [shop.client.get("/shop").status_code for _ in range(2)]
    assert len(shop.asked) == 2
    assert statuses[0] == statuses[1]
    assert not shop.cache.pages
    shop.answer = lambda: "well again"
    assert shop.client.get("/shop").text == "well again"


def test_a_post_is_never_answered_from_memory(shop: Shop) -> None:
    shop.app.config["WTF_CSRF_ENABLED"] = False
    shop.client.get("/shop")
    for _ in range(2):
        shop.client.post("/shop", data=b"words")
    assert [asked["body"] for asked in shop.asked] == [b"", b"words", b"words"]
    assert len(shop.cache.pages) == 1


def test_a_view_that_says_nothing_is_not_kept(shop: Shop) -> None:
    for _ in range(2):
        assert shop.client.get("/desk").headers["Cache-Control"] == "private, no-cache"
    assert len(shop.asked) == 2


@pytest.mark.parametrize("path", ["/nowhere", "/services/nothing", "/admin", "/admin/sign-in", "/healthz"])
def test_what_is_not_public_or_not_there_is_not_kept(app: Flask, client: FlaskClient, path: str) -> None:
    client.get(path)
    assert not app.extensions["pagecache"].pages


# Edits


def test_an_old_price_is_never_shown(client: FlaskClient) -> None:
    service = ServiceFactory(slug="dive", price_amount=15000, price_currency="USD")
    paths = ["/services", "/services/dive", "/book-consultation"]
    assert all("$150" in client.get(path).text for path in paths)
    service.price_amount = 17500
    db.session.commit()
    for path in paths:
        text = client.get(path).text
        assert "$175" in text
        assert "$150" not in text


def test_an_edit_that_is_not_committed_is_not_shown_and_drops_nothing(app: Flask, client: FlaskClient) -> None:
    ServiceFactory(slug="dive", name="Deep dive")
    client.get("/services/dive")
    page = next(iter(app.extensions["pagecache"].pages.values()))
    Edition.begin_next()
    db.session.rollback()
    client.get("/services/dive")
    assert next(iter(app.extensions["pagecache"].pages.values())) is page


def test_another_process_shows_an_edit(app: Flask) -> None:
    service = ServiceFactory(slug="dive", price_amount=15000, price_currency="USD")
    db.session.commit()
    with served(app.config["HDS"]) as port:
        address = f"http://127.0.0.1:{port}/services/dive"
        first = requests.get(address, timeout=20)
        assert "$150" in first.text
        service.price_amount = 17500
        db.session.commit()
        again = {"If-None-Match": first.headers["ETag"]}
        changed = until(
            lambda: (answer := requests.get(address, headers=again, timeout=20)).ok and answer.text and answer
        )
        assert "$175" in changed.text
        assert "$150" not in changed.text
        # From here on the database is not asked at all, but the page is there.
        assert requests.get(address, timeout=20).headers["ETag"] == changed.headers["ETag"]


def test_a_page_that_was_being_made_during_an_edit_is_not_kept(shop: Shop) -> None:
    def edited_meanwhile() -> str:
        if len(shop.asked) > 1:
            return "new"
        Edition.begin_next()
        db.session.commit()
        shop.cache.look()  # as the watching thread may at any moment
        return "old"

    shop.answer = edited_meanwhile
    assert [shop.client.get("/shop").text for _ in range(3)] == ["old", "new", "new"]


def test_pages_stay_while_the_database_does_not_answer(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> int:
        raise OperationalError("SELECT", {}, Exception("gone"))

    def unavailable() -> Any:
        abort(503)

    with time_machine.travel(NOON, tick=False) as clock:
        assert shop.client.get("/shop").status_code == 200
        monkeypatch.setattr(Edition, "current", away)
        shop.answer = unavailable
        for _ in range(3):  # also once the page would be made anew
            clock.shift(pagecache.LONGEST_KEPT + 1)
            assert (shop.client.get("/shop").text, shop.client.get("/shop/other").status_code) == (WORDS, 503)


def test_a_page_that_is_gone_is_gone(shop: Shop) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        shop.client.get("/shop")
        clock.shift(pagecache.LONGEST_KEPT + 1)
        shop.answer = lambda: abort(404)
        assert shop.client.get("/shop").status_code == 404


def test_a_page_is_made_anew_now_and_then(shop: Shop) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        first = shop.client.get("/shop")
        clock.shift(pagecache.LONGEST_KEPT - 1)
        shop.client.get("/shop")
        assert len(shop.asked) == 1
        clock.shift(1)
        assert shop.client.get("/shop", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
        assert len(shop.asked) == 2
        clock.shift(-3600)
        shop.client.get("/shop")
        assert len(shop.asked) == 3


def test_the_thread_that_looks_ends_with_its_application() -> None:
    bare = Flask("bare")
    bare.add_url_rule("/", "home", kept()(lambda: "home"))
    cache = PageCache(bare, look_seconds=0.01)
    bare.wsgi_app = cache
    assert bare.test_client().get("/").text == "home", "no database, and still an answer"
    watcher = cache.watcher
    assert watcher
    assert watcher.is_alive()
    del bare, cache
    import gc

    gc.collect()
    watcher.join(20)
    assert not watcher.is_alive()


# Bounds


def test_robots_cannot_fill_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagecache, "MOST_PAGES", 5)
    shop.client.get("/shop")
    shop.client.get("/shop/one")
    for number in range(20):
        shop.client.get(f"/shop?size={number}")
        shop.client.get(f"/shop?invented{number}=1")
    assert len(shop.cache.pages) == 5
    asked = len(shop.asked)
    shop.client.get("/shop")
    shop.client.get("/shop/one")
    shop.client.get("/shop?size=19")
    assert len(shop.asked) == asked, "pages without a query stay, and the newest of the others"


def test_it_stays_below_its_bytes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagecache, "MOST_BYTES", 10_000)
    for number in range(20):
        shop.client.get(f"/shop/{number}")
        assert shop.cache.bytes == sum(page.size for page in shop.cache.pages.values()) <= 10_000
    assert len(shop.cache.pages) == 10_000 // next(iter(shop.cache.pages.values())).size


def test_a_crowd_makes_a_page_once(shop: Shop) -> None:
    crowd, everybody = 8, threading.Barrier(9)
    opened = threading.Event()

    def slowly() -> str:
        opened.wait(20)
        return f"made {len(shop.asked)}"

    def come(_: int) -> str:
        everybody.wait(20)
        return shop.app.test_client().get("/shop").text

    shop.answer = slowly
    with ThreadPoolExecutor(crowd) as pool:
        texts = pool.map(come, range(crowd))
        everybody.wait(20)
        until(lambda: shop.asked)
        opened.set()
        assert set(texts) == {"made 1"}
    assert len(shop.asked) == 1


def test_a_crowd_and_edits_leave_whole_pages(shop: Shop) -> None:
    shop.answer = lambda: Response(f"{len(shop.asked)} " * 500, mimetype="text/plain")

    def come(number: int) -> bool:
        client = shop.app.test_client()
        whole = []
        for turn in range(30):
            if number == 0 and turn % 5 == 0:
                shop.cache.clear()
            answer = client.get(f"/shop?size={turn % 3}", headers={"Accept-Encoding": "br"})
            words = brotli.decompress(answer.data).split()
            whole.append(answer.status_code == 200 and len(words) == 500 and len(set(words)) == 1)
        return all(whole)

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(come, range(6)))


# Encodings, ETag, HEAD


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", "identity"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("gzip;q=0.8, br;q=0.8", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0, gzip;q=0", "identity"),
        ("*", "br"),
        ("*;q=0", "identity"),
        ("br;q=0, *", "gzip"),
        ("identity, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity;q=0", "identity"),
        ("BR", "br"),
        ("zstd", "identity"),
        ("br;q=x", "identity"),
        (",;=,", "identity"),
    ],
)
def test_the_visitor_says_how_a_page_is_encoded(shop: Shop, accepted: str, encoding: str) -> None:
    if accepted == "br;q=x":  # nonsense may be read either way, as long as it is read
        assert best_encoding(accepted) in {"br", "identity"}
        return
    assert best_encoding(accepted) == encoding
    answer = shop.client.get("/shop", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding", "identity") == encoding
    decode: dict[str, Callable[[bytes], bytes]] = {"br": brotli.decompress, "gzip": gzip.decompress}
    assert decode.get(encoding, bytes)(answer.data).decode() == WORDS
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_each_encoding_has_its_own_strong_tag(shop: Shop) -> None:
    tags = {}
    for accepted in ("br", "gzip", ""):
        tags[accepted] = shop.client.get("/shop", headers={"Accept-Encoding": accepted}).headers["ETag"]
    assert len(set(tags.values())) == 3
    assert all(tag.startswith('"') for tag in tags.values())
    for accepted in tags:
        for other, tag in tags.items():
            headers = {"Accept-Encoding": accepted, "If-None-Match": tag}
            assert shop.client.get("/shop", headers=headers).status_code == (304 if other == accepted else 200)


@pytest.mark.parametrize(
    ("given", "status"),
    [("{tag}", 304), ("W/{tag}", 304), ('"x", {tag}', 304), ("*", 304), ('"x"', 200), ("", 200), ("{bare}", 200)],
)
def test_what_has_not_changed_is_not_sent_again(shop: Shop, given: str, status: int) -> None:
    tag = shop.client.get("/shop").headers["ETag"]
    has = given.format(tag=tag, bare=tag.strip('"'))
    answer = shop.client.get("/shop", headers={"If-None-Match": has})
    assert answer.status_code == status
    assert answer.headers["ETag"] == tag
    assert answer.headers["Vary"] == pagecache.VARY
    assert answer.headers["Cache-Control"] == "no-cache"
    if status == 304:
        assert answer.data == b""
        assert "Content-Length" not in answer.headers


def test_a_change_changes_the_tag(client: FlaskClient) -> None:
    entry = FaqEntryFactory()
    before = client.get("/faq").headers["ETag"]
    entry.answer = "No."
    db.session.commit()
    answer = client.get("/faq", headers={"If-None-Match": before})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != before


def test_head_is_get_without_the_page(shop: Shop) -> None:
    for headers in ({}, {"Accept-Encoding": "br"}):
        head = shop.client.head("/shop", headers=headers)
        get = shop.client.get("/shop", headers=headers)
        assert (head.data, head.headers) == (b"", get.headers)
    assert len(shop.asked) == 1


def test_a_view_may_allow_more_than_a_page(shop: Shop) -> None:
    shop.answer = lambda: Response(WORDS, mimetype="text/plain", headers={"Cache-Control": "public, max-age=60"})
    for _ in range(2):
        assert shop.client.get("/shop").headers["Cache-Control"] == "public, max-age=60"
    assert len(shop.asked) == 1


def test_a_picture_is_kept_as_it_is(shop: Shop) -> None:
    shop.answer = lambda: Response(b"\x89PNG" * 1000, mimetype="image/png")
    for _ in range(2):
        answer = shop.client.get("/shop", headers={"Accept-Encoding": "br, gzip"})
        assert (answer.data, "Content-Encoding" in answer.headers) == (b"\x89PNG" * 1000, False)
    assert len(shop.asked) == 1


# Headers


@pytest.mark.parametrize("path", [*PAGES, *FILES])
def test_kept_pages_have_the_headers_of_every_answer(other: Flask, path: str) -> None:
    ServiceFactory(slug="talk")
    db.session.commit()
    client = other.test_client()
    made = client.get(path, headers={"Accept-Encoding": "br"})
    again = client.get(path, headers={"Accept-Encoding": "br"})
    unchanged = client.get(path, headers={"Accept-Encoding": "br", "If-None-Match": made.headers["ETag"]})
    assert [answer.status_code for answer in (made, again, unchanged)] == [200, 200, 304]
    for answer in (made, again, unchanged, client.head(path)):
        check(answer, path)


def test_what_has_not_changed_says_the_views_own_policy_again(shop: Shop) -> None:
    """A browser puts the headers of a 304 over those that it keeps."""
    policy = {"Content-Security-Policy": "frame-src https://cal.example", "Permissions-Policy": "payment=(self)"}
    shop.answer = lambda: Response(WORDS, mimetype="text/plain", headers=policy)
    tag = shop.client.get("/shop").headers["ETag"]
    unchanged = shop.client.get("/shop", headers={"If-None-Match": tag})
    assert unchanged.status_code == 304
    assert {name: unchanged.headers.getlist(name) for name in policy} == {name: [policy[name]] for name in policy}


# Compressing what is not kept

BOTH = {"Accept-Encoding": "gzip, br"}


def desk(shop: Shop, answer: Callable[[], Any], **more: Any) -> Any:
    shop.answer = answer
    return shop.client.open("/desk", **{"headers": BOTH} | more)


def test_a_long_text_is_compressed(shop: Shop) -> None:
    answer = desk(shop, lambda: Response(WORDS, mimetype="text/plain"))
    assert (answer.headers["Content-Encoding"], brotli.decompress(answer.data).decode()) == ("br", WORDS)
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert "Accept-Encoding" in answer.headers["Vary"]
    plain = shop.client.get("/desk")
    assert (plain.text, plain.headers["Vary"]) == (WORDS, "Accept-Encoding")
    assert gzip.decompress(shop.client.get("/desk", headers={"Accept-Encoding": "gzip"}).data).decode() == WORDS
    assert shop.client.head("/desk", headers=BOTH).data == b""


@pytest.mark.parametrize(
    "answer",
    [
        set_cookie,
        open_session,
        lambda: generate_csrf() + WORDS,
        lambda: (WORDS, {"Cache-Control": "no-store"}),
        lambda: (WORDS, {"Cache-Control": "no-transform"}),
        lambda: "short",
        lambda: Response(WORDS, mimetype="image/png"),
        lambda: Response(
            gzip.compress(WORDS.encode()) * 20, mimetype="text/plain", headers={"Content-Encoding": "gzip"}
        ),
        lambda: Response((word for word in WORDS.split()), mimetype="text/plain"),
    ],
    ids=["cookie", "session", "token", "no-store", "no-transform", "short", "picture", "encoded", "streamed"],
)
def test_what_may_hold_a_secret_or_gains_nothing_is_sent_as_it_is(shop: Shop, answer: Callable[[], Any]) -> None:
    sent = desk(shop, answer)
    assert sent.headers.get("Content-Encoding") != "br"
    assert "Accept-Encoding" not in sent.headers.get("Vary", "")


def test_no_page_with_a_token_is_compressed(client: FlaskClient, signed_in: FlaskClient, strategy: Any) -> None:
    for answer in (
        client.get("/admin/sign-in", headers=BOTH),
        signed_in.get("/admin/bookings", headers=BOTH),
        signed_in.get("/admin/password", headers=BOTH),
    ):
        assert "csrf_token" in answer.text or "X-CSRFToken" in answer.text
        assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("path", ["/faq?q=free", "/book-consultation/talk", "/services?compare=talk"])
def test_public_pages_that_are_not_kept_are_compressed(other: Flask, path: str) -> None:
    ServiceFactory(slug="talk", cal_event_type_id=None)
    db.session.commit()
    answer = other.test_client().get(path, headers=BOTH)
    assert answer.headers["Content-Encoding"] == "br"
    assert b"<html" in brotli.decompress(answer.data)
    check(answer, path)


def test_emptying_the_tables_empties_the_pages(app: Flask, client: FlaskClient) -> None:
    client.get("/faq")
    empty(app)
    assert not app.extensions["pagecache"].pages
