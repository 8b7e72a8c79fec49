"""Public pages answered from memory, in front of Flask.

A view says in one line that its page is the same for everybody, with the query parameters that the page knows:

    @blueprint.get("/faq")
    @kept()                             # /faq is kept; /faq?q=... is not, and goes to Flask
    def faq(): ...

    @blueprint.get("/services")
    @kept("show", "need")               # each combination is a page of its own; for a few fixed values, never free text
    def index(): ...

Without that line nothing is kept. With it, nothing wrong can be: to make a page that is kept, Flask is asked with what
is in its key and nothing else. The key is scheme, host, path, the known parameters and the theme (a cookie: `light`,
`dark` or none). Every other cookie and header and any body is taken away, so a page cannot come to depend on who asks.
utm_* and click ids are left out of the key; a request with any other unknown parameter goes to Flask as it came.
Kept are answers with status 200 that set no cookie, opened no session and do not say `no-store`; whoever prints a token
has opened a session. Fragments (`HX-Request-Type: partial`), Authorization and all but GET and HEAD go to Flask.

What is kept is dropped when `Edition` has grown. One thread in each process looks at it, so an edit shows within a
second and nobody waits for the look; where the database does not answer, the pages that are there stay. A page is made
anew after `LONGEST_KEPT` all the same, for it may say "today".

Caches further out: `no-cache` lets a browser keep a page but ask each time, which costs a 304 (a view that says another
Cache-Control than `private` keeps it). `Vary: Cookie` stands there because of the theme: a cache shared by many, which
cannot know that the other cookies do not matter, must not hand a dark page to somebody who chose light. It costs
browsers nothing: their cookies rarely change, and then the ETag still holds.
"""

import gzip
import hashlib
import re
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from threading import Lock, Thread
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

import brotli
import structlog
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from hds.lib.compression import EACH_TIME, TEXT, Application, best_encoding, close, compressed, has_opened_session
from hds.lib.edition import Edition
from hds.lib.logs import where
from hds.lib.models import reading

log = structlog.get_logger(part="pages")

LOOK_SECONDS = 0.8  # and the look itself: less than a second after an edit
LONGEST_KEPT = 60  # seconds
MOST_PAGES = 500
MOST_BYTES = 32 * 1024 * 1024
LONGEST_QUERY = 2000  # characters; more goes to Flask
ONCE = 11  # brotli's quality: 60 ms for 20 KB, a tenth smaller than what a page with a query gets

UNCOUNTED = re.compile(
    r"utm_\w+|gclid|gbraid|wbraid|dclid|fbclid|msclkid|ttclid|twclid|li_fat_id|igshid|yclid|mc_[ce]id"
)
THEME = re.compile(r"(?:^|;)\s*theme=(light|dark)\s*(?:;|$)")
VARY = "Accept-Encoding, Cookie, HX-Request-Type"
# What this layer says itself, and what is about one answer to one visitor.
OURS = {"content-length", "cache-control", "vary", "etag", "last-modified", "expires", "date", "retry-after"}
SUFFIXES = {"br": "-br", "gzip": "-gz", "identity": ""}

View = TypeVar("View", bound=Callable[..., Any])


def kept(*parameters: str) -> Callable[[View], View]:
    """This view's page is public, the same for everybody, and may be kept; `parameters` are those that change it."""

    def mark(view: View) -> View:
        view.kept_parameters = frozenset(parameters)  # type: ignore[attr-defined]
        return view

    return mark


def in_front_of(app: Flask) -> "PageCache":
    """Reached as `app.extensions["pagecache"]` by tests."""
    cache: PageCache = app.extensions.setdefault("pagecache", PageCache(app))
    return cache


class Key(NamedTuple):
    scheme: str
    host: str
    path: str
    query: str
    theme: str


