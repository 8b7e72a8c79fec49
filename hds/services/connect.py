"""Connecting the account at Cal.com: what is needed is looked at step by step, mended where it can be, and said.

Each finding is a sentence. Nothing of the secret, of somebody else's addresses or of a key stands in any. A second run
finds what the first one left, and changes nothing.
"""

import hashlib
import ipaddress
import json
import math
from collections.abc import Generator, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import or_

from hds.calcom import signature
from hds.calcom.answers import EventType, Me, Webhook
from hds.calcom.client import CalClient
from hds.calcom.errors import CalError, Invalid
from hds.calcom.subscription import HOSTED_ALONE, Wanted, host
from hds.calcom.troubles import GET_A_KEY, api_host, is_hosted, trouble
from hds.config import MailTransport, Settings, settings
from hds.extensions import db
from hds.lib import http
from hds.lib.times import iso_utc, say_moment, utcnow
from hds.mail import jobs as mail
from hds.mail.models import Message, MessageState
from hds.mail.renderers import render_templates
from hds.services.account import CalAccount, Finding, Outcome
from hds.services.models import Service
from hds.services.seed import DEEP_DIVE, FREE, give_named
from hds.services.sync import find, note
from hds.webhooks.models import InboxDelivery

WEBHOOK_PATH = "/api/webhooks/cal"
TEST_MAIL = "connection_test"
# What a delivery of our own says where Cal.com's names its version: so that it is never taken for one of Cal.com's.
SELF = "self-test"
SECONDS = 5.0  # in which the site answers its own delivery
CONFLICT = 409

Findings = Iterator[Finding]


def connect(
    client: CalClient, *, mends: bool = True, carried: Sequence[str] = (), mail_seconds: float = math.inf
) -> Findings:
    """Look at everything, and note the whole at the end; commits. `mends`: put right what can be, and send a test
    delivery and a test mail. `carried`: the hidden questions by which our own words come back with a booking.
    `mail_seconds`: how long the test mail may take while somebody waits; what has not left then does so later."""
    findings = []
    for finding in _findings(client, mends, carried, mail_seconds):
        findings.append(finding)
        yield finding
    CalAccount.known().checked(findings)
    db.session.commit()


def _findings(client: CalClient, mends: bool, carried: Sequence[str], mail_seconds: float) -> Findings:
    db.session.rollback()  # no transaction stands open while others are asked
    yield from _settings(client)
    me = yield from _key(client)
    if me is not None:
        yield from _event_types(client, mends, carried)
        yield from _webhook(client, mends)
    if mends:
        yield from _delivery()
        yield from _test_mail(mail_seconds)
    yield last_real_delivery()


# The settings and the key


def _settings(client: CalClient) -> Findings:
    if settings.uses_sandbox:
        yield _note(f"This is the local stand-in, not Cal.com. For your own account {GET_A_KEY}.")
    if not _secret():
        yield _wrong("CAL_WEBHOOK_SECRET is not set, so nothing that Cal.com posts can be told from a forgery.")
    if is_hosted(client.account) and (fault := _unreachable(settings.public_url)):
        yield _wrong(f"Cal.com cannot post to {settings.public_url}: {fault}. Set SITE_URL to your https:// address.")


def _unreachable(url: str) -> str:
    """Why hosted Cal.com would refuse an address, as far as it can be seen from here."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    if parts.scheme != "https":
        return "it is not https"
    try:
        is_public = ipaddress.ip_address(name).is_global
    except ValueError:
        is_public = "." in name and not name.endswith((".localhost", ".local", ".internal"))
    return "" if is_public else "it is no public address"


def _key(client: CalClient) -> Generator[Finding, None, Me | None]:
    """Ends with whose key it is; None where Cal.com does not say."""
    try:
        me = client.me()
    except CalError as error:
        yield _wrong(trouble(error, client.account))
        return None
    yield _right(f"The key is that of {me.name or me.username or 'an account'} at {api_host(client.account)}.")
    yield from _link(client.account.link, me)
    return me


def _link(link: str, me: Me) -> Findings:
    name = me.username or ""
    if not name or link.startswith("team/") or link.lower() == name.lower():
        return
    if link:
        yield _note(
            f"CAL_LINK is {link}, and the key's owner is called {name} there: right only where {link} is a team."
        )
    else:
        yield _note(f"CAL_LINK is not set: set it to {name}, so that links lead to your pages even without an answer.")


# Event types


def _event_types(client: CalClient, mends: bool, carried: Sequence[str]) -> Findings:
    """Whose service is whose event type: by the settings' numbers, by what was chosen, else by the slug."""
    db.session.rollback()
    try:
        kinds = client.event_types()
        if mends:
            yield from _match(client, kinds)
        note(client, kinds)
        yield from _matches(client, kinds, carried)
    except CalError as error:
        db.session.rollback()
        yield _wrong(trouble(error, client.account))


