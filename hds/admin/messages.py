"""The outbox: every mail that is to leave or has left, whatever the transport."""

from flask import Blueprint, Response, abort, flash, render_template, url_for
from sqlalchemy import or_
from sqlalchemy.orm import defer

from hds.admin import lists, words
from hds.admin.previews import preview as preview_of
from hds.admin.previews import with_frame
from hds.bookings.models import Booking
from hds.extensions import db
from hds.lib.htmx import redirect_to, render_page_or_fragment
from hds.mail.models import Message, MessageState

blueprint = Blueprint("messages", __name__, url_prefix="/messages")

ONE = f"/<int(max={lists.LARGEST_ID}):message_id>"


@blueprint.get("")
def index() -> Response:
    state, q = lists.member("state", MessageState), lists.words("q")
    query = Message.newest_first().options(defer(Message.text), defer(Message.html))
    if state:
        query = query.where(Message.state == state)
    if q:
        query = query.where(
            or_(*(column.icontains(q, autoescape=True) for column in (Message.recipient, Message.subject)))
        )
    return render_page_or_fragment(
        "admin/messages/index.html",
        "admin/messages/_table.html",
        listing=lists.page_of(query),
        params={name: str(value) for name, value in {"q": q, "state": state}.items() if value},
        states=words.choices(MessageState),
    )


@blueprint.get(ONE)
def show(message_id: int) -> Response:
    message = db.session.get(Message, message_id) or abort(404)
    return with_frame(render_template("admin/messages/show.html", message=message, booking=_booking(message)))


@blueprint.get(f"{ONE}/preview")
def preview(message_id: int) -> Response:
    """The words as they were frozen; a message that nobody has written yet has none."""
    message = db.session.get(Message, message_id)
    if message is None or not message.is_rendered:
        abort(404)
    return preview_of(message.html, message.subject or "", message.text or "")


@blueprint.get(f"{ONE}/sending")
def sending(message_id: int) -> Response | str:
    """What sending it again would do, and to whom, before it is done."""
    message = db.session.get(Message, message_id) or abort(404)
    if not message.can_be_sent_again:
        return redirect_to(url_for("admin.messages.show", message_id=message_id))
    return render_template("admin/messages/sending.html", message=message, booking=_booking(message))


@blueprint.post(f"{ONE}/sending")
def send_again(message_id: int) -> Response:
    # Locked: of two clicks, or of a click and the worker, the second sees what the first one did.
    message = db.session.get(Message, message_id, with_for_update=True) or abort(404)
    if message.can_be_sent_again:
        message.send_again()
        flash(f"The mail to {message.recipient} is queued and will be sent in a moment.")
    else:
        flash(f"The mail to {message.recipient} is {message.state} by now, so nothing was sent.")
    db.session.commit()
    return redirect_to(url_for("admin.messages.show", message_id=message_id))


def _booking(message: Message) -> Booking | None:
    return db.session.get(Booking, message.booking_id) if message.booking_id else None
