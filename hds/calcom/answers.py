"""Answers of API v2, read once into typed objects. As in `payloads`, whatever can be null or odd becomes None."""

from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hds.calcom.fields import (
    Count,
    Flag,
    Metadata,
    Moment,
    Name,
    OptionalCurrency,
    OptionalEmail,
    OptionalLine,
    OptionalMoment,
    OptionalText,
    OptionalUid,
    OptionalUrl,
    OptionalZone,
    Title,
    TypeId,
    Uid,
    day_or_none,
    email,
    items,
    line,
    part,
    type_id,
    web_address,
    whole,
)
from hds.calcom.responses import Answer, answer, asks_to_move

FRIDAY = 4
LONGEST_WINDOW = 1000  # days


def _answers(value: object) -> dict[str, Answer]:
    fields = value.items() if isinstance(value, dict) else ()
    return {slug: given for slug, field in fields if isinstance(slug, str) and (given := answer(field)) is not None}


def _objects(value: object) -> list[dict[str, Any]]:
    return items(value, lambda entry: entry if isinstance(entry, dict) else None)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _is_on(setting: object) -> bool:
    return isinstance(setting, dict) and bool(setting) and setting.get("disabled") is not True


def _price(value: object) -> int:
    """What cannot be read is no reason to call a type free: anything odd counts as a price."""
    if value is None:
        return 0
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 1
    return min(max(int(number), 1), 2**63 - 1) if number > 0 else 0


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Me(_Answer):
    """Whose key it is: the credential test, and the name in the owner's links."""

    username: OptionalLine = None
    name: OptionalLine = None
    email: OptionalEmail = None
    time_zone: OptionalZone = Field(None, alias="timeZone")


class BookingAttendee(_Answer):
    name: Name = ""
    email: OptionalEmail = None
    time_zone: OptionalZone = Field(None, alias="timeZone")
    phone: OptionalLine = Field(None, alias="phoneNumber")
    is_absent: Flag = Field(False, alias="absent")
    # Where seats are booked, each attendee has one, with answers of their own.
    seat_uid: OptionalUid = Field(None, alias="seatUid")
    answers: Annotated[dict[str, Answer], BeforeValidator(_answers)] = Field({}, alias="bookingFieldsResponses")


class Booking(_Answer):
    """A booking as the API tells it. `status`: accepted, pending, cancelled or rejected."""

    uid: Uid
    start_at: Moment = Field(alias="start")
    end_at: Moment = Field(alias="end")
    status: Annotated[str, BeforeValidator(lambda value: (line(value) or "").lower())] = ""
    title: Title = ""
    description: OptionalText = None
    event_type_id: TypeId = None
    event_type_slug: OptionalLine = None
    location: OptionalLine = None
    location_kind: OptionalLine = None
    meeting_url: OptionalUrl = None
    organizer_email: OptionalEmail = None
    attendees: Annotated[list[BookingAttendee], BeforeValidator(_objects)] = []
    guests: Annotated[list[str], BeforeValidator(lambda value: items(value, email))] = []
    answers: Annotated[dict[str, Answer], BeforeValidator(_answers)] = Field({}, alias="bookingFieldsResponses")
    metadata: Metadata = {}
    previous_uid: OptionalUid = Field(None, alias="rescheduledFromUid")
    next_uid: OptionalUid = Field(None, alias="rescheduledToUid")
    series_uid: OptionalUid = Field(None, alias="recurringBookingUid")
    ical_uid: OptionalLine = Field(None, alias="icsUid")
    reason: OptionalText = None
    cancelled_by: OptionalEmail = Field(None, alias="cancelledByEmail")
    rescheduled_by: OptionalEmail = Field(None, alias="rescheduledByEmail")
    seat_uid: OptionalUid = Field(None, alias="seatUid")
    created_at: OptionalMoment = Field(None, alias="createdAt")
    updated_at: OptionalMoment = Field(None, alias="updatedAt")

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return {}
        hosts = _objects(value.get("hosts"))
        return {
            **value,
            "event_type_id": type_id(part(value, "eventType", "id")) or value.get("eventTypeId"),
            "event_type_slug": part(value, "eventType", "slug"),
            "meeting_url": web_address(value.get("meetingUrl")) or value.get("location"),
            "location_kind": part(value, "bookingFieldsResponses", "location", "value"),
            "reason": value.get("cancellationReason") or value.get("rejectionReason"),
            "organizer_email": hosts[0].get("email") if hosts else None,
        }

    @property
    def booker(self) -> BookingAttendee | None:
        first = self.attendees[0] if self.attendees else None
        return first if first is not None and first.email else None

    @property
    def is_host_asking_to_move(self) -> bool:
        return asks_to_move(self.reason, self.cancelled_by, self.organizer_email)

    @property
    def is_live(self) -> bool:
        return self.status not in {"cancelled", "rejected"}