def _match(client: CalClient, kinds: list[EventType]) -> Findings:
    """Give services the event types of their slugs, where the number is not known or not there any more."""
    give_named(settings)
    services = [(each.id, each.slug, each.cal_event_type_id, each.cal_event_slug) for each in Service.catalogue()]
    db.session.commit()
    for service_id, slug, event_type_id, event_slug in services:
        if named_by(slug, settings) or (event_type_id and find(client, kinds, event_type_id, None)):
            continue
        held = set(db.session.scalars(db.select(Service.cal_event_type_id)))
        slugs = {event_slug, slug} - {None}
        kind = next((kind for kind in kinds if kind.slug in slugs and kind.id not in held), None)
        service = db.session.get_one(Service, service_id)
        if kind is not None:
            service.belongs_to(kind.id, kind.slug)
            yield _mended(f"{service.name} is booked by “{kind.title}” ({kind.id}) from now on, found by its slug.")
        db.session.commit()


def _matches(client: CalClient, kinds: list[EventType], carried: Sequence[str]) -> Findings:
    services = Service.catalogue()
    which = [(each.name, each.slug, each.cal_event_slug, each.cal_event_type_id) for each in services]
    db.session.rollback()
    for name, slug, event_slug, event_type_id in which:
        kind = find(client, kinds, event_type_id, None) if event_type_id else None
        if kind is None:
            yield _wrong(_without(name, slug, event_slug or slug, event_type_id, kinds))
        else:
            yield _right(f"{name} is booked by “{kind.title}” ({kind.id}).")
            yield from _about(name, kind, carried)
    taken = {event_type_id for *_, event_type_id in which}
    for kind in kinds:
        if kind.id not in taken:
            yield _note(
                f"“{kind.title}” ({kind.slug}, {kind.id}) belongs to no service: who books it stands under Other and "
                "gets no mail of ours. To offer it here, choose it for a service under “Event types” at /admin/cal."
            )


def _without(name: str, slug: str, event_slug: str, event_type_id: int | None, kinds: list[EventType]) -> str:
    there = ", ".join(f"{kind.slug} ({kind.id})" for kind in kinds) or "none"
    if (setting := named_by(slug, settings)) and event_type_id:
        return f"{setting} is {event_type_id}, and the account has no such event type; it has: {there}."
    return (
        f"{name} has no event type: make one at Cal.com with the slug {event_slug}, or choose one of yours under "
        f"“Event types” at /admin/cal (there are: {there})."
    )


def _about(name: str, kind: EventType, carried: Sequence[str]) -> Findings:
    if kind.is_hidden:
        yield _note(f"“{kind.title}” is hidden at Cal.com: it is not on your page there, and can be booked here.")
    missing = [slug for slug in carried if slug not in {field.slug for field in kind.fields}]
    if missing:
        yield _note(
            f"“{kind.title}” has no hidden text question {' and '.join(missing)}: without, a booking of {name} loses "
            "what brought it once you confirm it or a payment comes in."
        )


def named_by(slug: str, stated: Settings) -> str:
    """The setting that names this service's event type; empty where none does."""
    ids = {FREE: stated.cal_free_consultation_event_id, DEEP_DIVE: stated.cal_deep_dive_event_id}
    names = {FREE: "CAL_FREE_CONSULTATION_EVENT_ID", DEEP_DIVE: "CAL_DEEP_DIVE_EVENT_ID"}
    return names[slug] if ids.get(slug) else ""


# The webhook


