"""`flask cal …`: what is done with the account at Cal.com."""

import sys
from collections.abc import Collection
from dataclasses import replace

import click

from hds.analytics import visits
from hds.bookings import reconcile
from hds.bookings.booker import REFERENCE
from hds.bookings.reconciliation import CHANGES, NAMES, Reconciliation
from hds.calcom.account import account_from
from hds.calcom.client import CalClient
from hds.config import settings
from hds.extensions import db
from hds.lib.times import iso_utc
from hds.services import sync as event_types
from hds.services.account import Outcome
from hds.services.connect import connect as check
from hds.services.models import Service

PATIENCE = 15.0  # seconds; nobody waits for a page here
SIGNS = {Outcome.RIGHT: "ok", Outcome.MENDED: "mended", Outcome.NOTE: "note", Outcome.WRONG: "WRONG"}


@click.group()
def cal() -> None:
    """Connect the account at Cal.com, and keep the site and it of one mind."""


@cal.command()
@click.option("--check", "only_looks", is_flag=True, help="Only look: change nothing, send nothing.")
def connect(only_looks: bool) -> None:
    """Check key, event types, webhook, a delivery and a mail, and mend what can be; exit 1 where one is wrong."""
    is_wrong = False
    for outcome, words, is_mendable in check(_client(), mends=not only_looks, carried=(REFERENCE, visits.KEY)):
        remedy = " `flask cal connect`, or the button at /admin/cal, mends it." if is_mendable else ""
        click.echo(f"{SIGNS[outcome]:<8} {words}{remedy}")
        is_wrong |= outcome is Outcome.WRONG
    sys.exit(1 if is_wrong else 0)


@cal.command()
@click.option("--apply", "applies", is_flag=True, help="Take over what has an arrow.")
@click.option(
    "--take",
    "taken",
    multiple=True,
    metavar="SERVICE.FIELD",
    help="Take this one over too, though you wrote another: deep-dive.name, say. Goes with --apply.",
)
def sync(applies: bool, taken: tuple[str, ...]) -> None:
    """Show where services and Cal.com's event types differ; --apply makes the services follow."""
    own = _own_that_give_way(taken, applies)
    if words := event_types.look(_client()):
        raise click.ClickException(words)
    count = 0
    for service in Service.catalogue():
        click.echo(f"{service.name} ({service.slug}){_state(service)}")
        count += _show(service, own.get(service.slug, ()))
        if applies:
            event_types.take_over(service, own.get(service.slug, ()))
    db.session.commit()
    if count and not applies:
        click.echo("`flask cal sync --apply` takes over what has an arrow.")


@cal.command("reconcile")
def reconcile_command() -> None:
    """Read the bookings at Cal.com now, and repair here what no webhook told; exit 1 where it could not be done."""
    if not reconcile.is_possible():
        raise click.ClickException("CAL_ACCESS_TOKEN is not set, and without a key Cal.com lists no bookings.")
    reconcile.know_prices()
    Reconciliation.wake()
    db.session.commit()
    is_whole = [_reconcile(name) for name in NAMES]
    sys.exit(0 if all(is_whole) else 1)


def _reconcile(name: str) -> bool:
    row = reconcile.look(name)
    while row and row.is_under_way and row.is_due:
        row = reconcile.look(name)
    what = "What changed" if name == CHANGES else "What is ahead"
    if row is None:
        click.echo(f"{what}: not read, as another process is reading it, or deliveries wait to be applied first.")
    elif row.is_under_way and row.due_at:
        click.echo(f"{what}: {row.figures} so far. {row.trouble} It goes on at {iso_utc(row.due_at)}.")
    else:
        click.echo(f"{what}: {row.figures}. {row.trouble}".rstrip())
    return row is not None and not row.trouble


def _show(service: Service, gives_way: Collection[str]) -> int:
    """Print the differences; how many of them can be taken over."""
    found = event_types.differences(service)
    for each in found:
        if each.is_own and each.field not in gives_way:
            words = f"{each.our_words} (yours; Cal.com says {each.their_words})"
            if each.field == "price":
                words += f"; the pages say {event_types.advertised(service)}"
        else:
            words = f"{each.our_words} → {each.their_words}"
        click.echo(f"  {each.label + ':':<24} {words}")
    if not found and service.told:
        click.echo("  nothing differs")
    return sum(1 for each in found if not each.is_own or each.field in gives_way)


def _state(service: Service) -> str:
    if service.told is None:
        return ": no such event type at Cal.com; `flask cal connect` says what to do"
    return f", {service.event_type_state} at Cal.com" if service.event_type_state == "hidden" else ""


def _own_that_give_way(taken: tuple[str, ...], applies: bool) -> dict[str, set[str]]:
    if taken and not applies:
        raise click.UsageError("--take goes with --apply.")
    own: dict[str, set[str]] = {}
    slugs = {service.slug for service in Service.catalogue()}
    for name in taken:
        slug, _, field = name.rpartition(".")
        if slug not in slugs or field not in event_types.FIELDS:
            known = f"one of {', '.join(sorted(slugs))}, a dot, and one of {', '.join(event_types.FIELDS)}"
            raise click.BadParameter(f"{name} is no fact of a service: write {known}", param_hint="--take")
        own.setdefault(slug, set()).add(field)
    return own


def _client() -> CalClient:
    return CalClient(replace(account_from(settings), read_seconds=PATIENCE))
