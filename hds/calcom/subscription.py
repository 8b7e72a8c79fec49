"""The webhook that this site wants at Cal.com: its fields, and how one that is there differs from them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from hds.calcom.answers import Webhook

# Every trigger that a user's webhook can have; those about delegation are an organisation's alone.
TRIGGERS = (
    "BOOKING_CREATED",
    "BOOKING_REQUESTED",
    "BOOKING_REJECTED",
    "BOOKING_RESCHEDULED",
    "BOOKING_CANCELLED",
    "BOOKING_PAYMENT_INITIATED",
    "BOOKING_PAID",
    "BOOKING_NO_SHOW_UPDATED",
    "BOOKING_LOCATION_UPDATED",
    "BOOKING_REASSIGNED",
    "MEETING_STARTED",
    "MEETING_ENDED",
    "RECORDING_READY",
    "RECORDING_TRANSCRIPTION_GENERATED",
    "AFTER_HOSTS_CAL_VIDEO_NO_SHOW",
    "AFTER_GUESTS_CAL_VIDEO_NO_SHOW",
    "INSTANT_MEETING",
    "INSTANT_MEETING_ACCEPTED",
    "FORM_SUBMITTED",
    "FORM_SUBMITTED_NO_EVENT",
    "ROUTING_FORM_FALLBACK_HIT",
    "WRONG_ASSIGNMENT_REPORT",
    "OOO_CREATED",
    "CALENDAR_ENTRY_REJECTED",
)
# A server of one's own may be older than these, and refuses a webhook that asks for them.
HOSTED_ALONE = frozenset(
    {
        "BOOKING_LOCATION_UPDATED",
        "BOOKING_REASSIGNED",
        "INSTANT_MEETING",
        "INSTANT_MEETING_ACCEPTED",
        "ROUTING_FORM_FALLBACK_HIT",
        "CALENDAR_ENTRY_REJECTED",
    }
)
NEWEST, OLDEST = "2026-07-27", "2021-10-20"
# So long after its start a meeting in Cal Video is looked at: who has not come by then?
TIME, TIME_UNIT = 5, "MINUTE"


@dataclass(frozen=True)
class Wanted:
    """`url` and `secret` are this site's; `triggers` and `version` as much as that Cal.com knows."""

    url: str
    secret: str = field(repr=False)
    triggers: tuple[str, ...] = TRIGGERS
    version: str = NEWEST

    def for_an_older_one(self) -> "Wanted":
        """The same for a Cal.com that knows less."""
        return Wanted(self.url, self.secret, tuple(name for name in TRIGGERS if name not in HOSTED_ALONE), OLDEST)

    @property
    def body(self) -> dict[str, Any]:
        """What is sent to make it. Without a template, which would replace what is told by what somebody wrote."""
        told = {"active": True, "subscriberUrl": self.url, "triggers": list(self.triggers), "secret": self.secret}
        return told | self._version | {"time": TIME, "timeUnit": TIME_UNIT}

    def changes(self, found: Webhook) -> tuple[dict[str, Any], list[str]]:
        """What to send so that this one tells what the site wants to hear, and why, in parts of a sentence."""
        missing = [name for name in self.triggers if name not in found.triggers]
        faults: list[tuple[bool, str, dict[str, Any]]] = [
            (not found.is_active, "it was switched off", {"active": True}),
            (
                bool(missing),
                f"it left out {_some(missing)}",
                # All of them: what is sent takes the place of what was there.
                {"triggers": [*found.triggers, *missing]},
            ),
            (found.secret != self.secret, "its secret was not this site's", {"secret": self.secret}),
            (bool(found.template), "it had a payload template", {"payloadTemplate": None}),
            (
                bool(found.version) and found.version != self.version,
                f"it spoke the version {found.version}",
                self._version,
            ),
            (
                not (found.time and found.time_unit),
                "it did not say when to look for who has not come",
                {"time": TIME, "timeUnit": TIME_UNIT},
            ),
        ]
        held = [(why, change) for is_so, why, change in faults if is_so]
        changes = {key: value for _, change in held for key, value in change.items()}
        return changes, [why for why, _ in held]

    @property
    def _version(self) -> dict[str, str]:
        """A Cal.com that knows one version alone need not know the field."""
        return {"version": self.version} if self.version != OLDEST else {}

    def is_for(self, found: Webhook) -> bool:
        """Whether it posts to this very site."""
        return _spelled(found.url) == _spelled(self.url)

    def is_like(self, found: Webhook) -> bool:
        """Whether it posts to a site of this kind at another address: a former one, or one to try things out."""
        return _spelled(found.url)[2] == _spelled(self.url)[2]


def host(url: str) -> str:
    """All that is said of somebody else's webhook: its path may be a secret."""
    return _spelled(url)[1] or "an odd address"


def _spelled(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return "", "", url
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    name = (parts.hostname or "").lower()
    return parts.scheme, name if port in {None, usual} else f"{name}:{port}", parts.path.rstrip("/")


def _some(names: Iterable[str]) -> str:
    first, *rest = names if (names := list(names)) else [""]
    return f"{first} and {len(rest)} other triggers" if len(rest) > 1 else " and ".join([first, *rest])
