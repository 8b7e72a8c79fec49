"""Webhook bodies, as Cal.com posts them (versions 2021-10-20 and 2026-07-27), read once into typed objects.

Any field but `uid`, `startTime` and `endTime` may be missing, null or of another type than its documentation says.
Tokens of the body (`videoCallData.password`, `oneTimePassword`, links that carry one) are in no class, so they cannot
be kept. Nor are the calendar files of the newer version: the site writes its own.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hds.calcom.body import TEMPLATE, NotUnderstood, decode, redact
from hds.calcom.fields import (
    LIST_LENGTH,
    TRIGGER_LENGTH,
    Count,
    Flag,
    Metadata,
    Moment,
    Name,
    OptionalCurrency,
    OptionalEmail,
    OptionalLine,
    OptionalLocale,
    OptionalMoment,
    OptionalName,
    OptionalText,
    OptionalUid,
    OptionalUrl,
    OptionalZone,
    Price,
    Title,
    TypeId,
    Uid,
    email,
    items,
    line,
    moment_or_none,
    name,
    part,
    text,
    type_id,
    uid_or_none,
    web_address,
)
from hds.calcom.responses import SYSTEM_SLUGS, Answer, Responses, asks_to_move
from hds.calcom.triggers import Trigger, what_it_tells

__all__ = [
    "AbsencePayload",
    "Attendee",
    "BookingPayload",
    "MissedCallPayload",
    "NotUnderstood",
    "PaidPayload",
    "PingPayload",
    "RecordingPayload",
    "Trigger",
    "Webhook",
    "read",
    "redact",
]


HostIds = Annotated[list[int], BeforeValidator(lambda value: items(value, type_id))]


class Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Attendee(Payload):
    """Somebody who takes part. Where the address is missing or unusable, `email` is None."""

    name: Name = ""
    email: OptionalEmail = None
    time_zone: OptionalZone = Field(None, alias="timeZone")
    phone: OptionalLine = Field(None, alias="phoneNumber")
    locale: OptionalLocale = None

    @model_validator(mode="before")
    @classmethod
    def _one_locale(cls, value: Any) -> Any:
        """Booking bodies say language.locale, the raw rows of MEETING_* say locale."""
        if not isinstance(value, dict):
            return {}
        return {
            **value,
            "locale": part(value, "language", "locale") or value.get("locale"),
        }


class BookingPayload(Payload):
    """A booking as one delivery tells it. Several deliveries together make the truth: see the bookings package."""

    uid: Uid
    start_at: Moment = Field(alias="startTime")
    end_at: Moment = Field(alias="endTime")
    title: Title = ""
    previous_uid: OptionalUid = Field(None, alias="rescheduleUid")
    ical_uid: OptionalLine = Field(None, alias="iCalUID")
    ical_sequence: Count = Field(None, alias="iCalSequence")
    event_type_id: TypeId = Field(None, alias="eventTypeId")
    event_type_slug: OptionalName = Field(None, alias="type")
    status: OptionalLine = None
    people: list[Attendee] = Field(default=[], alias="attendees")
    organizer_email: OptionalEmail = None
    organizer_name: OptionalName = None
    location: OptionalLine = None
    previous_location: OptionalLine = Field(None, alias="previousLocation")
    location_kind: OptionalLine = None
    meeting_url: OptionalUrl = None
    notes: OptionalText = None
    price: Price = None
    currency: OptionalCurrency = None
    reason: OptionalText = None
    cancelled_by: OptionalEmail = Field(None, alias="cancelledBy")
    rescheduled_by: OptionalEmail = Field(None, alias="rescheduledBy")
    asks_to_move: Flag = Field(False, alias="requestReschedule")
    hosts_added: HostIds = Field([], alias="addedHostUserIds")
    hosts_removed: HostIds = Field([], alias="removedHostUserIds")
    seats: TypeId = Field(None, alias="seatsPerTimeSlot")
    seat_uid: OptionalUid = Field(None, alias="attendeeSeatId")
    is_of_series: bool = False
    metadata: Metadata = {}
    responses: Responses = None
    own_responses: Responses = Field(None, alias="userFieldsResponses")

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, value: Any) -> Any:
        """What the paths that build these bodies put in different places."""
        if not isinstance(value, dict):
            return {}
        people = value.get("attendees")
        return {
            **value,
            # Where a host joined an instant meeting the uid has another name.
            "uid": value.get("uid") if "uid" in value else value.get("bookingUid"),
            "attendees": people[:LIST_LENGTH] if isinstance(people, list) else [],
            # The raw row of MEETING_* says fromReschedule, user and userPrimaryEmail.
            "rescheduleUid": uid_or_none(value.get("rescheduleUid")) or value.get("fromReschedule"),
            "organizer_email": email(part(value, "organizer", "email"))
            or email(part(value, "user", "email"))
            or value.get("userPrimaryEmail"),
            "organizer_name": name(part(value, "organizer", "name")) or part(value, "user", "name"),
            "meeting_url": web_address(part(value, "metadata", "videoCallUrl"))
            or web_address(part(value, "videoCallData", "url"))
            or value.get("location"),
            "location_kind": part(value, "responses", "location", "value", "value"),
            "notes": text(value.get("additionalNotes")) or part(value, "responses", "notes", "value"),
            "reason": text(value.get("cancellationReason")) or value.get("rejectionReason"),
            # The raw row of MEETING_* says recurringEventId.
            "is_of_series": bool(value.get("recurringEvent") or value.get("recurringEventId")),
        }

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_at < self.start_at:
            raise ValueError("the booking ends before it starts")
        return self

    @property
    def booker(self) -> Attendee | None:
        """Who booked: the first attendee. None where that one has no usable address; a guest never takes the place."""
        if not self.people or self.people[0].email is None:
            return None
        booker = self.people[0]
        if booker.phone is not None or self.responses is None:
            return booker
        numbers = (self.responses.get(slug) for slug in ("attendeePhoneNumber", "smsReminderNumber"))
        phone = next((line(number.value) for number in numbers if number is not None), None)
        return booker.model_copy(update={"phone": phone})

    @property
    def guests(self) -> list[str]:
        """The others' addresses, each once."""
        booker = self.people[0].email if self.people else None
        addresses = dict.fromkeys(person.email for person in self.people[1:] if person.email is not None)
        return [address for address in addresses if address != booker]

    @property
    def is_seated(self) -> bool:
        """Whether others may have seats of the same booking, under the same uid."""
        return self.seats is not None or self.seat_uid is not None

    @property
    def is_host_asking_to_move(self) -> bool:
        """Cancelled by the host so that the attendee picks another time. The newest senders' flag always says no: there
        the words tell that Cal.com puts before the host's own."""
        if self.asks_to_move:
            return self.cancelled_by in {None, self.organizer_email}
        return asks_to_move(self.reason, self.cancelled_by, self.organizer_email)

    @property
    def answers(self) -> dict[str, Answer]:
        """Slug → value of the event type's own questions; hidden and unanswered ones left out."""
        asked = self.own_responses
        if asked is None:
            asked = {slug: given for slug, given in (self.responses or {}).items() if slug not in SYSTEM_SLUGS}
        return {slug: given.value for slug, given in asked.items() if not given.is_hidden}

    def carried(self, key: str) -> str | None:
        """A word of ours that went along with the booking: as metadata, or in a hidden field of the same name, which
        comes back where Cal.com loses the metadata."""
        field = (self.responses or {}).get(key)
        return name(self.metadata.get(key)) or name(field.value if field else None)

    @property
    def external_payment_id(self) -> str | None:
        """The payment provider's id. Only BOOKING_PAID tells it: elsewhere metadata is what the page was given."""
        return None


