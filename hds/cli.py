"""The commands: `flask up`, `flask web`, `flask work`, `flask clock`, `flask doctor`, and what prints JSON."""

import json
import os
import secrets
import signal
import sys
import threading
from datetime import datetime

import click
from flask import Flask, current_app

from hds import doctor, migrate, schedule
from hds.accounts.models import SHORTEST_PASSWORD, SignInAttempt, Staff
from hds.bookings.exports import bookings_as_json
from hds.cal_commands import cal
from hds.config import MAIL_ADDRESS, settings, stated_settings
from hds.extensions import db
from hds.lib import clock, jobs
from hds.lib.models import reading
from hds.lib.times import parse_utc
from hds.plan import web_command
from hds.services.seed import seed
from hds.webhooks.exports import deliveries_as_json


def register(app: Flask) -> None:
    parts = (up, web, work, clock_command)
    data = (migrate.command, prepare, seed_command, create_admin, bookings, deliveries)
    for command in (*parts, *data, doctor_command, cal):
        app.cli.add_command(command)


@click.command()
def up() -> None:
    """Start everything: queue, sandbox, web, worker and clock."""
    os.execv(sys.executable, [sys.executable, "-m", "hds.up"])  # noqa: S606 - a process of its own, without the site in memory


@click.command()
def web() -> None:
    """Answer requests, at HOST and PORT with WEB_WORKERS processes."""
    command = web_command(settings.host, settings.port, settings.web_workers)
    os.execv(command[0], command)  # noqa: S606 - the server loads the site in processes of its own


@click.command()
def work() -> None:
    """Work on what came in and what must go out, until told to stop."""
    jobs.work()


@click.command("clock")
def clock_command() -> None:
    """Look every few seconds for what has become due."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    clock.run(app, schedule.LINES, settings.clock_tick_seconds, stop)


@click.command()
def prepare() -> None:
    """Migrate, seed, and see that somebody can sign in. Prints one line of JSON for `flask up`."""
    migrate.upgrade()
    seed(settings)
    email = settings.admin_email or settings.contact_email
    password = None if settings.in_production else Staff.with_generated_password(email)
    db.session.commit()
    click.echo(json.dumps({"admin": {"email": email, "password": password} if password else None}))


@click.command("seed")
def seed_command() -> None:
    """Put the catalogue and the questions in, where they are missing."""
    seed(settings)
    db.session.commit()


@click.command("create-admin")
@click.argument("email")
@click.password_option(help="At least 12 characters; leave it out to be asked.")
def create_admin(email: str, password: str) -> None:
    """Make an account for /admin, or give one a new password."""
    if not MAIL_ADDRESS.fullmatch(email.strip()):
        raise click.BadParameter("write a mail address, like hello@hudson.example", param_hint="EMAIL")
    if len(password) < SHORTEST_PASSWORD:
        raise click.ClickException(f"A password has at least {SHORTEST_PASSWORD} characters.")
    staff = Staff.by_email(email)
    if staff is None:
        staff = Staff(email=email.strip().lower(), session_key=secrets.token_hex(16))
        db.session.add(staff)
    staff.choose_password(password)
    SignInAttempt.forget(staff.email)
    db.session.commit()
    click.echo(f"{staff.email} can sign in at {settings.public_url}/admin")


@click.command("doctor")
def doctor_command() -> None:
    """Say what is set, what is missing and what that switches off; exit 1 where production would be unsafe."""
    sys.exit(doctor.report(stated_settings(), click.echo))


@click.command()
@click.option("--json", "as_json", is_flag=True, required=True, help="The only form there is.")
@click.option(
    "--since",
    callback=lambda _c, _p, value: _moment(value),
    help="Only bookings changed since, as 2026-12-03T00:00:00Z.",
)
def bookings(as_json: bool, since: datetime | None) -> None:
    """All bookings, as a JSON list."""
    reading.set(True)
    click.echo(json.dumps(bookings_as_json(since), indent=2, ensure_ascii=False))


@click.command()
@click.option("--json", "as_json", is_flag=True, required=True, help="The only form there is.")
def deliveries(as_json: bool) -> None:
    """Everything that was posted to us, as a JSON list."""
    reading.set(True)
    click.echo(json.dumps(deliveries_as_json(), indent=2))


def _moment(value: str | None) -> datetime | None:
    if value is None:
        return None
    moment = parse_utc(value if "T" in value else f"{value}T00:00:00Z")
    if moment is None:
        raise click.BadParameter("write a moment as 2026-12-03T00:00:00Z, or a day as 2026-12-03")
    return moment
