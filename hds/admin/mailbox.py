"""The local mailbox: the mails as they look, and what of the outbox has not been sent, whatever the transport."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from flask import Blueprint, Response, abort, render_template

from hds.admin import lists
from hds.admin.previews import preview as preview_of
from hds.admin.previews import with_frame
from hds.config import MailTransport, settings
from hds.extensions import db
from hds.mail.models import Message, MessageState
from hds.mail.transports import mailbox_folder

blueprint = Blueprint("mailbox", __name__, url_prefix="/mailbox")

NAME = re.compile(r"([0-9]{1,18})\.eml")  # each file is named after its row
NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # what a page must not hold
NOT_SENT = tuple(state for state in MessageState if state is not MessageState.SENT)
SHOWN = 5  # of those that were not sent; the list of messages has all
PER_PAGE = 25


@dataclass(frozen=True)
class Mail:
    """A mail as it stands in its file."""

    name: str
    subject: str
    sender: str
    recipient: str
    at: datetime
    text: str
    html: str | None

    @classmethod
    def read(cls, path: Path) -> "Mail | None":
        """None where the file is not there any more."""
        try:
            email = BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
            changed = path.stat().st_mtime
        except OSError:
            return None
        stated = getattr(email["Date"], "datetime", None)
        return cls(
            name=path.name,
            subject=_shown(email["Subject"] or "(no subject)"),
            sender=_shown(email["From"] or ""),
            recipient=_shown(email["To"] or ""),
            at=stated if stated and stated.tzinfo else datetime.fromtimestamp(changed, UTC),
            text=_part(email, "plain") or "",
            html=_part(email, "html"),
        )

    @property
    def message_id(self) -> int:
        return int(self.name.removesuffix(".eml"))


@blueprint.get("")
def index() -> str:
    listing = lists.slice_of(_newest_files(), PER_PAGE)
    not_sent = db.select(Message).where(Message.state.in_(NOT_SENT)).order_by(_urgency(), Message.id.desc())
    count = db.select(db.func.count(Message.id)).where(Message.state.in_(NOT_SENT))
    return render_template(
        "admin/mailbox/index.html",
        listing=listing,
        mails=[mail for path in listing.rows if (mail := Mail.read(path))],
        not_sent=db.session.scalars(not_sent.limit(SHOWN)).all(),
        not_sent_count=db.session.scalar(count) or 0,
        uses_mailbox=settings.mail_transport is MailTransport.MAILBOX,
    )


@blueprint.get("/<name>")
def show(name: str) -> Response:
    mail = _find(name)
    message = db.session.get(Message, mail.message_id)
    return with_frame(render_template("admin/mailbox/show.html", mail=mail, message=message))


@blueprint.get("/<name>/preview")
def preview(name: str) -> Response:
    mail = _find(name)
    return preview_of(mail.html, mail.subject, mail.text)


def _find(name: str) -> Mail:
    """Only digits and .eml: whatever else a URL says is no name of a mail."""
    if not NAME.fullmatch(name):
        abort(404)
    return Mail.read(mailbox_folder() / name) or abort(404)


def _newest_files() -> Sequence[Path]:
    """By their rows' numbers: no file is looked at but those of the page that is shown."""
    mails = [path for path in mailbox_folder().glob("*.eml") if NAME.fullmatch(path.name)]
    return sorted(mails, key=lambda path: int(path.stem), reverse=True)


def _part(email: EmailMessage, subtype: str) -> str | None:
    body = email.get_body((subtype,))
    if body is None:
        return None
    try:
        return _shown(body.get_content())
    except (LookupError, ValueError):  # a charset that nobody knows
        return _shown(body.get_payload(decode=True).decode("utf-8", "replace"))  # type: ignore[union-attr]


def _shown(text: object) -> str:
    return NO_TEXT.sub("\ufffd", str(text).replace("\r\n", "\n"))


def _urgency() -> object:
    """Those that need somebody come first."""
    return db.case((Message.state.in_([MessageState.FAILED, MessageState.UNKNOWN]), 0), else_=1)