class BookingField(_Answer):
    """A question of an event type."""

    slug: OptionalLine = None
    type: OptionalLine = None
    label: OptionalLine = None
    placeholder: OptionalLine = None
    is_required: Flag = Field(False, alias="required")
    is_hidden: Flag = Field(False, alias="hidden")
    is_fixed: Flag = Field(False, alias="disableOnPrefill")  # once an address answered it, nobody changes that
    min_length: Count = Field(None, alias="minLength")
    max_length: Count = Field(None, alias="maxLength")
    options: Annotated[list[str], BeforeValidator(lambda value: items(value, line))] = []


class Window(_Answer):
    """How far ahead something can be booked: so many days of the week, or working days, or a range of dates."""

    type: OptionalLine = None
    value: Any = None
    is_rolling: Flag = Field(False, alias="rolling")  # so many days that have something free, however far that is

    def bounds(self, today: date) -> tuple[date, date | None]:
        """The first and the last day, the latter where it is known."""
        if self.type == "range":
            first, last = (day_or_none(entry) for entry in [*items(self.value, str), None, None][:2])
            return max(first or today, today), last
        days = self.value if isinstance(self.value, int) and not self.is_rolling else 0
        if not 0 < days <= LONGEST_WINDOW:
            return today, None
        if self.type == "calendarDays":
            return today, today + timedelta(days)
        last = today
        while days and self.type == "businessDays":
            last += timedelta(1)
            days -= last.weekday() <= FRIDAY
        return today, last if self.type == "businessDays" else None


class EventType(_Answer):
    """What can be booked. `price` is in the currency's smallest unit; 0 is free."""

    id: Annotated[int, BeforeValidator(lambda value: type_id(value) or value)]
    slug: OptionalLine = None
    title: Title = ""
    description: OptionalText = None
    minutes: Count = Field(None, alias="lengthInMinutes")
    price: Annotated[int, BeforeValidator(_price)] = 0
    currency: OptionalCurrency = None
    fields: Annotated[list[BookingField], BeforeValidator(_objects)] = Field([], alias="bookingFields")
    locations: Annotated[list[dict[str, Any]], BeforeValidator(_objects)] = []
    booking_url: OptionalUrl = Field(None, alias="bookingUrl")
    is_hidden: Flag = Field(False, alias="hidden")
    is_instant: Flag = Field(False, alias="isInstantEvent")
    is_recurring: bool = False
    needs_authentication: Flag = Field(False, alias="bookingRequiresAuthentication")
    needs_email_verification: Flag = Field(False, alias="requiresBookerEmailVerification")
    needs_confirmation: bool = False
    can_cancel: bool = True
    can_move: bool = True
    minutes_it_stays: Count = None  # before it begins, in which attendees cannot move it
    length_options: Annotated[list[int], BeforeValidator(lambda value: items(value, whole(1, 1440)))] = Field(
        [], alias="lengthInMinutesOptions"
    )
    takes_guests: bool = True
    window: Window = Window()
    seats: Count = None
    shows_seats: bool = False

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, value: Any) -> Any:
        """A setting that is off can be null, missing, or an object that says {disabled: true}."""
        if not isinstance(value, dict):
            return {}
        return {
            **value,
            "is_recurring": _is_on(value.get("recurrence")),
            "takes_guests": value.get("disableGuests") is not True,
            "needs_confirmation": _is_on(value.get("confirmationPolicy")),
            "can_cancel": part(value, "disableCancelling", "disabled") is not True,
            "can_move": part(value, "disableRescheduling", "disabled") is not True,
            "minutes_it_stays": part(value, "disableRescheduling", "minutesBefore"),
            "window": next((entry for entry in _objects(_listed(value.get("bookingWindow"))) if _is_on(entry)), {}),
            "seats": part(value, "seats", "seatsPerTimeSlot") or value.get("seatsPerTimeSlot"),
            "shows_seats": part(value, "seats", "showAvailabilityCount") is True
            or value.get("seatsShowAvailabilityCount") is True,
        }


class Webhook(_Answer):
    """A webhook of the owner's. Its id is a uuid, though documented as a number; its secret is told, or null."""

    id: Annotated[str, BeforeValidator(str)]
    url: str = Field(alias="subscriberUrl")
    is_active: Flag = Field(False, alias="active")
    triggers: Annotated[list[str], BeforeValidator(lambda value: items(value, line))] = []
    secret: OptionalLine = Field(None, repr=False)
    template: OptionalText = Field(None, alias="payloadTemplate")
    version: OptionalLine = None
    time: Count = None
    time_unit: OptionalLine = Field(None, alias="timeUnit")


class Reservation(_Answer):
    """A time that is kept for a few minutes. Booking neither takes nor ends it: release it afterwards."""

    uid: Uid = Field(alias="reservationUid")
    until: OptionalMoment = Field(None, alias="reservationUntil")