@dataclass(frozen=True)
class Answer:
    """What Flask said, whole."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def code(self) -> int:
        return int(self.status[:3])


@dataclass(frozen=True)
class Page:
    """One page in each encoding that helps it, each with its headers and a strong ETag of its own."""

    made_at: float
    digest: str
    headers: dict[str, list[tuple[str, str]]]
    bodies: dict[str, bytes]
    unchanged: dict[str, list[tuple[str, str]]]  # the headers of a 304
    tags: dict[str, str]

    @property
    def size(self) -> int:
        return sum(map(len, self.bodies.values()))

    def is_fresh(self) -> bool:
        return 0 <= time.time() - self.made_at < LONGEST_KEPT  # and not from the future, should the clock be set back

    def answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        encoding = best_encoding(environ.get("HTTP_ACCEPT_ENCODING", ""))
        if encoding not in self.bodies:
            encoding = "identity"
        has = environ.get("HTTP_IF_NONE_MATCH")
        if has and (self.tags[encoding] in has or has.strip() == "*"):
            start_response("304 NOT MODIFIED", self.unchanged[encoding].copy())
            return []
        start_response("200 OK", self.headers[encoding].copy())
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.bodies[encoding]]


class PageCache:
    """The WSGI application in front of Flask. `look_seconds=0` looks at the edition at every request, as tests want."""

    def __init__(self, app: Flask, look_seconds: float = LOOK_SECONDS) -> None:
        self.app = app
        self.flask: Application = app.wsgi_app
        self.look_seconds = look_seconds
        self.parameters_of = lru_cache(maxsize=1000)(self._find_parameters)
        self.pages: dict[Key, Page] = {}
        self.bytes = 0
        self.edition: int | None = None
        self.could_look = True
        self.lock = Lock()  # over the four above
        self.watcher: Thread | None = None
        self.starting = Lock()
        # One page is made by one thread. Two keys that share a lock wait for each other, which does no harm.
        self.making = [Lock() for _ in range(64)]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        key = self._key(environ)
        if key is None:
            return compressed(self.flask, environ, start_response)
        self._watch()
        page = self.pages.get(key)
        if page is None or not page.is_fresh():
            made = self._make(key, environ)
            if isinstance(made, Answer):
                return compressed(_say(made), environ, start_response)
            page = made
        return page.answer(environ, start_response)

    # Which page is asked for

    def _key(self, environ: dict[str, Any]) -> Key | None:
        """None where the answer is for this request alone."""
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"} or "HTTP_AUTHORIZATION" in environ:
            return None
        if environ.get("HTTP_HX_REQUEST_TYPE") == "partial":
            return None
        parameters = self.parameters_of(environ["PATH_INFO"])
        if parameters is None:
            return None
        query = environ.get("QUERY_STRING", "")
        if query:
            query = known_query(query, parameters)
            if query is None:
                return None
        cookies = environ.get("HTTP_COOKIE")
        theme = THEME.search(cookies) if cookies else None
        host = environ.get("HTTP_HOST", "")
        return Key(environ["wsgi.url_scheme"], host, environ["PATH_INFO"], query, theme[1] if theme else "")

    def _find_parameters(self, path: str) -> frozenset[str] | None:
        """What the view of this path knows; None where its page is not to be kept, or there is none."""
        decoded = path.encode("latin-1", "replace").decode("utf-8", "replace")
        try:
            endpoint, _ = self.app.url_map.bind("localhost").match(decoded, method="GET")
        except HTTPException:
            return None
        return getattr(self.app.view_functions[endpoint], "kept_parameters", None)

    # Making and keeping

    def _make(self, key: Key, environ: dict[str, Any]) -> Page | Answer:
        with self.making[hash(key) % len(self.making)]:
            before = self.pages.get(key)
            if before and before.is_fresh():  # another thread has made it meanwhile
                return before
            edition = self.edition
            answer = ask(self.flask, nobodys(environ, key))
            if may_be_kept(answer):
                page = make_page(answer, before, ONCE if not key.query else EACH_TIME)
            elif before and answer.code >= 500:
                page = replace(before, made_at=time.time())  # an earlier page is better than an excuse
            else:
                return answer
            self._keep(key, page, edition)
            return page

    def _keep(self, key: Key, page: Page, edition: int | None) -> None:
        """Unless an edit was seen while the page was being made. What has a query goes first: robots invent those."""
        with self.lock:
            if edition != self.edition:
                return
            self._drop(key)
            self.pages[key] = page
            self.bytes += page.size
            while self.pages and (len(self.pages) > MOST_PAGES or self.bytes > MOST_BYTES):
                self._drop(next((other for other in self.pages if other.query), next(iter(self.pages))))

    def _drop(self, key: Key) -> None:
        page = self.pages.pop(key, None)
        self.bytes -= page.size if page else 0

    def clear(self) -> None:
        with self.lock:
            self.pages.clear()
            self.bytes = 0

    # Editions

    def look(self) -> None:
        """Drop everything if there was an edit. What keeps the database from answering keeps the pages."""
        before = reading.set(True)
        try:
            with self.app.app_context():
                edition = Edition.current()
        except Exception as error:  # whatever it is, visitors have pages meanwhile
            if self.could_look:
                log.error("the edition cannot be read; pages stay as they are", **where(error))
            self.could_look = False
            return
        finally:
            reading.reset(before)
        self.could_look = True
        with self.lock:
            if edition != self.edition:
                self.edition = edition
                self.pages.clear()
                self.bytes = 0

    def _watch(self) -> None:
        """The thread begins with the first request: a server that forks would leave it behind."""
        if not self.look_seconds:
            self.look()
        elif self.watcher is None:
            with self.starting:
                if self.watcher is None:
                    self.look()
                    self.watcher = Thread(target=_keep_looking, args=(weakref.ref(self),), name="edition", daemon=True)
                    self.watcher.start()


def _keep_looking(reference: "weakref.ref[PageCache]") -> None:
    """Until nobody uses the application any more."""
    while cache := reference():
        seconds = cache.look_seconds
        cache.look()
        del cache
        time.sleep(seconds)


def known_query(query: str, parameters: frozenset[str]) -> str | None:
    """The parameters that the page knows, in one order; None where there is one that nobody knows."""
    if len(query) > LONGEST_QUERY:
        return None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return None
    pairs = [pair for pair in pairs if pair[0] in parameters or not UNCOUNTED.fullmatch(pair[0])]
    if any(name not in parameters for name, _ in pairs):
        return None
    return urlencode(sorted(pairs, key=lambda pair: pair[0]))


def nobodys(environ: dict[str, Any], key: Key) -> dict[str, Any]:
    """The request as if nobody in particular had made it: what is in the key, and nothing else of a visitor's."""
    kept = {name: value for name, value in environ.items() if not name.startswith(("HTTP_", "CONTENT_"))}
    kept |= {"REQUEST_METHOD": "GET", "QUERY_STRING": key.query, "wsgi.input": BytesIO(), "HTTP_HOST": key.host}
    if key.theme:
        kept["HTTP_COOKIE"] = f"theme={key.theme}"
    return kept


