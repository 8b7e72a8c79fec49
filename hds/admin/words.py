"""What our states and kinds are called in front of staff, and what they mean for them."""

from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from hds.bookings.chain import FactKind, PaymentState
from hds.lib.times import say_zone
from hds.mail.models import MessageState
from hds.webhooks.models import DeliveryState

EVENTS = {
    FactKind.REQUESTED: "Requested: it waits for your answer",
    FactKind.CONFIRMED: "Confirmed",
    FactKind.RESCHEDULED: "Moved to another time",
    FactKind.PAYMENT_INITIATED: "Payment begun",
    FactKind.PAID: "Paid",
    FactKind.STARTED: "The meeting began",
    FactKind.ENDED: "The meeting ended",
    FactKind.ABSENT: "Did not come",
    FactKind.PRESENT: "Was there after all",
    FactKind.SEAT_GIVEN_UP: "Gave up the seat",
    FactKind.DECLINED: "Declined",
    FactKind.CANCELLED: "Cancelled",
    FactKind.LOCATION_CHANGED: "Meets somewhere else",
    FactKind.REASSIGNED: "Given to another host",
    FactKind.HOST_MISSED_CALL: "The host had not joined the call",
    FactKind.GUESTS_MISSED_CALL: "The attendees had not joined the call",
    FactKind.RECORDED: "The recording is ready",
    FactKind.TRANSCRIBED: "The transcript is ready",
}

# Whose subject is a person; elsewhere it is only a name for the change.
OF_SOMEBODY = {
    FactKind.REQUESTED,
    FactKind.CONFIRMED,
    FactKind.RESCHEDULED,
    FactKind.ABSENT,
    FactKind.PRESENT,
    FactKind.SEAT_GIVEN_UP,
}

PAYMENTS = {
    PaymentState.NONE: "",
    PaymentState.PENDING: "Not paid yet",
    PaymentState.PAID: "Paid",
    PaymentState.FAILED: "Payment failed",
    PaymentState.REFUNDED: "Refunded",
}

MESSAGES = {
    "booking_confirmed": "Confirmation",
    "booking_requested": "Request received",
    "owner_booking_confirmed": "Notice to you of a booking",
    "owner_booking_requested": "Notice to you of a request",
    "connection_test": "Test of the mail",
}

# What deliveries and mails are called where the state's own name is no word of an owner's.
STATES: dict[StrEnum, str] = {DeliveryState.PENDING: "Waiting", DeliveryState.APPLIED: "Recorded"}

DELIVERY_STATES = {
    DeliveryState.PENDING: "It is stored and waits for the worker.",
    DeliveryState.APPLIED: "The booking knows what it says.",
    DeliveryState.IGNORED: "It was understood, and there is nothing to do with it here.",
    DeliveryState.INVALID: "It is signed, but what it says cannot be used.",
    DeliveryState.FAILED: "It could not be recorded, often enough to give up. Replay it once the cause is mended.",
}

MESSAGE_STATES = {
    MessageState.PENDING: "It waits for its turn, or for the next try.",
    MessageState.SENDING: "It was handed over, and the answer is not here yet.",
    MessageState.SENT: "It was taken over for delivery.",
    MessageState.FAILED: "It did not leave, and is not tried again by itself.",
    MessageState.UNKNOWN: "It may have left: nobody answered. It is not sent again by itself, or it might come twice.",
    MessageState.SKIPPED: "It was of no use any more, so it was not sent.",
}

ENOUGH = 20  # of fewer a percentage would say more than is known

CLICKS = {
    "gclid": "Google ad",
    "gbraid": "Google ad",
    "wbraid": "Google ad",
    "fbclid": "Facebook or Instagram",
    "msclkid": "Microsoft ad",
    "li_fat_id": "LinkedIn ad",
    "ttclid": "TikTok",
    "twclid": "X",
}


def event(kind: FactKind, details: dict[str, Any]) -> str:
    """What a line of a booking's timeline says."""
    if kind is FactKind.CANCELLED and details.get("asks_to_move"):
        return "Cancelled: the host asked to move"
    return EVENTS[kind]


def source(name: str) -> str:
    """What brought somebody: a click's kind by the network that it tells of, all else as it calls itself."""
    return CLICKS.get(name, name)


def found(kind: FactKind) -> str:
    """Of an event that stands in the timeline because Cal.com was asked."""
    if kind in {FactKind.PAID, FactKind.PAYMENT_INITIATED}:
        return "Inferred from the booking's state at Cal.com, which tells of no payments; its notice never came"
    return "Found by looking at Cal.com; its notice never came"


def reading(did: dict[str, Any]) -> str:
    """What came of reading Cal.com's list: 12 bookings had changed there, and 2 were put right here."""
    shown, repaired = did.get("shown", 0), did.get("repaired", 0)
    words = [f"{counted(shown, 'booking', 'bookings')} had changed there" if shown else "nothing had changed there"]
    if repaired:
        words.append(counted(repaired, "was put right here", "were put right here"))
    elif shown:
        words.append("all of it was known here")
    troubles = {"unreadable": "could not be read", "failed": "could not be recorded", "unknown": "was not found there"}
    words += [f"{did[name]:,} {said}" for name, said in troubles.items() if did.get(name)]
    return ", ".join(words)


def choices(states: type[StrEnum]) -> list[tuple[str, str]]:
    """Value and label of each, for a choice in a filter; the labels are those of the badges."""
    return [(state.value, STATES.get(state) or state.value.replace("_", " ").capitalize()) for state in states]


def message_kind(kind: str) -> str:
    return MESSAGES.get(kind) or kind.replace("_", " ").capitalize()


def answer(value: Any) -> str:
    """What somebody answered to a question of the booking form."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return ", ".join(answer(entry) for entry in value)
    return str(value)


def place(location: str) -> str:
    """Cal.com names its video rooms integrations:daily, integrations:google:meet …"""
    if not location.startswith("integrations:"):
        return location
    name = location.removeprefix("integrations:").replace(":", " ").replace("_", " ").title()
    return "Cal Video" if name == "Daily" else name


def is_web_address(link: str | None) -> bool:
    """Whether it may be a link: never javascript: and the like, whoever stated it."""
    return bool(link) and str(link).startswith(("https://", "http://"))


def counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def part_of(part: int, whole: int) -> str:
    """3 of 4; of many, per cent."""
    if not whole:
        return "–"
    return f"{part:,} of {whole:,}" if whole < ENOUGH else f"{100 * part / whole:.1f} %"


def change(now: int, before: int) -> str:
    """+12 (+15 %)."""
    if now == before:
        return "as many"
    by = _signed(now - before)
    if before < ENOUGH:
        return f"{by} (too few to compare)"
    percent = round(100 * (now - before) / before)
    return f"{by} ({_signed(percent)} %)" if percent else f"{by} (less than 1 %)"


def _signed(number: int) -> str:
    return f"{number:+,}".replace("-", "−")


def zone_name(zone: ZoneInfo) -> str:
    return say_zone(zone)
