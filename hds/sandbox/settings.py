"""What the environment may set, read in this one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

USERNAME = "hudson"


class SettingsError(Exception):
    """A setting that cannot be used, as one sentence for the person who set it."""


@dataclass(frozen=True)
class Settings:
    host: str = "127.0.0.1"
    port: int = 0
    data: Path = Path("data/sandbox")
    public_url: str = ""
    site_url: str = ""
    api_key: str = "cal_sandbox"
    webhook_url: str = ""
    webhook_secret: str = ""
    webhook_delay: float = 0.5
    webhook_retry: float = 10.0
    free_event_id: int = 1001
    deep_dive_event_id: int = 1002
    intro_event_id: int = 1003
    time_zone: str = "America/New_York"
    owner_name: str = "Hudson Digital Solutions"
    owner_email: str = "owner@hudson.example"
    rate_limit: int = 120
    username: str = USERNAME
    is_hosted: bool = False  # it posts to public https addresses alone, as cal.com does and one's own server need not

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from SANDBOX_*; empty counts as not set."""
    default = Settings()
    free_id = _number(environment, "FREE_EVENT_ID", default.free_event_id)
    deep_dive_id = _number(environment, "DEEP_DIVE_EVENT_ID", default.deep_dive_event_id)
    if free_id == deep_dive_id:
        raise SettingsError("SANDBOX_FREE_EVENT_ID and SANDBOX_DEEP_DIVE_EVENT_ID must differ.")
    return Settings(
        host=_text(environment, "HOST", default.host),
        port=_number(environment, "PORT", default.port),
        data=Path(_text(environment, "DATA", str(default.data))),
        public_url=_text(environment, "PUBLIC_URL", "").rstrip("/"),
        site_url=_text(environment, "SITE_URL", "").rstrip("/"),
        api_key=_text(environment, "API_KEY", default.api_key),
        webhook_url=_text(environment, "WEBHOOK_URL", ""),
        webhook_secret=_text(environment, "WEBHOOK_SECRET", ""),
        webhook_delay=_seconds(environment, "WEBHOOK_DELAY", default.webhook_delay),
        webhook_retry=_seconds(environment, "WEBHOOK_RETRY", default.webhook_retry),
        free_event_id=free_id,
        deep_dive_event_id=deep_dive_id,
        intro_event_id=_third_id(default.intro_event_id, free_id, deep_dive_id),
        time_zone=_time_zone(environment, default.time_zone),
        owner_name=_text(environment, "OWNER_NAME", default.owner_name),
        owner_email=_text(environment, "OWNER_EMAIL", default.owner_email),
        rate_limit=_number(environment, "RATE_LIMIT", default.rate_limit),
        is_hosted=_text(environment, "HOSTED", "0") == "1",
    )


def _text(environment: Mapping[str, str], name: str, default: str) -> str:
    return environment.get(f"SANDBOX_{name}", "").strip() or default


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = _text(environment, name, str(default))
    if not text.isdecimal():
        raise SettingsError(f"SANDBOX_{name} must be a whole number, not {text!r}.")
    return int(text)


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = _text(environment, name, str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 86400:
        raise SettingsError(f"SANDBOX_{name} must be a number of seconds, not {text!r}.")
    return seconds


def _time_zone(environment: Mapping[str, str], default: str) -> str:
    name = _text(environment, "TIME_ZONE", default)
    try:
        ZoneInfo(name)
    except (
        KeyError,
        OSError,
        ValueError,
    ):  # an unknown name, a folder's name, a malformed name
        sentence = f"SANDBOX_TIME_ZONE must be a time zone like America/New_York, not {name!r}."
        raise SettingsError(sentence) from None
    return name


def _third_id(wanted: int, *taken: int) -> int:
    return wanted if wanted not in taken else max(taken) + 1