def ask(application: Application, environ: dict[str, Any]) -> Answer:
    said: list[Any] = []
    chunks = application(environ, lambda status, headers, error=None: said.extend((status, headers)))
    try:
        body = b"".join(chunks)
    finally:
        close(chunks)
    return Answer(said[-2], said[-1], body)


def may_be_kept(answer: Answer) -> bool:
    headers = Headers(answer.headers)
    return (
        answer.code == 200
        and not any(name in headers for name in ("Set-Cookie", "Content-Encoding", "HX-Redirect", "HX-Retarget"))
        and "no-store" not in headers.get("Cache-Control", "")
        and not has_opened_session(headers)
    )


def make_page(answer: Answer, before: Page | None, quality: int) -> Page:
    """Compressed anew only where something has changed."""
    said = Headers(answer.headers)
    digest = hashlib.sha256(answer.body).hexdigest()[:20]
    if before and before.digest == digest:
        bodies = before.bodies
    else:
        bodies = {"identity": answer.body}
        if TEXT.match(said.get("Content-Type", "")):
            bodies["br"] = brotli.compress(answer.body, quality=quality)
            bodies["gzip"] = gzip.compress(answer.body, 9, mtime=0)
    caching = said.get("Cache-Control", "private")
    caching = (
        "no-cache" if caching.startswith("private") else caching
    )  # as every page has it, unless its view says more
    others = [(name, value) for name, value in answer.headers if name.lower() not in OURS]
    tags = {encoding: f'"{digest}{SUFFIXES[encoding]}"' for encoding in bodies}
    kind = [pair for pair in others if pair[0].lower() == "content-type"]
    # A browser puts a 304's headers over those that it keeps: the view's own policy has to be among them.
    policy = [pair for pair in others if pair not in kind]
    unchanged = {
        name: [*policy, ("ETag", tag), ("Cache-Control", caching), ("Vary", VARY)] for name, tag in tags.items()
    }
    headers = {encoding: [*kind, *unchanged[encoding], *_lengths(encoding, body)] for encoding, body in bodies.items()}
    return Page(time.time(), digest, headers, bodies, unchanged, tags)


def _lengths(encoding: str, body: bytes) -> list[tuple[str, str]]:
    length = ("Content-Length", str(len(body)))
    return [length] if encoding == "identity" else [("Content-Encoding", encoding), length]


def _say(answer: Answer) -> Application:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(answer.status, answer.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    return application
