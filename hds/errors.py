"""Errors as a page for a browser, and as a short message in the page's alert region for htmx."""

from http import HTTPStatus

import structlog
from flask import Flask, Response, g, make_response, render_template, request
from flask_limiter import RateLimitExceeded
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, OperationalError
from werkzeug.exceptions import HTTPException

from hds.config import settings
from hds.extensions import db, limiter
from hds.lib.htmx import wants_fragment
from hds.lib.logs import where

log = structlog.get_logger(part="web")

WORDS = {
    400: ("We could not read that", "Go back, reload the page and try again."),
    403: ("That is not open to you", "If you think it should be, write to us."),
    404: ("There is no page here", "The address may be mistyped, or the page has moved."),
    405: ("That does not work this way", "Go back and use the form on the page."),
    413: ("That is too large", "Send less text and try again."),
    429: (
        "That was a little too fast for us",
        "Your address, which others may share, asked very often. Wait a minute, then reload the page.",
    ),
    500: (
        "Something went wrong on our side",
        "It is noted, and nothing you booked is lost. Try again in a minute.",
    ),
    503: ("We cannot do that right now", "Try again in a minute."),
}
FORM_EXPIRED = ("This form is too old", "Reload the page and send it again.")


def handle_errors(app: Flask) -> None:
    app.register_error_handler(CSRFError, lambda error: answer(400, FORM_EXPIRED))
    app.register_error_handler(RateLimitExceeded, _too_often)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _database_is_away)
    app.register_error_handler(DataError, _nothing_like_that)
    app.register_error_handler(Exception, _unexpected)


def answer(status: int, words: tuple[str, str]) -> Response:
    """One error, said in the way the asker can show: htmx swaps any body, so its target is changed to the alerts."""
    title, advice = words
    template = "errors/_message.html" if wants_fragment() else "errors/page.html"
    if status == 404 and not wants_fragment() and request.path.startswith("/admin/") and current_user.is_authenticated:
        template = "errors/admin.html"
    response = make_response(render_template(template, status=status, title=title, advice=advice), status)
    response.vary.add("HX-Request-Type")
    if wants_fragment():
        response.headers["HX-Retarget"] = "#alerts"
        response.headers["HX-Reswap"] = "innerHTML"
    return response


def retry_later(response: Response, seconds: int) -> Response:
    response.headers["Retry-After"] = str(seconds)
    return response


def say_wait(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return "a minute" if minutes <= 1 else f"{minutes} minutes"


def _too_often(error: RateLimitExceeded) -> Response:
    """A limit of `lib.limits`. The view may have brought an answer of its own."""
    seconds = limiter.seconds_left()
    if error.response is not None:
        return retry_later(make_response(error.response), seconds)
    title, advice = WORDS[429]
    advice = f"{advice.replace('a minute', say_wait(seconds))} Or write to {settings.contact_email}."
    return retry_later(answer(429, (title, advice)), seconds)


def _http_error(error: HTTPException) -> Response:
    if error.response is not None:  # an abort() that brought its own answer, or a redirect
        return make_response(error.response)
    status = error.code or 500
    if status < 400:
        return make_response(error.get_response())
    known = WORDS.get(status) or (HTTPStatus(status).phrase, "Go back and try another way.")
    response = answer(status, known)
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    log.error("unexpected error", id=g.get("request_id"), endpoint=request.endpoint, **where(error))
    db.session.rollback()
    return answer(500, WORDS[500])


def _nothing_like_that(error: Exception) -> Response:
    """An address or a form that no row can match: PostgreSQL refuses NUL in a text, and numbers beyond its own."""
    log.error("database refused a value", id=g.get("request_id"), endpoint=request.endpoint, **where(error))
    db.session.rollback()
    return answer(400, WORDS[400])


def _database_is_away(error: Exception) -> Response:
    """Down, restarting, locked or full: it is not the page's fault, and will pass."""
    log.error("database does not answer", id=g.get("request_id"), endpoint=request.endpoint, **where(error))
    db.session.rollback()
    return retry_later(answer(503, WORDS[503]), 30)