def _webhook(client: CalClient, mends: bool) -> Findings:
    if not _secret() or (is_hosted(client.account) and _unreachable(settings.public_url)):
        return  # said already
    wanted = Wanted(settings.public_url + WEBHOOK_PATH, _secret())
    try:
        found = client.webhooks()
        own = [webhook for webhook in found if wanted.is_for(webhook)]
        if own:
            yield from _repair(client, wanted, own[0], mends)
        elif mends:
            yield from _create(client, wanted)
        else:
            yield _mendable(f"No webhook posts to {wanted.url}.")
    except CalError as error:
        yield _wrong(f"The webhook could not be set. {trouble(error, client.account)}")
        return
    yield from _others(wanted, [webhook for webhook in found if webhook not in own[:1]])


def _create(client: CalClient, wanted: Wanted) -> Findings:
    try:
        made = client.create_webhook(wanted.body)
    except Invalid as error:
        if error.status == CONFLICT:
            # Somebody else connected at the same time, or it hides behind another spelling.
            if own := [webhook for webhook in client.webhooks() if wanted.is_for(webhook)]:
                yield from _repair(client, wanted, own[0], mends=True)
                return
            yield _wrong(f"Cal.com has a webhook for {wanted.url} already, and does not list it: look for it there.")
            return
        wanted = wanted.for_an_older_one()
        made = client.create_webhook(wanted.body)
        yield _knows_less()
    yield from _result(wanted, made, f"A webhook posts to {wanted.url} from now on.")


def _repair(client: CalClient, wanted: Wanted, found: Webhook, mends: bool) -> Findings:
    changes, faults = wanted.changes(found)
    if changes and mends:
        try:
            made = client.change_webhook(found.id, changes)
        except Invalid:
            wanted = wanted.for_an_older_one()
            changes, faults = wanted.changes(found)
            made = client.change_webhook(found.id, changes) if changes else found
            yield _knows_less()
        if changes:
            yield from _result(wanted, made, f"The webhook to {wanted.url} is put right: {_listed(faults)}.")
            return
    elif changes:
        yield _mendable(f"The webhook to {wanted.url} is not right: {_listed(faults)}.")
        return
    yield _right(f"The webhook posts everything to {wanted.url}, signed with CAL_WEBHOOK_SECRET.")


def _result(wanted: Wanted, made: Webhook, words: str) -> Findings:
    """What Cal.com made of it: one that kept its ways is to be changed by hand."""
    _, faults = wanted.changes(made)
    if faults:
        yield _wrong(
            f"Cal.com kept the webhook to {wanted.url} as it was ({_listed(faults)}): change it there by hand."
        )
    else:
        yield _mended(words)


def _knows_less() -> Finding:
    return _note(
        f"This Cal.com is older and does not know {len(HOSTED_ALONE)} of the triggers: it is asked for the others."
    )


def _others(wanted: Wanted, others: list[Webhook]) -> Findings:
    same = [webhook for webhook in others if wanted.is_for(webhook)]
    like = [webhook for webhook in others if wanted.is_like(webhook) and webhook not in same]
    foreign = [webhook for webhook in others if webhook not in same and webhook not in like]
    if same:
        yield _note("A second webhook posts here too, which does no harm: each booking counts once. Delete it there.")
    if like:
        yield _note(
            f"{_counted(like)} to a site like this one at {_hosts(like)}, and stays as it is. If that was this site's "
            "former address, delete it at Cal.com."
        )
    if foreign:
        yield _note(f"{_counted(foreign)} elsewhere ({_hosts(foreign)}), and stays as it is.")


def _counted(webhooks: list[Webhook]) -> str:
    return "One more webhook posts" if len(webhooks) == 1 else f"Each of {len(webhooks)} more webhooks posts"


def _hosts(webhooks: list[Webhook]) -> str:
    return ", ".join(sorted({host(webhook.url) for webhook in webhooks}))


# Whether anything arrives


def _delivery() -> Findings:
    """Post to ourselves as Cal.com would: the same address, the same signature."""
    if not _secret():
        return
    url = settings.public_url + WEBHOOK_PATH
    body = _ping()
    headers = {
        "Content-Type": "application/json",
        signature.HEADER: signature.sign(body, _secret()),
        "X-Cal-Webhook-Version": SELF,
    }
    db.session.rollback()
    try:
        status = http.Outbound("this site", read=SECONDS).call("POST", url, body=body, headers=headers).status
    except http.Unavailable as error:
        yield _wrong(
            f"Nobody took a test delivery at {url} ({error.reason}): does the site run, and is SITE_URL right?"
        )
        return
    if fault := _refused(status):
        yield _wrong(f"A test delivery to {url} was answered with {status}: {fault}")
    elif not _has_arrived(body):
        yield _wrong(f"{url} took a test delivery, but it did not arrive here: another site answers at SITE_URL.")
    else:
        yield _right(f"A signed test delivery of our own arrived through {url}.")


