"""Settings: read once from the environment (and `.env`), typed, and wrong ones stop the start with a sentence."""

import os
import re
import secrets
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from flask import current_app
from pydantic import (
    AliasChoices,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from werkzeug.local import LocalProxy

ROOT = Path(__file__).resolve().parent.parent


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class MailTransport(StrEnum):
    MAILBOX = "mailbox"
    SMTP = "smtp"


MAIL_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
SCHEMES = {
    "database_url": ("postgresql", "postgres", "postgresql+psycopg", "sqlite"),
    "redis_url": ("redis", "rediss", "unix"),
    "smtp_url": ("smtp", "smtps"),
}
SHORTEST_KEY = 32  # characters of SECRET_KEY
MAIL_KINDS = ("booking_confirmed", "booking_requested", "owner_booking_confirmed", "owner_booking_requested")


class BookerKind(StrEnum):
    """How a visitor books: in Cal.com's own booker on our page, in ours over its API, or by a link to its page."""

    EMBED = "embed"
    NATIVE = "native"
    LINK = "link"


class WrongSettings(Exception):
    """The settings do not allow a start. `reasons`: one sentence each, for the person who starts it."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


class Settings(BaseSettings):
    """Every setting; `.env.example` explains each. The CAL_* names are those of the first site."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, populate_by_name=True)

    hds_env: Environment = Environment.DEVELOPMENT
    hds_data: Path = ROOT / "data"
    hds_allow_sqlite: bool = False
    secret_key: SecretStr = SecretStr("")
    site_url: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65534)] = 5000
    web_workers: PositiveInt = 1
    trusted_hops: Annotated[int, Field(ge=0, le=5)] = 0
    clock_tick_seconds: PositiveFloat = 15.0

    database_url: SecretStr = SecretStr("")
    redis_url: SecretStr = SecretStr("")

    site_name: str = "Hudson Digital Solutions"
    site_summary: str = "We help you decide what to do next with your website, your systems and your growth."
    owner_name: str = "Hudson Digital Solutions"
    owner_address: str = ""
    owner_time_zone: str = "America/New_York"
    contact_email: str = "hello@hudson.example"
    admin_email: str = ""  # empty: CONTACT_EMAIL

    cal_access_token: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("CAL_ACCESS_TOKEN", "CAL_API_KEY", "cal_access_token")
    )
    cal_oauth_client_id: str = ""
    cal_organization_id: str = ""
    cal_webhook_secret: SecretStr = SecretStr("")
    cal_webhook_secret_previous: SecretStr = SecretStr("")
    cal_free_consultation_event_id: PositiveInt | None = None
    cal_deep_dive_event_id: PositiveInt | None = None
    cal_link: str = ""
    cal_region: str = "com"
    cal_base_url: str = ""
    cal_api_url: str = ""
    cal_bookings_version: str = "2024-08-13"
    cal_booking_list_version: str = "2024-08-13"
    booker: BookerKind = BookerKind.EMBED
    sandbox: bool | None = None

    visits_kept_days: Annotated[int, Field(ge=1, le=3650)] = 90

    mail_transport: MailTransport = MailTransport.MAILBOX
    mail_from: str = ""
    mail_off: Annotated[frozenset[str], NoDecode] = frozenset()
    smtp_url: SecretStr = SecretStr("")
    resend_api_key: SecretStr = SecretStr("")

    @field_validator("hds_data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("owner_time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is not a time zone; write one like Europe/London")
        return value

    @field_validator("cal_region")
    @classmethod
    def _known_region(cls, value: str) -> str:
        if value not in {"com", "eu"}:
            raise ValueError("is com (cal.com) or eu (cal.eu)")
        return value

    @field_validator("site_url", "cal_base_url", "cal_api_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("is an address that begins with https:// (or http://)")
        return value.rstrip("/")

    @field_validator("database_url", "redis_url", "smtp_url")
    @classmethod
    def _server(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        url, schemes = value.get_secret_value(), SCHEMES[str(info.field_name)]
        with suppress(ValueError):  # a port that is no number
            if not url or (urlsplit(url).scheme in schemes and (urlsplit(url).port or True)):
                return value
        raise ValueError(f"is an address that begins with {':// or '.join((schemes[0], schemes[-1]))}://")

    @field_validator("contact_email", "admin_email", "mail_from")
    @classmethod
    def _mail_address(cls, value: str) -> str:
        if value and not MAIL_ADDRESS.fullmatch(value):
            raise ValueError("is a mail address like hello@hudson.example, without a name")
        return value

    @field_validator("mail_off", mode="before")
    @classmethod
    def _kinds(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        kinds = frozenset(part.strip() for part in value.split(",") if part.strip())
        if unknown := kinds - set(MAIL_KINDS):
            raise ValueError(f"knows {', '.join(MAIL_KINDS)}, but not {', '.join(sorted(unknown))}")
        return kinds

    @property
    def in_production(self) -> bool:
        return self.hds_env is Environment.PRODUCTION

    @property
    def uses_sandbox(self) -> bool:
        """The local stand-in for Cal.com: on where no account is set, unless SANDBOX says otherwise."""
        if self.sandbox is not None:
            return self.sandbox
        return not (self.in_production or self.cal_access_token.get_secret_value() or self.cal_link)

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def database(self) -> str:
        """The SQLAlchemy URL; PostgreSQL is always driven by psycopg 3."""
        url = self.database_url.get_secret_value()
        if not url:
            return f"sqlite:///{self.hds_data / 'hds.sqlite3'}"
        scheme, _, rest = url.partition("://")
        return f"postgresql+psycopg://{rest}" if scheme in {"postgres", "postgresql"} else url

    @property
    def uses_sqlite(self) -> bool:
        return self.database.startswith("sqlite")

    @property
    def owner_zone(self) -> ZoneInfo:
        return ZoneInfo(self.owner_time_zone)

    @property
    def public_url(self) -> str:
        """Where visitors find the site, without a slash at the end."""
        return self.site_url or f"http://{self.host}:{self.port}"

    @property
    def webhook_secrets(self) -> list[str]:
        return [
            text
            for secret in (self.cal_webhook_secret, self.cal_webhook_secret_previous)
            if (text := secret.get_secret_value())
        ]

    def production_faults(self) -> list[str]:
        """Why production would be unsafe with these settings, a sentence each."""
        faults = []
        if not self.secret_key.get_secret_value():
            faults.append("SECRET_KEY is not set: nobody's session would survive a restart, or be safe.")
        elif len(self.secret_key.get_secret_value()) < SHORTEST_KEY:
            faults.append(
                f"SECRET_KEY is shorter than {SHORTEST_KEY} characters: who guesses it can sign in as anybody."
            )
        if not self.cal_webhook_secret.get_secret_value():
            faults.append("CAL_WEBHOOK_SECRET is not set: what Cal.com posts could not be told from a forgery.")
        if not self.site_url.startswith("https://"):
            faults.append("SITE_URL is not set to an https:// address: links in mails and cookies depend on it.")
        if self.uses_sandbox:
            faults.append("SANDBOX is on: bookings would go to a local stand-in instead of Cal.com.")
        if self.contact_email == type(self).model_fields["contact_email"].default:
            faults.append("CONTACT_EMAIL is not set: your visitors' letters and your own notices would reach nobody.")
        if self.mail_transport is MailTransport.MAILBOX:
            faults.append("MAIL_TRANSPORT is the local mailbox: no mail would reach anybody. Set it to smtp.")
        elif not self.smtp_url.get_secret_value():
            faults.append("SMTP_URL is not set: no mail would leave.")
        if self.uses_sqlite and not self.hds_allow_sqlite:
            faults.append("DATABASE_URL is not set: set it to PostgreSQL, or HDS_ALLOW_SQLITE=1 if SQLite is meant.")
        return faults

    def completed(self) -> Self:
        """What development may make up by itself: secrets kept in HDS_DATA, the sandbox's addresses."""
        updates: dict[str, object] = {"sandbox": self.uses_sandbox}
        if not self.in_production:
            for name in ("secret_key", "cal_webhook_secret"):
                if not getattr(self, name).get_secret_value():
                    updates[name] = SecretStr(_kept_secret(self.hds_data / name))
        if not self.redis_url.get_secret_value():
            updates["redis_url"] = SecretStr("redis://127.0.0.1:6379/0")
        if self.uses_sandbox:
            updates |= {
                "cal_base_url": self.sandbox_url,
                "cal_api_url": f"{self.sandbox_url}/v2",
                "cal_link": "hudson",
                "cal_access_token": SecretStr("cal_sandbox"),
            }
        return self.model_copy(update=updates)


def _kept_secret(path: Path) -> str:
    """A secret made once and kept in a file that only its owner reads. Two processes may start at once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        with suppress(FileExistsError):  # another process was first: its secret stands
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def stated_settings() -> Settings:
    """The settings as somebody stated them. HDS_ENV_FILE names another file than `.env`; empty means none.

    Raises WrongSettings with a sentence for each setting that is wrong.
    """
    env_file = os.environ.get("HDS_ENV_FILE", ".env")
    try:
        return Settings(_env_file=env_file or None)
    except ValidationError as error:
        raise WrongSettings([_sentence(dict(part)) for part in error.errors(include_url=False)]) from None


def read_settings() -> Settings:
    """The settings as stated, where they allow a start. Raises WrongSettings otherwise."""
    settings = stated_settings()
    if settings.in_production and (faults := settings.production_faults()):
        raise WrongSettings(faults)
    return settings


def load_settings() -> Settings:
    """The settings of this process, completed with what development makes up. Raises WrongSettings."""
    return read_settings().completed()


def _sentence(error: dict[str, object]) -> str:
    location = cast(tuple[object, ...], error["loc"])
    name = str(location[0]).upper() if location else "A setting"
    fault = str(error["msg"]).removeprefix("Value error, ").replace("Input should", "should", 1)
    field = Settings.model_fields.get(name.lower())
    if field and field.annotation is SecretStr:  # it may hold a password
        return f"{name} {fault}."
    return f"{name} {fault} (it is {error['input']!r})."


settings: Settings = cast(Settings, LocalProxy(lambda: current_app.config["HDS"]))
