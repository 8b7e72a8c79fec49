"""Texts compressed on their way out, where nobody can guess a secret from the length."""

import gzip
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import brotli
from werkzeug.datastructures import Accept, Headers
from werkzeug.http import parse_accept_header

WORTH_COMPRESSING = 1000  # bytes; less fits a packet as it is
TOO_LONG = 2 * 1024 * 1024  # to compress while somebody waits
EACH_TIME = 5  # brotli's quality: 1.5 ms for 20 KB
TEXT = re.compile(
    r"text/(?!event-stream)|application/(?:json|javascript|xml|[\w.-]+\+json|[\w.-]+\+xml)|image/svg\+xml"
)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def compressed(
    application: Application, environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """A text of some length, compressed as the browser likes it, unless a secret may be in it.

    Somebody who can put words into a page and see its compressed length could guess a token in it, letter by letter
    (BREACH). What could hold one: an answer that sets a cookie or opened the session, as every token of ours does, or
    one that says `no-store`, as all pages of one person do.
    """
    said: list[Any] = []
    chunks = application(environ, lambda *start: said.append(start))
    status, pairs, *error = said[-1]
    headers = Headers(pairs)
    if not _is_worth_compressing(environ, status, headers):
        start_response(status, pairs, *error)
        return chunks
    headers.set("Vary", ", ".join(filter(None, (headers.get("Vary"), "Accept-Encoding"))))
    encoding = best_encoding(environ.get("HTTP_ACCEPT_ENCODING", ""))
    if encoding == "identity":
        start_response(status, list(headers), *error)
        return chunks
    headers["Content-Encoding"] = encoding
    if environ["REQUEST_METHOD"] == "HEAD":
        del headers["Content-Length"]  # of another encoding; what GET would send is not known without making it
        start_response(status, list(headers), *error)
        return chunks
    try:
        body = b"".join(chunks)
    finally:
        close(chunks)
    body = brotli.compress(body, quality=EACH_TIME) if encoding == "br" else gzip.compress(body, 6, mtime=0)
    headers["Content-Length"] = str(len(body))
    start_response(status, list(headers), *error)
    return [body]


def _is_worth_compressing(environ: dict[str, Any], status: str, headers: Headers) -> bool:
    return (
        WORTH_COMPRESSING <= headers.get("Content-Length", 0, int) <= TOO_LONG
        and TEXT.match(headers.get("Content-Type", "")) is not None
        and status[:3] not in {"204", "206", "304"}
        and not any(name in headers for name in ("Content-Encoding", "Set-Cookie", "ETag"))
        and not any(word in headers.get("Cache-Control", "") for word in ("no-store", "no-transform"))
        and not has_opened_session(headers)
    )


@lru_cache(maxsize=200)
def best_encoding(accepted: str) -> str:
    """`br`, `gzip` or `identity`: the highest q-value wins, and of equals the smaller body."""
    if not accepted:
        return "identity"
    accept = parse_accept_header(accepted[:500], Accept)
    named = {value.lower() for value, _ in accept}
    plain = accept.quality("identity") if "identity" in named else 0.0
    quality, encoding = max(
        ((accept.quality(name), name) for name in ("br", "gzip")), key=lambda offer: (offer[0], offer[1] == "br")
    )
    return encoding if quality > 0 and quality >= plain else "identity"


def has_opened_session(headers: Headers) -> bool:
    """Flask says so in Vary. The theme is read without it."""
    return "cookie" in headers.get("Vary", "").lower()


def close(chunks: Iterable[bytes]) -> None:
    """As a server does with every answer, also one that failed."""
    if end := getattr(chunks, "close", None):
        end()