def _refused(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return "it sends elsewhere, and Cal.com does not follow. Set SITE_URL to the address where it ends."
    reasons = {
        400: "the site knows itself by another name. Restart it with this SITE_URL.",
        401: "the running site has another CAL_WEBHOOK_SECRET. Restart it with this one.",
        404: "what runs there is not this site.",
        503: "the site could not store it. Is its database up?",
    }
    return reasons.get(status, "something in front of the site refuses it. It must let Cal.com's posts through.")


def _has_arrived(body: bytes) -> bool:
    digest = hashlib.sha256(body).hexdigest()
    is_there = db.session.scalar(db.select(InboxDelivery.id).filter_by(sender="cal", digest=digest)) is not None
    db.session.rollback()
    return is_there


def _ping() -> bytes:
    """The shape of Cal.com's own test button: nobody's booking."""
    now = utcnow().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    person: dict[str, Any] = {"timeZone": settings.owner_time_zone, "language": {"locale": "en"}}
    payload = {
        "type": "Test",
        "title": "Test of this site by itself",
        "description": "",
        "startTime": now,
        "endTime": now,
        "attendees": [{"email": "test@site.invalid", "name": "Nobody", **person}],
        "organizer": {"name": "This site", "email": "test@site.invalid", **person},
    }
    body = {"triggerEvent": "PING", "createdAt": now, "payload": payload}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _test_mail(seconds: float) -> Findings:
    """Through the outbox and the transport that every mail takes."""
    now = utcnow()
    message = Message(
        kind=TEST_MAIL,
        recipient=settings.contact_email,
        occurrence=iso_utc(now),
        state=MessageState.PENDING,
        state_at=now,
        created_at=now,
        due_at=now,
        attempts=0,
    )
    words = render_templates(TEST_MAIL, moment=now, zone=settings.owner_zone)
    message.rendered(words.subject, words.text, words.html, None)
    db.session.add(message)
    db.session.commit()
    with http.within(seconds):
        mail.deliver(message.id)
    db.session.refresh(message)
    state, reason = message.state, message.reason
    db.session.rollback()
    if state is not MessageState.SENT:
        yield _wrong(f"A test mail to you did not leave: {reason or 'it waits in the outbox.'}")
    elif settings.mail_transport is MailTransport.MAILBOX:
        yield _right("A test mail to you lies in the local mailbox; with it no mail leaves this machine.")
    else:
        yield _right("The mail server took a test mail to you (CONTACT_EMAIL). Look whether it came, and not as spam.")


def last_real_delivery() -> Finding:
    """Whether Cal.com gets through, which a delivery of our own cannot prove. Ends the transaction."""
    version = InboxDelivery.headers["X-Cal-Webhook-Version"].as_string()
    real = InboxDelivery.newest_first().where(InboxDelivery.sender == "cal", or_(version.is_(None), version != SELF))
    newest = db.session.scalar(real.limit(1))
    if newest is None:
        press = f"Send a PING at {settings.sandbox_url}/host" if settings.uses_sandbox else "Press Ping test there"
        words = f"No delivery of Cal.com's has come yet: only one would prove that it gets through. {press}, or book."
        finding = _note(words)
    else:
        when = say_moment(newest.last_seen_at, settings.owner_zone)
        finding = _right(f"Cal.com gets through: its last delivery ({newest.trigger or 'not read yet'}) came {when}.")
    db.session.rollback()
    return finding


def _secret() -> str:
    """The current one: that of before is only believed while it changes."""
    return settings.cal_webhook_secret.get_secret_value()


def _listed(parts: list[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _right(words: str) -> Finding:
    return Finding(Outcome.RIGHT, words)


def _mended(words: str) -> Finding:
    return Finding(Outcome.MENDED, words)


def _note(words: str) -> Finding:
    return Finding(Outcome.NOTE, words)


def _wrong(words: str) -> Finding:
    return Finding(Outcome.WRONG, words)


def _mendable(words: str) -> Finding:
    return Finding(Outcome.WRONG, words, is_mendable=True)
