"""Logs: one line per request and job, as JSON in production and readable in development.

Lines carry ids and paths: never bodies, query strings, tokens or addresses.
"""

import logging
import re
import secrets
import sys
import time
from typing import Any

import structlog
from flask import Flask, Response, g, request

log = structlog.get_logger(part="web")
_SIGNED = re.compile(r"[\w-]+\.[\w-]{4,}\.[\w-]{20,}", re.ASCII)


def configure(*, as_json: bool) -> None:
    """Our own lines go straight to stderr; what libraries log takes the same form through the standard library."""
    shared: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.types.Processor] = (
        [structlog.processors.JSONRenderer()] if as_json else [structlog.dev.ConsoleRenderer(colors=False)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            # A traceback's last line is the error's message, which may hold what somebody typed: only our lines'
            # `where` tells of errors, so what a library adds is left out.
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_traceback, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("werkzeug", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _without_traceback(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    if error := event.pop("exc_info", None):
        event["error"] = getattr(error[0], "__name__", "?") if isinstance(error, tuple) else type(error).__name__
    return event


def log_requests(app: Flask) -> None:
    """A line for each request. The path alone: query strings carry what people typed."""

    @app.before_request
    def _start() -> None:
        g.request_id = secrets.token_hex(8)
        g.started = time.monotonic()

    @app.after_request
    def _line(response: Response) -> Response:
        if request.path == "/healthz" and response.status_code == 200:  # asked every few seconds by whoever watches
            return response
        log.info(
            "request",
            id=g.get("request_id"),
            method=request.method,
            path=_path(),
            status=response.status_code,
            ms=round((time.monotonic() - g.get("started", time.monotonic())) * 1000, 1),
        )
        return response


def _path() -> str:
    """The path asked for; where it holds a signed reference, the rule that it matched. A mistyped one matches none."""
    rule = request.url_rule
    if rule and "token" in (request.view_args or {}):
        return rule.rule
    return _SIGNED.sub("…", request.path)[:200]


def where(error: BaseException) -> dict[str, str]:
    """What may be logged of an error: its type and place. Its message may hold what somebody typed."""
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    at = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    return {"error": type(error).__name__, "at": at}
