"""The Flask extensions, made here and bound to the application in create_app."""

import hashlib
import time
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any

from flask import Flask, Response, request
from flask_limiter import Limiter
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import MetaData

from hds.config import Settings, settings

# Names for every constraint: without them Alembic cannot find or drop one later, least of all on SQLite.
db = SQLAlchemy(
    metadata=MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
)


class Login(LoginManager):
    """Nobody is remembered beyond the session, so no answer need look into it: a public page knows no cookie."""

    def _update_remember_cookie(self, response: Response) -> Response:
        return response


class Limits(Limiter):
    """How often one visitor may do what: `@limiter.limit(...)` on a view, with the figures of `lib.limits`.

    It counts in Redis, so that all processes count together; while that is silent each counts by itself. Limits are
    per view: where none is written, as on a webhook's way, nothing runs.
    """

    def init_app(self, app: Flask) -> None:
        """Without its hooks: they are for limits of the whole application and for headers, of which there are none, and
        would cost every request a little, a webhook most of all."""
        hooks: list[dict[Any, Any]] = [app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs]
        before = [list(functions.get(None, [])) for functions in hooks]
        super().init_app(app)
        for functions, others in zip(hooks, before, strict=True):
            functions[None] = others

    def seconds_left(self) -> int:
        """How long who was just refused has to wait. A minute where Redis fell silent in between."""
        try:
            limit = self.current_limit
            return max(1, limit.reset_at - 1 - int(time.time())) if limit else 60  # it is rounded up
        except Exception:  # Redis's own, or the socket's: it is a courtesy, not worth a broken page
            return 60


def visitor() -> str:
    """Whom a limit counts: an IPv4 address, or the /64 that one connection has of IPv6; empty where nobody is known.

    Scrambled with the site's key: neither Redis nor a log shall hold an address. Who comes from this machine itself is
    its owner, a test, or a proxy that TRUSTED_HOPS does not name, behind which everybody would count as one.
    """
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return ""
    network = str(address) if isinstance(address, IPv4Address) else str(IPv6Network((int(address), 64), strict=False))
    return hashlib.blake2b(network.encode(), key=_limits_key(), digest_size=12).hexdigest()


def _limits_key() -> bytes:
    return hashlib.sha256(b"limits" + settings.secret_key.get_secret_value().encode()).digest()


def counting(stated: Settings) -> tuple[str, dict[str, Any]]:
    """Where and how `limits` counts. A page never waits for Redis: a quarter of a second is a long time for it."""
    url = stated.redis_url.get_secret_value()
    options = {
        "key_prefix": "limit",
        "socket_timeout": 0.25,
        "socket_connect_timeout": 0.25,
        "retry": Retry(NoBackoff(), 1),  # once more at once, for the restart that it has not noticed
    }
    return f"redis+{url}" if url.startswith("unix:") else url, options


csrf = CSRFProtect()
login = Login()
# Moving: who waits as long as Retry-After says gets in, and nobody twice as much around a full minute.
limiter = Limits(visitor, strategy="moving-window", in_memory_fallback_enabled=True, swallow_errors=True)
limiter.request_filter(lambda: not visitor())
