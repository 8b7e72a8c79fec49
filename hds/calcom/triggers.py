"""The names of what Cal.com tells, and what those mean of which nothing follows here."""

from enum import StrEnum


class Trigger(StrEnum):
    """The triggers that this site acts on. Every other one is kept and ignored."""

    BOOKING_CREATED = "BOOKING_CREATED"
    BOOKING_REQUESTED = "BOOKING_REQUESTED"
    BOOKING_RESCHEDULED = "BOOKING_RESCHEDULED"
    BOOKING_CANCELLED = "BOOKING_CANCELLED"
    BOOKING_REJECTED = "BOOKING_REJECTED"
    BOOKING_PAYMENT_INITIATED = "BOOKING_PAYMENT_INITIATED"
    BOOKING_PAID = "BOOKING_PAID"
    BOOKING_NO_SHOW_UPDATED = "BOOKING_NO_SHOW_UPDATED"
    BOOKING_LOCATION_UPDATED = "BOOKING_LOCATION_UPDATED"
    BOOKING_REASSIGNED = "BOOKING_REASSIGNED"
    MEETING_STARTED = "MEETING_STARTED"
    MEETING_ENDED = "MEETING_ENDED"
    RECORDING_READY = "RECORDING_READY"
    RECORDING_TRANSCRIPTION_GENERATED = "RECORDING_TRANSCRIPTION_GENERATED"
    AFTER_HOSTS_CAL_VIDEO_NO_SHOW = "AFTER_HOSTS_CAL_VIDEO_NO_SHOW"
    AFTER_GUESTS_CAL_VIDEO_NO_SHOW = "AFTER_GUESTS_CAL_VIDEO_NO_SHOW"
    INSTANT_MEETING_ACCEPTED = "INSTANT_MEETING_ACCEPTED"
    PING = "PING"


_DELEGATED = "your organisation's access to its calendars"
_KEPT = {
    "INSTANT_MEETING": "Somebody wants to meet right now. A host answers at Cal.com; once one has joined, a booking "
    "stands here.",
    "OOO_CREATED": "An absence (out of office) was entered at Cal.com. The free times follow it; no booking changes.",
    "FORM_SUBMITTED": "Somebody filled in a routing form at Cal.com. What they book is told by a delivery of its own.",
    "FORM_SUBMITTED_NO_EVENT": "Somebody filled in a routing form at Cal.com and booked nothing within 15 minutes.",
    "ROUTING_FORM_FALLBACK_HIT": "A routing form at Cal.com had no rule for somebody's answers and did what it does "
    "otherwise. No booking changes.",
    "WRONG_ASSIGNMENT_REPORT": "Somebody reports that a booking went to the wrong host. Nothing changes until it is "
    "given to another one at Cal.com.",
    "CALENDAR_ENTRY_REJECTED": "A calendar refused an entry of Cal.com's. Look at the booking there: Cal.com does not "
    "document what this delivery says.",
    "DELEGATION_CREDENTIAL_ERROR": f"Cal.com could not use {_DELEGATED}. Look at the delegation credentials there.",
    "DELEGATION_CREDENTIAL_ROTATION_REQUIRED": f"The secret of {_DELEGATED} ends soon. Change it at Cal.com.",
    "DELEGATION_CREDENTIAL_SECRET_ROTATED": f"The secret of {_DELEGATED} was changed. There is nothing to do here.",
    "DELEGATION_CREDENTIAL_SECRET_ROTATION_FAILED": f"The secret of {_DELEGATED} could not be changed. See Cal.com.",
}


def what_it_tells(trigger: str) -> str:
    """A sentence for the owner on a trigger that this site does nothing with."""
    return _KEPT.get(
        trigger, "This site does not know this trigger. It is kept as it came, and nothing was done with it."
    )