class PaidPayload(BookingPayload):
    """BOOKING_PAID: no responses, and Cal.com's own metadata in the place of ours."""

    @property
    def external_payment_id(self) -> str | None:
        return name(self.metadata.get("externalId"))


class LocationPayload(BookingPayload):
    """BOOKING_LOCATION_UPDATED: the link of the room before may be left over in what else the body says."""

    @model_validator(mode="after")
    def _no_leftover(self) -> Self:
        location = self.location or ""
        if location.startswith("integrations:"):
            return self
        return self.model_copy(update={"meeting_url": web_address(location)})


class Absence(NamedTuple):
    email: str
    is_absent: bool


class AbsencePayload(Payload):
    """BOOKING_NO_SHOW_UPDATED: which attendees were marked absent, or present again."""

    uid: Uid = Field(alias="bookingUid")
    absences: list[Absence] = Field(default=[], alias="attendees")

    @model_validator(mode="before")
    @classmethod
    def _usable(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return {}
        people = value.get("attendees")
        stated = (
            [(email(part(person, "email")), part(person, "noShow")) for person in people[:LIST_LENGTH]]
            if (isinstance(people, list))
            else []
        )
        return {
            **value,
            "attendees": [pair for pair in stated if pair[0] is not None and isinstance(pair[1], bool)],
        }


class MissedCallPayload(Payload):
    """AFTER_HOSTS_… and AFTER_GUESTS_CAL_VIDEO_NO_SHOW: who had not joined Cal Video some minutes after the start."""

    uid: Uid = Field(alias="bookingUid")
    title: Title = ""
    start_at: OptionalMoment = Field(None, alias="startTime")
    end_at: OptionalMoment = Field(None, alias="endTime")
    event_type_id: TypeId = None
    host_email: OptionalEmail = Field(None, alias="hostEmail")
    missing: list[str] = []
    people: list[Attendee] = Field(default=[], alias="attendees")

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return {}
        return {
            **value,
            "event_type_id": type_id(part(value, "eventType", "id")) or value.get("eventTypeId"),
            "missing": items(value.get("guests"), lambda guest: email(part(guest, "email"))),
            "attendees": items(value.get("attendees"), lambda person: person),
        }


class RecordingPayload(Payload):
    """RECORDING_READY and RECORDING_TRANSCRIPTION_GENERATED. `type` is the title here, never the event type's slug.

    `links`: the addresses that may be kept. One with a query or a fragment carries the key to what it leads to:
    `has_secret_links` says that there was one.
    """

    uid: Uid
    title: Title = ""
    start_at: OptionalMoment = Field(None, alias="startTime")
    end_at: OptionalMoment = Field(None, alias="endTime")
    people: list[Attendee] = Field(default=[], alias="attendees")
    links: list[str] = []
    has_secret_links: bool = False

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return {}
        transcripts = items(part(value, "downloadLinks", "transcription"), lambda entry: part(entry, "link"))
        told = [value.get("downloadLink"), part(value, "downloadLinks", "recording"), *transcripts]
        links = [address for link in told if (address := web_address(link)) is not None]
        plain = [address for address in links if not (urlsplit(address).query or urlsplit(address).fragment)]
        return {
            **value,
            "attendees": items(value.get("attendees"), lambda person: person),
            "links": list(dict.fromkeys(plain)),
            "has_secret_links": len(plain) < len(links),
        }


class PingPayload(Payload):
    """The test button: a made-up person, no uid. Only that it came matters."""

    title: Title = ""


Understood = BookingPayload | AbsencePayload | MissedCallPayload | RecordingPayload | PingPayload

_PAYLOADS: dict[Trigger, type[Understood]] = {
    Trigger.BOOKING_CREATED: BookingPayload,
    Trigger.BOOKING_REQUESTED: BookingPayload,
    Trigger.BOOKING_RESCHEDULED: BookingPayload,
    Trigger.BOOKING_CANCELLED: BookingPayload,
    Trigger.BOOKING_REJECTED: BookingPayload,
    Trigger.BOOKING_PAYMENT_INITIATED: BookingPayload,
    Trigger.BOOKING_PAID: PaidPayload,
    Trigger.BOOKING_NO_SHOW_UPDATED: AbsencePayload,
    Trigger.BOOKING_LOCATION_UPDATED: LocationPayload,
    Trigger.BOOKING_REASSIGNED: BookingPayload,
    Trigger.MEETING_STARTED: BookingPayload,
    Trigger.MEETING_ENDED: BookingPayload,
    Trigger.RECORDING_READY: RecordingPayload,
    Trigger.RECORDING_TRANSCRIPTION_GENERATED: RecordingPayload,
    Trigger.AFTER_HOSTS_CAL_VIDEO_NO_SHOW: MissedCallPayload,
    Trigger.AFTER_GUESTS_CAL_VIDEO_NO_SHOW: MissedCallPayload,
    Trigger.INSTANT_MEETING_ACCEPTED: BookingPayload,
    Trigger.PING: PingPayload,
}
_FLAT = {Trigger.MEETING_STARTED, Trigger.MEETING_ENDED}


@dataclass(frozen=True)
class Webhook:
    """One delivery, understood. `payload` is None where nothing follows from it: `kept_because` says what it is.

    `stated_at`: when Cal.com queued it, the same on every retry. None for flat MEETING_* bodies, whose `createdAt`
    is the booking's own: nothing may be ordered by that.
    """

    trigger: str
    stated_at: datetime | None
    payload: Understood | None
    booking_uid: str | None
    kept_because: str = ""

    @property
    def is_ignored(self) -> bool:
        return self.payload is None


def read(raw: bytes) -> Webhook:
    """The delivery that these bytes are, or NotUnderstood with a reason that the owner can act on."""
    body = decode(raw)
    trigger = _trigger(body)
    if trigger not in _PAYLOADS:
        inner = body.get("payload")
        uids = (part(inner, "uid"), part(inner, "bookingUid"), part(inner, "booking", "uid"))
        uid = next(filter(None, map(uid_or_none, uids)), None)
        return Webhook(trigger, moment_or_none(body.get("createdAt")), None, uid, what_it_tells(trigger))
    known = Trigger(trigger)
    is_flat = known in _FLAT and not isinstance(body.get("payload"), dict)
    inner = body if is_flat else body.get("payload")
    if not isinstance(inner, dict):
        raise NotUnderstood(f"{known} came without a payload. {TEMPLATE}")
    try:
        payload = _PAYLOADS[known].model_validate(inner)
    except ValidationError as error:
        raise NotUnderstood(_reason(known, error)) from None
    stated_at = None if is_flat else moment_or_none(body.get("createdAt"))
    return Webhook(
        known,
        stated_at,
        payload,
        None if isinstance(payload, PingPayload) else payload.uid,
    )


def _trigger(body: Any) -> str:
    if body is False:  # what Cal.com sends for a template that renders to broken JSON
        raise NotUnderstood(f"The body is the word false, without triggerEvent. {TEMPLATE}")
    trigger = line(body.get("triggerEvent"), TRIGGER_LENGTH) if isinstance(body, dict) else None
    if trigger is None:
        raise NotUnderstood(f"Signed but without triggerEvent. {TEMPLATE}")
    return trigger


def _reason(trigger: Trigger, error: ValidationError) -> str:
    """The first fault, without the value: values are people's."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(map(str, fault["loc"]))
    is_missing = fault["type"] == "missing"
    message = "is missing" if is_missing else fault["msg"].removeprefix("Value error, ")
    said = f"{trigger} cannot be used: {field} {message}.".replace("  ", " ")
    return f"{said} {TEMPLATE}" if "is missing" in message else said
