"""create_app: settings, extensions, blueprints, commands. What is registered anywhere meets here and nowhere else."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, abort, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.exceptions import SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from hds import cli, errors, headers
from hds.accounts.models import Staff
from hds.accounts.views import blueprint as accounts
from hds.admin.blueprint import blueprint as admin
from hds.analytics import views as events
from hds.analytics import writer
from hds.analytics.counting import count_pages
from hds.bookings import acts, free_times, handlers, links, reconciliation, sources  # noqa: F401  (tables that the migrations must see)
from hds.bookings.manage import blueprint as manage
from hds.bookings.views import blueprint as bookings
from hds.calcom import payloads, signature
from hds.config import ROOT, Settings, load_settings
from hds.extensions import counting, csrf, db, limiter, login
from hds.followups import emails, moments
from hds.lib import assets, logs, money, pagecache, postgres, theme, times
from hds.lib.models import prepare_sqlite, reading
from hds.mail import renderers
from hds.pages import found, health
from hds.pages.components import blueprint as components
from hds.pages.crawlers import blueprint as crawlers
from hds.pages.services import blueprint as services
from hds.pages.theme import blueprint as theme_switch
from hds.pages.views import blueprint as pages
from hds.services.models import Service
from hds.webhooks import inbox, senders
from hds.webhooks.views import blueprint as webhooks

READS = {"GET", "HEAD", "OPTIONS"}


class Sessions(SecureCookieSessionInterface):
    """Who posts under /api/ brings no session; looking for one would cost a webhook a tenth of its time."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if request.path.startswith("/api/"):
            return self.make_null_session(app)
        return super().open_session(app, request)


