"""How a mail leaves the house: into the local mailbox, or over SMTP."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, formataddr
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from hds.config import MailTransport, settings
from hds.lib import http
from hds.lib.times import utcnow
from hds.mail.conversation import LONGEST, STEP, Conversation, SecureConversation
from hds.mail.models import Message

REST = timedelta(seconds=30)  # for a server that could not be reached: each further try might cost another STEP
SHORTEST = 0.1  # seconds of a step, as a socket with none would not wait at all
LONGEST_LINE = 998  # octets, of a header or of a body: RFC 5322, 2.1.1
_rests: dict[str, datetime] = {}  # until when, by address


class NotSent(Exception):
    """It surely did not leave; another time may do."""


class Unreachable(NotSent):
    """The server is down or silent."""


class Resting(NotSent):
    """It was not even tried, as the server could not be reached a moment ago. It may be at `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__("The mail server could not be reached a moment ago, so this mail waits a little.")
        self.until = until


class Refused(Exception):
    """It did not leave and never will."""


class MaybeSent(Exception):
    """The connection broke after the text was handed over: it may be on its way."""


@dataclass(frozen=True)
class Letter:
    """A message in the form in which it travels. It holds all that a transport needs, so no transaction stays open."""

    name: str
    sender: str
    recipient: str
    email: EmailMessage


class Transport(Protocol):
    """`exactly_once`: sending a row again after a crash does not make two mails of it.

    `longest`: the seconds that sending one may take.
    """

    exactly_once: bool
    longest: int

    def send(self, letter: Letter) -> str:
        """Send it and return the transport's own id for it. Raises NotSent, Refused or MaybeSent."""


class Mailbox:
    """A folder of .eml files, each named after its row, so that no crash makes two of one."""

    exactly_once = True
    longest = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, letter: Letter) -> str:
        path = self.folder / f"{letter.name}.eml"
        draft = self.folder / f".{letter.name}.draft"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(letter.email.as_bytes())
            draft.rename(path)
        except OSError as error:
            raise NotSent(f"The mailbox folder cannot be written ({error.strerror}).") from error
        return path.name


class Smtp:
    """SMTP with TLS: smtps://user:password@host:465, or smtp://user:password@host:587 with STARTTLS where offered."""

    exactly_once = False
    longest = LONGEST

    def __init__(self, url: str) -> None:
        self.url = urlsplit(url)

    def send(self, letter: Letter) -> str:
        until = _rests.get(self.url.netloc)
        if until and utcnow() < until:
            raise Resting(until)
        try:
            return self._send(letter)
        except (Unreachable, MaybeSent):
            _rests[self.url.netloc] = utcnow() + REST
            raise

    def _send(self, letter: Letter) -> str:
        beyond_ascii = not letter.recipient.isascii()
        with self._server() as server:
            with _before_the_text():
                server.ehlo_or_helo_if_needed()
                if beyond_ascii and not server.has_extn("smtputf8"):
                    raise Refused("The mail server takes no such address: it has letters beyond ASCII before the @.")
                _expect_to_be_served(server.mail(letter.sender, ["BODY=8BITMIME", "SMTPUTF8"] if beyond_ascii else []))
                rcpt = server.rcpt(letter.recipient)
            _expect(rcpt)
            try:
                _expect(server.data(letter.email.as_bytes()))
            except smtplib.SMTPDataError as error:  # the text was not asked for
                _judge(error.smtp_code)
            except OSError as error:
                raise MaybeSent("The connection broke while the mail was handed over.") from error
        return str(letter.email["Message-ID"])

    @contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        with _before_the_text():
            server = self._connect()
        try:
            yield server
        finally:
            server.close()

    def _connect(self) -> smtplib.SMTP:
        host, context = self.url.hostname, ssl.create_default_context()
        step = min(STEP, max(http.time_left(), SHORTEST))
        if not host:
            raise NotSent("SMTP_URL is not set, so no mail can leave.")
        if self.url.scheme == "smtps":
            server: smtplib.SMTP = SecureConversation(host, self.url.port or 465, timeout=step, context=context)
        else:
            server = Conversation(host, self.url.port or 587, timeout=step)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
            elif self.url.password:
                raise NotSent("The mail server offers no TLS, so the password was not sent. Use smtps://.")
        if self.url.username:
            server.login(unquote(self.url.username), unquote(self.url.password or ""))
        return server


@contextmanager
def _before_the_text() -> Iterator[None]:
    """Whatever fails here fails before the mail was handed over."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise NotSent("The mail server did not accept SMTP_URL's user and password.") from error
    except smtplib.SMTPResponseException as error:
        raise _not_served(error.smtp_code) from error
    except ValueError as error:  # letters beyond ASCII in the password, a port that is no number
        raise NotSent(f"SMTP_URL cannot be used ({type(error).__name__}).") from error
    except (OSError, smtplib.SMTPException) as error:
        raise Unreachable(f"The mail server could not be reached ({type(error).__name__}).") from error


def _expect_to_be_served(answer: tuple[int, bytes]) -> None:
    """Until it has heard the recipient, a server judges us and not the mail: nothing is for good."""
    if answer[0] >= 400:
        raise _not_served(answer[0])


def _not_served(code: int) -> NotSent:
    return NotSent(f"The mail server takes no mail from this site now ({code}).")


def _expect(answer: tuple[int, bytes]) -> None:
    if answer[0] >= 400:
        _judge(answer[0])


def _judge(code: int) -> None:
    if 500 <= code < 600:
        raise Refused(f"The mail server refused it for good ({code}).")
    raise NotSent(f"The mail server refused it for now ({code}).")


def compose(message: Message) -> Letter:
    """The mail as it travels. The Message-ID is the row's, so that a copy would be recognised as one."""
    sender = settings.mail_from or settings.contact_email
    try:
        recipient = _travelling(message.recipient)
        # 7 bits and CRLF are what every server takes; letters beyond ASCII before an @ need one that takes UTF-8.
        policy = SMTP.clone(cte_type="7bit") if recipient.isascii() else SMTPUTF8
        email = EmailMessage(policy)
        email["From"] = formataddr((settings.site_name, _travelling(sender)))
        email["To"] = recipient
        email["Subject"] = message.subject or ""
        email["Date"] = format_datetime(message.created_at)
        domain = sender.rpartition("@")[2]
        email["Message-ID"] = f"<message-{message.id}-{message.created_at:%Y%m%d%H%M%S}@{_ascii(domain)}>"
        if reply_to := _reply_to(message):
            email["Reply-To"] = reply_to
        email.set_content(message.text or "")
        email.add_alternative(message.html or "", subtype="html")
        if email["Subject"].isascii():
            # On one line, as every server takes it: Python would start some on the second, with a blank before them.
            email.policy = policy.clone(max_line_length=LONGEST_LINE)
    except ValueError as error:  # a break in a header, a domain that is none
        raise Refused(f"It cannot be put into the form of a mail ({type(error).__name__}).") from error
    return Letter(str(message.id), _travelling(sender), recipient, email)


def _reply_to(message: Message) -> str | None:
    """The address, if it can travel to every server; without one the mail goes all the same."""
    if not message.reply_to:
        return None
    try:
        address = _travelling(message.reply_to)
    except UnicodeError:  # a domain that is none
        return None
    return address if address.isascii() else None


def _travelling(address: str) -> str:
    """With its domain in ASCII, as every server takes it; before the @ it stays as it is."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{_ascii(domain)}"


def _ascii(domain: str) -> str:
    return domain.encode("idna").decode()


def transport() -> Transport:
    if settings.mail_transport is MailTransport.SMTP:
        return Smtp(settings.smtp_url.get_secret_value())
    return Mailbox(mailbox_folder())


def mailbox_folder() -> Path:
    return settings.hds_data / "mailbox"
