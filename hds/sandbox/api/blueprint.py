"""What every API call has in common: limits, keys, versions, the error envelope."""

from __future__ import annotations

import hmac
import threading
import time
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Blueprint, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException

from ..desk import Desk
from ..refusals import Conflict, Refusal, invalid
from ..times import iso_ms, utcnow

api = Blueprint("api", __name__, url_prefix="/v2")
View = TypeVar("View", bound=Callable[..., Any])
WINDOW_SECONDS = 60

BOOKING_VERSIONS = ("2024-08-13", "2026-02-25")
BOOKING_LIST_VERSIONS = (*BOOKING_VERSIONS, "2026-05-01")
SLOT_VERSIONS = ("2024-09-04",)
EVENT_TYPE_VERSIONS = ("2024-06-14",)
EVENT_TYPE_WRITE_VERSIONS = ("2024-06-14", "2026-06-12")


def desk() -> Desk:
    return cast(Desk, current_app.extensions["sandbox"])


def success(data: Any, status: int = 200, **more: Any) -> tuple[Response, int]:
    return jsonify({"status": "success", "data": data, **more}), status


# --- keys and versions -----------------------------------------------------------------------------------


def bearer() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def is_owner() -> bool:
    return bool(g.get("is_owner"))


def needs_key(view: View) -> View:
    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not is_owner():
            raise Refusal(
                401,
                "ApiAuthGuard - No authentication method provided. Either pass an API key as 'Bearer' header or OAuth"
                " client credentials as 'x-cal-secret-key' and 'x-cal-client-id' headers",
            )
        return view(*args, **kwargs)

    return cast(View, checked)


def version(*known: str) -> Callable[[View], View]:
    """Without the version it knows, Cal.com falls back to one where this route does not exist."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if request.headers.get("cal-api-version", "") not in known:
                raise no_such_route()
            return view(*args, **kwargs)

        return cast(View, checked)

    return decorate


def no_such_route() -> Refusal:
    return Refusal(404, f"Cannot {request.method} {_path()}")


def _path() -> str:
    return request.full_path.rstrip("?")


# --- limits ----------------------------------------------------------------------------------------------


class Limiter:
    """So many calls per key, or per address, and minute; then nothing for a minute."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.lock = threading.Lock()
        self.windows: dict[str, tuple[float, int]] = {}

    def count(self, caller: str) -> tuple[int, int]:
        """How many calls are left (negative: refused) and how many seconds until it starts anew."""
        now = time.monotonic()
        with self.lock:
            ends_at, calls = self.windows.get(caller, (0.0, 0))
            if ends_at <= now:
                ends_at, calls = now + WINDOW_SECONDS, 0
                self.windows = {key: window for key, window in self.windows.items() if window[0] > now}
            calls += 1
            if calls == self.limit + 1:
                ends_at = now + WINDOW_SECONDS
            self.windows[caller] = (ends_at, calls)
        return self.limit - calls, int(ends_at - now) + 1


@api.before_request
def _admit() -> Response | None:
    """Limits first; then a key that is given must be right, even where none is needed."""
    if request.method == "OPTIONS":
        return Response(status=204)
    token = bearer()
    limiter = cast(Limiter, current_app.extensions["sandbox_limiter"])
    g.left, g.reset = limiter.count(f"key {token}" if token else f"address {request.remote_addr}")
    if g.left < 0:
        raise Refusal(429, "CustomThrottlerGuard - Too many requests. Please try again later.")
    if token is not None or request.headers.get("Authorization"):
        expected = desk().settings.api_key
        g.is_owner = hmac.compare_digest((token or "").encode(), expected.encode())
        if not g.is_owner:
            raise Refusal(401, "ApiAuthStrategy - api key - Your api key is not valid")
    return None


@api.after_request
def _headers(response: Response) -> Response:
    response.headers["X-Request-Id"] = str(uuid.uuid4())
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Headers"] = "*"
    response.headers["Access-Control-Allow-Methods"] = "GET,HEAD,PUT,PATCH,POST,DELETE"
    if "left" in g:
        response.headers["X-RateLimit-Limit-Default"] = str(desk().settings.rate_limit)
        response.headers["X-RateLimit-Remaining-Default"] = str(max(0, g.left))
        response.headers["X-RateLimit-Reset-Default"] = str(g.reset)
    return response


# --- errors ----------------------------------------------------------------------------------------------


def error_response(refusal: Refusal) -> tuple[Response, int]:
    envelope = {
        "status": "error",
        "timestamp": iso_ms(utcnow()),
        "path": _path(),
        "error": {
            "code": refusal.code,
            "message": refusal.message,
            "details": refusal.details,
        },
    }
    return jsonify(envelope), refusal.status


@api.errorhandler(Refusal)
def _refused(refusal: Refusal) -> tuple[Response, int]:
    return error_response(refusal)


@api.errorhandler(Conflict)
def _conflict(conflict: Conflict) -> tuple[Response, int]:
    return jsonify({"statusCode": conflict.status, "message": conflict.message}), conflict.status


@api.errorhandler(HTTPException)
def _http_error(error: HTTPException) -> tuple[Response, int]:
    if error.code in (404, 405):
        return error_response(no_such_route())
    return error_response(Refusal(400, error.description or "Bad Request"))


@api.errorhandler(Exception)
def _broken(error: Exception) -> tuple[Response, int]:
    current_app.logger.error("sandbox: %s %s", request.method, request.path, exc_info=error)
    return jsonify({"statusCode": 500, "message": "Internal server error"}), 500


@api.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@api.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def _unknown(path: str) -> Any:
    raise no_such_route()


# --- reading what was sent -------------------------------------------------------------------------------


def json_body() -> dict[str, Any]:
    if not request.get_data(cache=True):
        return {}
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise Refusal(400, "Unexpected token in JSON at position 0")
    return body


def optional_text(body: dict[str, Any], field: str) -> str | None:
    value = body.get(field)
    if value is not None and not isinstance(value, str):
        raise invalid(field, f"{field} must be a string")
    return value


def whole_number(text: object, field: str) -> int:
    if isinstance(text, bool) or not isinstance(text, int | str) or not str(text).isdecimal():
        raise invalid(field, f"{field} must be a number conforming to the specified constraints")
    return int(text)
