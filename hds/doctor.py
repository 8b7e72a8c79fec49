"""`flask doctor`: what is set, what is missing, and what each missing thing switches off."""

from collections.abc import Callable, Iterator

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from hds.bookings.booker import cal, wanted
from hds.bookings.embedded import origin_of
from hds.bookings.reconciliation import CHANGES, Reconciliation
from hds.config import BookerKind, MailTransport, Settings
from hds.extensions import db
from hds.lib import jobs
from hds.lib.times import iso_utc
from hds.services import sync
from hds.services.account import CalAccount, Outcome
from hds.services.models import Service

Say = Callable[[str], None]


def report(settings: Settings, say: Say) -> int:
    """Print the state of everything. Returns 1 where production would be unsafe or something does not answer."""
    say(f"HDS_ENV is {settings.hds_env}.")
    for line in (*_lines(settings), *_frames(), *_account()):
        say(line)
    broken = list(_unreachable(settings))
    faults = settings.production_faults()
    for sentence in broken:
        say(f"BROKEN   {sentence}")
    for sentence in faults:
        say(f"UNSAFE   {sentence}")
    if faults and not settings.in_production:
        say("With these settings production would refuse to start.")
    if not (faults or broken):
        say("Nothing stands against production.")
    return 1 if faults or broken else 0


def _lines(settings: Settings) -> Iterator[str]:
    key, link = settings.cal_access_token.get_secret_value(), settings.cal_link
    if settings.uses_sandbox:
        why = "SANDBOX says so" if settings.sandbox else "neither CAL_ACCESS_TOKEN nor CAL_LINK is set"
        yield f"sandbox  On: bookings go to the local stand-in, because {why}."
        yield "sandbox  CAL_ACCESS_TOKEN, CAL_LINK and the event types' numbers: the stand-in has its own."
    else:
        yield _state("CAL_ACCESS_TOKEN", key, "no look-up after a time-out, no reconciling with Cal.com")
        yield _state(
            "CAL_LINK", link, "no link to Cal.com's own page where there is no key either: paid types cannot be booked"
        )
        for name in ("cal_free_consultation_event_id", "cal_deep_dive_event_id"):
            yield _state(name.upper(), getattr(settings, name), "the event type is found by its slug on Cal.com")
    for name, secret in (("SECRET_KEY", settings.secret_key), ("CAL_WEBHOOK_SECRET", settings.cal_webhook_secret)):
        if secret.get_secret_value() or settings.in_production:
            yield _state(name, secret.get_secret_value(), "production does not start without")
        else:
            yield f"made up  {name}: kept in HDS_DATA, as this is development."
    yield _optional("CAL_WEBHOOK_SECRET_PREVIOUS", settings.cal_webhook_secret_previous, "only needed while it changes")
    yield _optional(
        "CAL_OAUTH_CLIENT_ID", settings.cal_oauth_client_id, "once required, now optional: nothing needs it"
    )
    yield _optional(
        "CAL_ORGANIZATION_ID",
        settings.cal_organization_id,
        "with it the organisation's bookings are read, not one's own",
    )
    yield from _reconciled(settings)
    yield f"set      DATABASE_URL: {'SQLite in HDS_DATA' if settings.uses_sqlite else 'PostgreSQL'}."
    yield f"set      MAIL_TRANSPORT: {_mail(settings)}."
    yield _optional("RESEND_API_KEY", settings.resend_api_key, "nothing uses it yet: mail goes by SMTP or the mailbox")
    if settings.mail_off:
        yield f"set      MAIL_OFF: these mails are not written: {', '.join(sorted(settings.mail_off))}."
    yield _state("OWNER_ADDRESS", settings.owner_address, "no postal address in the footer and in mails")
    yield (
        "note     Cal.com mails its own confirmations too, so people get both. Keep Cal.com's, since only they tell of"
        " moves, refusals and cancellations; MAIL_OFF=booking_confirmed,booking_requested switches ours off."
    )


def _frames() -> Iterator[str]:
    """Where Cal.com's frame comes from, and for which services. Cal.com is not asked: /admin/services does that."""
    try:
        services = [service for service in Service.catalogue() if wanted(service) is BookerKind.EMBED]
    except SQLAlchemyError:
        db.session.rollback()
        return  # that is said as broken
    account = cal().account
    named: list[str] = []
    numbered: list[str] = []
    neither: list[str] = []
    for service in services:
        has_number = bool(account.api_key and service.cal_event_type_id)
        if account.link and (service.cal_event_slug or has_number):
            named.append(service.slug)
        else:
            (numbered if has_number else neither).append(service.slug)
    if not services:
        yield "embed    Off: no service is booked in Cal.com's frame."
    if named:
        yield f"embed    Cal.com's frame comes from {origin_of(account.app_url)}: {', '.join(named)}."
    if numbered:
        yield f"embed    CAL_LINK is not set, so the frame comes from where the event type says: {', '.join(numbered)}."
    if neither:
        yield (
            f"embed    No frame for {', '.join(neither)}: it needs CAL_LINK and its slug at Cal.com, or"
            " CAL_ACCESS_TOKEN and its number. /admin/services shows how it is booked instead."
        )


def _account() -> Iterator[str]:
    """How the account at Cal.com stood when it was last looked at; nobody is asked here."""
    try:
        account, drift = CalAccount.known(), sync.drift()
    except SQLAlchemyError:  # said by _unreachable, or it is not migrated yet
        db.session.rollback()
        return
    if account.checked_at is None:
        yield "connect  Not connected yet: `flask cal connect` looks at everything that Cal.com and the site need."
    else:
        wrong = [finding.words for finding in account.found if finding.outcome is Outcome.WRONG]
        yield from (f"connect  {words} ({iso_utc(account.checked_at)})" for words in wrong)
    if account.trouble:
        yield f"connect  {account.trouble}"
    for sentence in drift:
        yield f"drift    {sentence}"


def _reconciled(settings: Settings) -> Iterator[str]:
    """Whether our books are known to be Cal.com's. Nothing where that cannot be, or where the tables are not there."""
    if not (settings.cal_access_token.get_secret_value() or settings.uses_sandbox):
        return
    try:
        row = Reconciliation.of(CHANGES)
    except SQLAlchemyError:  # the database is judged below
        db.session.rollback()
        return
    last = f"last at {iso_utc(row.succeeded_at)}" if row and row.succeeded_at else "not yet"
    yield f"note     Cal.com's bookings were compared with ours: {last}. {row.trouble if row else ''}".rstrip()


def _state(name: str, value: object, without: str) -> str:
    return f"set      {name}." if value else f"missing  {name}: {without}."


def _optional(name: str, value: object, why: str) -> str:
    return f"{'set     ' if value else 'not set '} {name}: {why}."


def _mail(settings: Settings) -> str:
    if settings.mail_transport is MailTransport.SMTP:
        return "SMTP" if settings.smtp_url.get_secret_value() else "SMTP, but SMTP_URL is missing: no mail leaves"
    return "the local mailbox: no mail reaches anybody"


def _unreachable(settings: Settings) -> Iterator[str]:
    try:
        db.session.execute(text("SELECT 1"))
    except Exception as error:  # whatever the driver raises: it does not work
        yield f"The database does not answer ({type(error).__name__}): check DATABASE_URL."
    try:
        jobs.connection().ping()
    except Exception as error:
        yield f"The queue does not answer ({type(error).__name__}): start it with `flask up`, or check REDIS_URL."