class Site(Flask):
    session_interface = Sessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view or hook of ours is asynchronous: asking each of them, at each request, is left out."""
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """The application. Raises WrongSettings where the settings do not allow a start."""
    settings = settings or load_settings()
    settings.hds_data.mkdir(parents=True, exist_ok=True)
    logs.configure(as_json=settings.in_production)
    app = Site("hds", root_path=str(ROOT / "hds"), template_folder=str(ROOT / "templates"), static_folder=None)
    app.config.update(flask_config(settings), HDS=settings)
    logs.log_requests(app)
    refuse_odd_addresses(app)
    bind_extensions(app, settings)
    register_blueprints(app, settings)
    register_links(app, settings)
    cli.register(app)
    headers.set_caching(app)
    errors.handle_errors(app)
    prepare_templates(app, settings)
    wrap(app, settings)
    return app


def flask_config(settings: Settings) -> dict[str, Any]:
    secure = settings.public_url.startswith("https://")
    return {
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "MAX_CONTENT_LENGTH": 256 * 1024,
        "TRUSTED_HOSTS": trusted_hosts(settings),
        "SESSION_COOKIE_NAME": "__Host-session" if secure else "session",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": 12 * 3600,
        # Under /admin alone (accounts.views): a public page, which a cache may keep, never carries anybody's session.
        "SESSION_REFRESH_EACH_REQUEST": False,
        # The token lives as long as its session: a tab left open overnight still works.
        "WTF_CSRF_TIME_LIMIT": None,
        # No Referer is asked for: private pages send none (bookings.steps), and behind a proxy it may name another
        # host. The token and the cookie's SameSite guard the forms.
        "WTF_CSRF_SSL_STRICT": False,
        "SQLALCHEMY_DATABASE_URI": settings.database,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(settings),
    }


def trusted_hosts(settings: Settings) -> list[str] | None:
    """Where the site has an address, it answers to no other; from this machine its health may be asked all the same."""
    host = urlsplit(settings.site_url).hostname
    # Werkzeug's list knows no addresses of IPv6.
    return [host, "127.0.0.1", "localhost"] if host and ":" not in host else None


def engine_options(settings: Settings) -> dict[str, Any]:
    # hide_parameters: an error's text must not carry what somebody typed into a log.
    if settings.uses_sqlite:
        return {"hide_parameters": True}
    return {
        "hide_parameters": True,
        "pool_size": 8,
        "pool_pre_ping": True,
        "connect_args": postgres.connect_args(settings.database),
    }


def refuse_odd_addresses(app: Flask) -> None:
    """Before anything else looks at the request."""

    @app.before_request
    def _refuse() -> Response | None:
        if isinstance(request.routing_exception, SecurityError):  # a page could not name its links without a host
            return Response("This site has another address.\n", 400, mimetype="text/plain")
        # No text of ours holds NUL: PostgreSQL fails on it, SQLite does not.
        if "\0" in request.path or b"%00" in request.query_string or b"\0" in request.query_string:
            abort(400)
        return None


def bind_extensions(app: Flask, settings: Settings) -> None:
    db.init_app(app)
    csrf.init_app(app)
    app.config["RATELIMIT_STORAGE_URI"], app.config["RATELIMIT_STORAGE_OPTIONS"] = counting(settings)
    limiter.init_app(app)
    # Not in every template: who asks for the user opens the session, and a public page has none.
    login.init_app(app, add_context_processor=False)
    if settings.uses_sqlite:
        with app.app_context():
            prepare_sqlite(db.engine)

    @app.before_request
    def _who_writes() -> None:
        reading.set(request.method in READS)


def register_blueprints(app: Flask, settings: Settings) -> None:
    if not settings.in_production:
        app.register_blueprint(components)
    app.register_blueprint(pages)
    app.register_blueprint(theme_switch)
    app.register_blueprint(services)
    app.register_blueprint(crawlers)
    app.register_blueprint(bookings)
    app.register_blueprint(manage)
    app.register_blueprint(webhooks)
    app.register_blueprint(events.blueprint)
    app.register_blueprint(accounts)
    app.register_blueprint(admin)
    app.register_blueprint(health.blueprint)


def register_links(app: Flask, settings: Settings) -> None:
    """What a lower package must call without knowing who is above it."""
    inbox.init_app(app, settings)
    senders.register(
        app,
        senders.Sender(
            name="cal",
            signature_header=signature.HEADER,
            kept_headers=("X-Cal-Webhook-Version", "Content-Type"),
            verify=signature.verify,
            secrets=settings.webhook_secrets,
            apply=handlers.apply,
            redact=payloads.redact,
        ),
    )
    events.register_catalogue(app, Service.is_offered)
    moments.subscribe()
    acts.subscribe()
    links.subscribe()
    sources.subscribe()
    renderers.register(app, emails.KINDS)
    login.user_loader(Staff.by_session)


def prepare_templates(app: Flask, settings: Settings) -> None:
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(settings=settings, asset=assets.prepare(settings.hds_data / "assets"))
    app.jinja_env.globals.update(theme=theme.chosen, papers=theme.papers(assets.STATIC / "css/theme.css"))
    app.jinja_env.globals.update(found=found.here)
    app.jinja_env.filters.update(
        money=money.say_money,
        day=times.say_day,
        time=times.say_time,
        moment=times.say_moment,
        iso=times.iso_utc,
        zone_name=times.say_zone,
    )


def wrap(app: Flask, settings: Settings) -> None:
    """What stands before Flask: the trusted proxies' word on addresses, static files, who counts the pages, the pages
    that are kept, and the headers of every answer; kept pages are kept with them."""
    flask: Any = headers.on_every_answer(app.wsgi_app, settings)
    app.wsgi_app = flask  # type: ignore[method-assign]
    application: Any = count_pages(pagecache.in_front_of(app), writer.init_app(app))
    files = headers.on_every_answer(assets.serve(application, settings.hds_data / "assets"), settings)
    application = assets.beside(application, files)
    if hops := settings.trusted_hops:
        application = ProxyFix(application, x_for=hops, x_proto=hops, x_host=0)  # a proxy passes Host on
    app.wsgi_app = application  # type: ignore[method-assign]
