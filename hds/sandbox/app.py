"""Puts the sandbox together; runs it on a threaded development server."""

from __future__ import annotations

import socket
from typing import cast

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from .api import booking_list, bookings, event_types, slots, verification, webhooks  # noqa: F401 (their routes)
from .api.blueprint import Limiter, api
from .desk import Desk
from .host import host
from .pages import pages
from .settings import Settings
from .shared import prepare
from .store import Store

MAXIMUM_BODY = 1024 * 1024


def create_app(settings: Settings) -> Flask:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAXIMUM_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["sandbox"] = Desk(settings, Store(settings.data))
    app.extensions["sandbox_limiter"] = Limiter(settings.rate_limit)
    for blueprint in (api, pages, host):
        app.register_blueprint(blueprint)
    prepare(app)
    return app


def desk_of(app: Flask) -> Desk:
    return cast(Desk, app.extensions["sandbox"])


class QuietHandler(WSGIRequestHandler):
    """Errors are logged, requests are not: they would bury the site's own lines."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def listen(app: Flask) -> tuple[BaseWSGIServer, str]:
    """A server that is bound but not yet serving, and its address; deliveries start with it."""
    desk = desk_of(app)
    settings = desk.settings
    # Bound here, because werkzeug ends the process with words of its own when the port is taken.
    with socket.create_server((settings.host, settings.port), backlog=128) as bound:
        server = make_server(settings.host, 0, app, threaded=True, request_handler=QuietHandler, fd=bound.fileno())
    address = f"http://{settings.host}:{server.port}"
    desk.set_base(address)
    desk.outbox.start()
    return server, address
