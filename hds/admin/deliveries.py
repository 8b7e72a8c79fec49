"""The inbox: what was posted to us, what became of it, and the button that applies it anew."""

from datetime import timedelta

from flask import Blueprint, Response, abort, flash, render_template, request, url_for
from sqlalchemy import ColumnElement
from sqlalchemy.orm import defer

from hds.admin import lists, words
from hds.bookings.models import Booking
from hds.extensions import db
from hds.lib.htmx import redirect_to, render_page_or_fragment
from hds.lib.jobs import ring_after_commit
from hds.lib.times import utcnow
from hds.webhooks import senders
from hds.webhooks.models import DeliveryState, InboxDelivery

blueprint = Blueprint("deliveries", __name__, url_prefix="/deliveries")

# What it makes sense to apply anew all at once: what was applied is done, what waits comes by itself.
REPLAYABLE = (DeliveryState.FAILED, DeliveryState.INVALID, DeliveryState.IGNORED)
LATE = timedelta(days=7)
ONE = f"/<int(max={lists.LARGEST_ID}):delivery_id>"


@blueprint.get("")
def index() -> Response:
    state, trigger, q = lists.member("state", DeliveryState), lists.words("trigger"), lists.words("q")
    query = InboxDelivery.newest_first().options(defer(InboxDelivery.body))
    if state:
        query = query.where(InboxDelivery.state == state)
    if trigger:
        query = query.where(InboxDelivery.trigger == trigger)
    if q:
        query = query.where(InboxDelivery.booking_uid.icontains(q, autoescape=True))
    is_late = InboxDelivery.created_at > utcnow() - LATE
    known = db.select(InboxDelivery.trigger).where(InboxDelivery.trigger.is_not(None)).distinct()
    return render_page_or_fragment(
        "admin/deliveries/index.html",
        "admin/deliveries/_table.html",
        listing=lists.page_of(query),
        params={name: str(value) for name, value in {"q": q, "state": state, "trigger": trigger}.items() if value},
        states=words.choices(DeliveryState),
        triggers=[(name, name) for name in db.session.scalars(known.order_by(InboxDelivery.trigger))],
        replayable=state in REPLAYABLE,
        failed=_count(DeliveryState.FAILED),
        templated=_count(DeliveryState.INVALID, is_late, InboxDelivery.reason.contains("payload template")),
    )


@blueprint.get(ONE)
def show(delivery_id: int) -> str:
    delivery = db.session.get(InboxDelivery, delivery_id) or abort(404)
    sender = senders.find(delivery.sender)
    return render_template(
        "admin/deliveries/show.html",
        delivery=delivery,
        # Only its sender knows what in a body is secret.
        body=sender.redact(delivery.body) if sender else None,
        booking=Booking.by_uid(delivery.booking_uid) if delivery.booking_uid else None,
    )


@blueprint.post(f"{ONE}/replay")
def replay(delivery_id: int) -> Response:
    delivery = db.session.get(InboxDelivery, delivery_id) or abort(404)
    delivery.replay()
    _ring()
    db.session.commit()
    flash(f"Delivery {delivery_id} is queued and will be read again in a moment.")
    return redirect_to(url_for("admin.deliveries.show", delivery_id=delivery_id))


@blueprint.get("/replays")
def replays() -> str:
    """What it would do, before it is done."""
    state = _replayable(request.args.get("state", DeliveryState.FAILED))
    return render_template("admin/deliveries/replays.html", state=state, count=_count(state))


@blueprint.post("/replays")
def replay_all() -> Response:
    state = _replayable(request.form.get("state", ""))
    count = InboxDelivery.replay_all(state)
    _ring()
    db.session.commit()
    queued = words.counted(count, "delivery is", "deliveries are")
    flash(f"{queued} queued and will be read again in a moment." if count else "There was nothing to replay.")
    return redirect_to(url_for("admin.deliveries.index"))


def _replayable(given: str) -> DeliveryState:
    if given not in REPLAYABLE:
        abort(404)
    return DeliveryState(given)


def _count(state: DeliveryState, *more: ColumnElement[bool]) -> int:
    query = db.select(db.func.count(InboxDelivery.id)).where(InboxDelivery.state == state, *more)
    return db.session.scalar(query) or 0


def _ring() -> None:
    ring_after_commit("default", "hds.webhooks.jobs.drain")
