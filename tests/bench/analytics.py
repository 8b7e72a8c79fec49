"""What counting costs a page, and how long the funnel of a busy day takes: 20,000 visits with 100,000 steps."""

import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from hds.analytics import counting, reports, salt, sums
from hds.analytics.models import FUNNEL, AnalyticsEvent, Visit
from hds.app import create_app
from hds.config import Settings
from hds.extensions import db
from hds.lib.times import utcnow
from hds.migrate import upgrade
from tests import servers

VISITS = 20_000
STEPS = FUNNEL[:5]
PAGES = 100_000
SOURCES = 40


def measure() -> None:
    print(f"noting a page in the middleware: {_noting():.1f} µs")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a short path: PostgreSQL's socket lies in it
        Path(folder).chmod(0o755)
        _funnel("SQLite", f"sqlite:///{folder}/bench.sqlite3", Path(folder))
        place = Path(folder, "pg")
        place.mkdir()
        with servers.own_postgres(place) as url:
            _funnel("PostgreSQL", url, Path(folder))


def _noting() -> float:
    """Microseconds that the middleware adds to an answer, with nothing behind it."""

    class Silent:
        def note(self, entry: Any) -> None:
            pass

    def page(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b""]

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/faq",
        "HTTP_HOST": "hudson.example",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
        "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.9",
        "REMOTE_ADDR": "198.51.100.7",
    }
    return (_each(counting.count_pages(page, Silent()), environ) - _each(page, environ)) * 1e6


def _each(application: Any, environ: dict[str, str]) -> float:
    started = time.perf_counter()
    for _ in range(PAGES):
        application(environ, lambda *_: None)
    return (time.perf_counter() - started) / PAGES


def _funnel(name: str, url: str, folder: Path) -> None:
    settings = Settings(
        _env_file=None, hds_data=folder, database_url=url, secret_key="bench", cal_webhook_secret="bench", sandbox=True
    )
    with create_app(settings.completed()).app_context():
        upgrade()
        _fill()
        today = salt.day_of(utcnow())
        for what, function in (("the report", reports.report), ("its sums", lambda day, _: sums.sum_up(day))):
            started = time.perf_counter()
            function(today, today)
            print(f"{name}, {VISITS * len(STEPS):,} steps of one day, {what}: {time.perf_counter() - started:.2f} s")
            db.session.commit()
        db.session.remove()
        db.engine.dispose()


def _fill() -> None:
    now, today = utcnow(), salt.day_of(utcnow())
    moments = dict.fromkeys(("first_seen_at", "last_seen_at", "last_came_at", "created_at"), now)
    for first in range(1, VISITS, 1000):
        ids = range(first, first + 1000)
        visits = [
            {
                "id": id_,
                "day": today,
                "visitor": f"{id_:032x}",
                "utm_source": f"s{id_ % SOURCES}",
                "pages": 1,
                **moments,
            }
            for id_ in ids
        ]
        db.session.execute(insert(Visit), visits)
        common = {"day": today, "at": now, "created_at": now, "service": "strategy-consultation", "reason": ""}
        db.session.execute(
            insert(AnalyticsEvent), [{"visit_id": id_, "step": step, **common} for id_ in ids for step in STEPS]
        )
    db.session.commit()
