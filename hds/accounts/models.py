"""Staff who sign in, and the tries to."""

import hashlib
import ipaddress
import secrets
import threading
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask_login import UserMixin
from sqlalchemy import String, delete, insert
from sqlalchemy.orm import Mapped, mapped_column

from hds.config import settings
from hds.extensions import db
from hds.lib.models import Base, UTCDateTime, one_at_a_time
from hds.lib.times import utcnow

SHORTEST_PASSWORD = 12
WINDOW = timedelta(minutes=15)
# From one address to one account: strangers who know the owner's e-mail address close it for themselves alone.
TRIES = 5
TRIES_PER_ADDRESS = 20
# From all addresses together, against guesses from many machines.
TRIES_PER_ACCOUNT = 100
_TRIES_LOCK = 0x7369676E

_hasher = PasswordHasher()
# A verification takes a fifth of a second of CPU, and its thread answers the webhooks too: few at once, and nobody
# waits long.
_hashes_at_once = threading.Semaphore(2)
LONGEST_WAIT = 1.0


class Busy(Exception):
    """Too many passwords are being verified: nothing was tried."""


class Staff(Base, UserMixin):
    """Somebody who may use /admin. Only the hash of the password is kept."""

    __tablename__ = "staff"

    email: Mapped[str] = mapped_column(String(320), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    # Part of every session: a new one ends all sessions that were open.
    session_key: Mapped[str] = mapped_column(String(32))
    # None while the password is one that the start generated.
    password_chosen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @classmethod
    def by_email(cls, email: str) -> "Staff | None":
        return db.session.scalar(db.select(cls).filter_by(email=email.strip().lower()))

    @classmethod
    def by_session(cls, session_id: str) -> "Staff | None":
        staff_id, _, key = session_id.partition(":")
        staff = db.session.get(cls, int(staff_id)) if staff_id.isdigit() else None
        if staff is None or staff.disabled_at or not secrets.compare_digest(staff.session_key, key):
            return None
        return staff

    @classmethod
    def with_generated_password(cls, email: str) -> str | None:
        """A new password for an account whose owner has not chosen one; None where they have. Made where missing."""
        staff = cls.by_email(email)
        if staff and staff.password_chosen_at:
            return None
        password = secrets.token_urlsafe(12)
        if staff is None:
            staff = cls(email=email.strip().lower())
            db.session.add(staff)
        staff._set_password(password)
        return password

    @classmethod
    def sign_in(cls, email: str, password: str) -> "Staff | None":
        """The account, if the password is right. As slow for an unknown address as for a wrong password."""
        staff = cls.by_email(email)
        right = _matches(staff.password_hash if staff else _dummy_hash(), password)
        return staff if staff and right and not staff.disabled_at else None

    def has_password(self, password: str) -> bool:
        return _matches(self.password_hash, password)

    def choose_password(self, password: str) -> None:
        """Set it, and end every session that is open."""
        self._set_password(password)
        self.password_chosen_at = utcnow()

    def end_sessions(self) -> None:
        """A session is a signed cookie, and a copy of it would outlive the browser's: so all of them end, or none."""
        self.session_key = secrets.token_hex(16)

    def _set_password(self, password: str) -> None:
        self.password_hash = _hasher.hash(password)
        self.end_sessions()

    def get_id(self) -> str:
        return f"{self.id}:{self.session_key}"


class SignInAttempt(Base):
    """A try to sign in, kept as long as it counts. Addresses are kept as keyed digests."""

    __tablename__ = "sign_in_attempt"

    account: Mapped[str] = mapped_column(String(64), index=True)
    address: Mapped[str] = mapped_column(String(64), index=True)

    @classmethod
    def begin(cls, account: str, address: str) -> int | None:
        """Note the try: its id, or None where it may not go on.

        One after the other, so that tries at the same time all count. A refused one leaves nothing behind: whoever goes
        on trying does not stay shut out for that, and fills no table.
        """
        key = {"account": _digest(account.strip().lower()), "address": _digest(_network(address))}
        one_at_a_time(_TRIES_LOCK)
        db.session.execute(delete(cls).where(cls.created_at < utcnow() - WINDOW))
        refused = (
            cls._count(**key) >= TRIES
            or cls._count(address=key["address"]) >= TRIES_PER_ADDRESS
            or cls._count(account=key["account"]) >= TRIES_PER_ACCOUNT
        )
        attempt_id = None if refused else db.session.scalar(insert(cls).values(**key).returning(cls.id))
        db.session.commit()
        return attempt_id

    @classmethod
    def take_back(cls, attempt_id: int) -> None:
        """It was none: no password was looked at."""
        db.session.execute(delete(cls).filter_by(id=attempt_id))
        db.session.commit()

    @classmethod
    def forget(cls, account: str, address: str | None = None) -> None:
        """Somebody got in: their own tries count no longer; those of others do, unless no address is named."""
        key = {"account": _digest(account.strip().lower())}
        if address is not None:
            key["address"] = _digest(_network(address))
        db.session.execute(delete(cls).filter_by(**key))

    @classmethod
    def _count(cls, **criteria: str) -> int:
        return db.session.scalar(db.select(db.func.count()).select_from(cls).filter_by(**criteria)) or 0


def _matches(password_hash: str, password: str) -> bool:
    if not _hashes_at_once.acquire(timeout=LONGEST_WAIT):
        raise Busy
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
    finally:
        _hashes_at_once.release()


def _dummy_hash() -> str:
    global _kept_dummy  # noqa: PLW0603 - made on first use: it costs as much as a verification
    _kept_dummy = _kept_dummy or _hasher.hash(secrets.token_hex(16))
    return _kept_dummy


_kept_dummy = ""


def _network(address: str) -> str:
    """Whose address it is: of IPv6 everybody has a whole /64 to choose from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def _digest(text: str) -> str:
    key = settings.secret_key.get_secret_value().encode()
    return hashlib.blake2b(text.encode(), key=key[:64], digest_size=16).hexdigest()
