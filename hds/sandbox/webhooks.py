"""Webhook bodies, version 2021-10-20: the shapes Cal.com documents, key for key."""

from __future__ import annotations

from . import webhook_parts as parts
from .booking import Booking
from .catalogue import OWNER_ID, EventType
from .settings import Settings
from .times import iso_ms, iso_offset, iso_z, offset_minutes, utcnow
from .webhook_parts import Body


class Writer:
    """Writes the body for a trigger from a booking as it is now."""

    def __init__(self, settings: Settings, base: str) -> None:
        self.settings = settings
        self.base = base

    def created(self, booking: Booking, event: EventType) -> Body:
        payload = self._booking(booking, event)
        payload |= {
            "oneTimePassword": None,
            "hashedLink": None,
            "assignmentReason": None,
        }
        payload |= self._meeting(booking)
        if booking.is_video:
            payload["conferenceData"] = {"createRequest": {"requestId": parts.stable_uuid(booking.ical_uid)}}
        payload["metadata"] |= booking.metadata
        return parts.envelope("BOOKING_CREATED", payload | {"status": "ACCEPTED"})

    def created_after_confirmation(self, booking: Booking, event: EventType) -> Body:
        """The host's yes: the booker's own metadata are lost here, as Cal.com loses them."""
        payload = self._booking(booking, event) | {
            "eventDescription": None,
            "requiresConfirmation": True,
        }
        payload |= self._meeting(booking)
        return parts.envelope("BOOKING_CREATED", payload | {"status": "ACCEPTED"})

    def requested(self, booking: Booking, event: EventType, old: Booking | None = None) -> Body:
        payload = self._booking(booking, event) | {
            "oneTimePassword": booking.one_time_password,
            "hashedLink": None,
            "assignmentReason": None,
            "metadata": dict(booking.metadata),
            "status": "PENDING",
        }
        return parts.envelope("BOOKING_REQUESTED", payload | parts.moved(booking, old))

    def rescheduled(self, booking: Booking, event: EventType, old: Booking) -> Body:
        payload = self.created(booking, event)["payload"]
        return parts.envelope("BOOKING_RESCHEDULED", payload | parts.moved(booking, old))

    def payment_initiated(self, booking: Booking, event: EventType) -> Body:
        """Says ACCEPTED though nobody has paid, as Cal.com's does."""
        payload = self._booking(booking, event) | {
            "oneTimePassword": None,
            "hashedLink": None,
            "assignmentReason": None,
            "metadata": dict(booking.metadata),
            "status": "ACCEPTED",
            "paymentId": parts.payment_id(booking),
        }
        return parts.envelope("BOOKING_PAYMENT_INITIATED", payload)

    def paid(self, booking: Booking, event: EventType) -> Body:
        payload = {
            "type": event.slug,
            "title": self.title(booking, event),
            "description": "",
            "additionalNotes": booking.notes,
            "customInputs": {},
            "startTime": iso_ms(booking.start_at),
            "endTime": iso_ms(booking.end_at),
            "organizer": self._organizer(booking),
            "attendees": [parts.attendee(booking, booking.email)],
            "location": booking.location,
            "destinationCalendar": None,
            "hideCalendarNotes": False,
            "requiresConfirmation": event.requires_confirmation,
            "eventTypeId": event.id,
            "seatsShowAttendees": True,
            "seatsShowAvailabilityCount": True,
            "schedulingType": None,
            "iCalUID": booking.ical_uid,
            "iCalSequence": booking.ical_sequence,
            "uid": booking.uid,
            "bookingId": booking.id,
            "eventTitle": event.title,
            "eventDescription": "",
            "price": event.price,
            "currency": event.currency,
            "length": event.minutes,
            "paymentId": parts.payment_id(booking),
            "metadata": {
                "identifier": "cal.com",
                "bookingId": booking.id,
                "eventTypeId": event.id,
                "bookerEmail": booking.email,
                "eventTitle": event.title,
                "externalId": f"pi_sandbox{parts.payment_id(booking)}",
            },
            "status": "PENDING" if booking.status == "pending" else "ACCEPTED",
        }
        return parts.envelope("BOOKING_PAID", payload)

    def cancelled(self, booking: Booking, event: EventType) -> Body:
        payload = self._closed(booking, event) | {
            "startTime": iso_offset(booking.start_at),
            "endTime": iso_offset(booking.end_at),
            "status": "CANCELLED",
            "cancellationReason": booking.cancel_reason,
            "requestReschedule": False,
            "metadata": self._video_metadata(booking) | booking.metadata,
        }
        if booking.cancelled_by:
            payload["cancelledBy"] = booking.cancelled_by
        return parts.envelope("BOOKING_CANCELLED", payload)

    def rejected(self, booking: Booking, event: EventType) -> Body:
        payload = self._closed(booking, event) | {
            "startTime": iso_ms(booking.start_at),
            "endTime": iso_ms(booking.end_at),
            "status": "REJECTED",
            "rejectionReason": booking.decline_reason or "",
        }
        return parts.envelope("BOOKING_REJECTED", payload)

    def location_updated(self, booking: Booking, event: EventType, previous: str) -> Body:
        payload = self._booking(booking, event) | {
            "metadata": self._video_metadata(booking) | booking.metadata,
            "status": "ACCEPTED",
            "previousLocation": previous,
        }
        if booking.is_video:
            payload["location"] = booking.meeting_url(self.base)
        return parts.envelope("BOOKING_LOCATION_UPDATED", payload)

    def missed_call(self, booking: Booking, event: EventType, *, is_host: bool) -> Body:
        """Cal Video, some minutes after the start: who had not joined."""
        people = [parts.raw_attendee(booking, index) | {"noShow": True} for index in range(len(booking.emails))]
        payload: Body = {
            "title": self.title(booking, event),
            "bookingId": booking.id,
            "bookingUid": booking.uid,
            "startTime": iso_ms(booking.start_at),
            "attendees": people,
            "endTime": iso_ms(booking.end_at),
            "participants": [],
            "eventType": {"id": event.id, "teamId": None, "parentId": None, "calVideoSettings": None},
            "webhook": {
                "id": parts.stable_uuid("the webhook of missed calls"),
                "subscriberUrl": self.settings.webhook_url,
                "appId": None,
                "time": 5,
                "timeUnit": "MINUTE",
                "eventTriggers": ["AFTER_HOSTS_CAL_VIDEO_NO_SHOW", "AFTER_GUESTS_CAL_VIDEO_NO_SHOW"],
                "payloadTemplate": None,
            },
        }
        if is_host:
            owner = self.settings.owner_email
            more = {"hostEmail": owner, "noShowHost": True, "message": f"Host with email {owner} didn't join the call"}
            return parts.envelope("AFTER_HOSTS_CAL_VIDEO_NO_SHOW", payload | more)
        more = {"guests": people, "message": "Guest didn't join the call"}
        return parts.envelope("AFTER_GUESTS_CAL_VIDEO_NO_SHOW", payload | more)

    def recorded(self, booking: Booking, event: EventType) -> Body:
        links = {"downloadLink": f"{self.base}/recording?token={parts.stable_uuid(booking.uid)}"}
        return parts.envelope("RECORDING_READY", self._call(booking, event) | links)

    def transcribed(self, booking: Booking, event: EventType) -> Body:
        token = parts.stable_uuid(booking.uid)
        scripts = [
            {"format": kind, "link": f"{self.base}/transcript.{kind}?token={token}"}
            for kind in ("json", "srt", "txt", "vtt")
        ]
        links = {"downloadLinks": {"transcription": scripts, "recording": f"{self.base}/recording?token={token}"}}
        return parts.envelope("RECORDING_TRANSCRIPTION_GENERATED", self._call(booking, event) | links)

    def no_show(self, booking: Booking, emails: list[str], is_absent: bool) -> Body:
        verb = "marked" if is_absent else "unmarked"
        payload = {
            "message": f"{', '.join(emails)} {verb} as no-show",
            "attendees": [{"email": email, "noShow": is_absent} for email in emails],
            "bookingUid": booking.uid,
            "bookingId": booking.id,
        }
        return parts.envelope("BOOKING_NO_SHOW_UPDATED", payload)

    def meeting(self, trigger: str, booking: Booking, event: EventType) -> Body:
        """MEETING_STARTED and MEETING_ENDED are the raw booking row, without an envelope."""
        owner = self.settings
        responses = self._responses(booking, event)
        return {
            "triggerEvent": trigger,
            "id": booking.id,
            "uid": booking.uid,
            "idempotencyKey": booking.idempotency_key,
            "userId": OWNER_ID,
            "userPrimaryEmail": owner.owner_email,
            "eventTypeId": event.id,
            "title": self.title(booking, event),
            "description": booking.notes,
            "customInputs": {},
            "responses": responses,
            "userFieldsResponses": parts.own_fields(responses, event),
            "startTime": iso_ms(booking.start_at),
            "endTime": iso_ms(booking.end_at),
            "location": booking.location,
            "createdAt": iso_ms(booking.created_at),
            "updatedAt": iso_ms(booking.updated_at),
            "status": booking.status.upper(),
            "paid": booking.payment == "paid",
            "destinationCalendarId": None,
            "cancellationReason": None,
            "rejectionReason": None,
            "reassignReason": None,
            "reassignById": None,
            "dynamicEventSlugRef": None,
            "dynamicGroupSlugRef": None,
            "rescheduled": None,
            "fromReschedule": booking.moved_from_uid,
            "recurringEventId": None,
            "smsReminderNumber": None,
            "scheduledJobs": [],
            "metadata": self._video_metadata(booking) | booking.metadata,
            "isRecorded": False,
            "iCalUID": booking.ical_uid,
            "iCalSequence": booking.ical_sequence,
            "rating": None,
            "ratingFeedback": None,
            "noShowHost": bool(booking.is_host_absent),
            "oneTimePassword": None,
            "cancelledBy": None,
            "rescheduledBy": None,
            "creationSource": booking.source,
            "user": {
                "email": owner.owner_email,
                "name": owner.owner_name,
                "timeZone": owner.time_zone,
                "username": owner.username,
            },
            "attendees": [parts.raw_attendee(booking, index) for index in range(len(booking.emails))],
            "payment": [],
            "references": [],
            "appsStatus": parts.apps_status(booking),
        }

    def ping(self) -> Body:
        """Cal.com's test button: fixed people, no uid, no event type."""
        now = iso_ms(utcnow())
        person = {
            "timeZone": "Europe/London",
            "language": {"locale": "en"},
            "utcOffset": 0,
        }
        payload = {
            "type": "Test",
            "title": "Test trigger event",
            "description": "",
            "startTime": now,
            "endTime": now,
            "attendees": [{"email": "jdoe@example.com", "name": "John Doe", **person}],
            "organizer": {"name": "Cal", "email": "no-reply@cal.com", **person},
        }
        return parts.envelope("PING", payload)

    def title(self, booking: Booking, event: EventType) -> str:
        return f"{event.title} between {self.settings.owner_name} and {booking.name}"

    def _booking(self, booking: Booking, event: EventType) -> Body:
        """What CREATED, REQUESTED, RESCHEDULED and PAYMENT_INITIATED have in common."""
        return self._common(booking, event) | {
            "startTime": iso_z(booking.start_at),
            "endTime": iso_z(booking.end_at),
            "seatsShowAvailabilityCount": True,
            "disableRescheduling": False,
            "disableReschedulingScope": "HOST_AND_ATTENDEE",
            "disableCancelling": False,
            "disableCancellingScope": "HOST_AND_ATTENDEE",
            "attendees": [parts.attendee(booking, email) | parts.names(booking, email) for email in booking.emails],
            "destinationCalendar": None,
        }

    def _call(self, booking: Booking, event: EventType) -> Body:
        """What is said of a call on video; `type` is the title here."""
        host = self._organizer(booking)
        person = parts.attendee(booking, booking.email)
        return {
            "type": self.title(booking, event),
            "title": self.title(booking, event),
            "startTime": iso_ms(booking.start_at),
            "endTime": iso_ms(booking.end_at),
            "organizer": {key: host[key] for key in ("email", "name", "timeZone", "language", "utcOffset")},
            "attendees": [{"id": booking.id * 10, **person}],
            "uid": booking.uid,
            "customReplyToEmail": None,
        }

    def _closed(self, booking: Booking, event: EventType) -> Body:
        """What CANCELLED and REJECTED have in common: labels are the slugs, only answered fields."""
        payload = self._common(booking, event)
        own = payload["userFieldsResponses"]
        answered = {
            slug: {"label": slug, "value": field["value"]}
            for slug, field in payload["responses"].items()
            if slug not in own and "value" in field
        }
        attendees = [parts.attendee(booking, email) | {"phoneNumber": None} for email in booking.emails]
        attendees[0]["phoneNumber"] = booking.phone
        return payload | {
            "attendees": attendees,
            "responses": answered | own,
            "destinationCalendar": [],
        }

    def _common(self, booking: Booking, event: EventType) -> Body:
        responses = self._responses(booking, event)
        return {
            "bookerUrl": self.base,
            "title": self.title(booking, event),
            "startTime": None,
            "endTime": None,
            "additionalNotes": booking.notes,
            "type": event.slug,
            "description": booking.notes,
            "eventTypeId": event.id,
            "hideCalendarNotes": False,
            "hideCalendarEventDetails": False,
            "hideOrganizerEmail": False,
            "schedulingType": None,
            "seatsPerTimeSlot": None,
            "seatsShowAttendees": True,
            "customReplyToEmail": None,
            "organizer": self._organizer(booking),
            "attendees": [],
            "customInputs": {},
            "responses": responses,
            "userFieldsResponses": parts.own_fields(responses, event),
            "location": booking.location,
            "iCalUID": booking.ical_uid,
            "iCalSequence": booking.ical_sequence,
            "requiresConfirmation": event.requires_confirmation,
            "organizationId": None,
            "uid": booking.uid,
            "eventTitle": event.title,
            "eventDescription": event.description,
            "price": event.price,
            "currency": event.currency,
            "length": booking.minutes,
            "bookingId": booking.id,
        }

    def _meeting(self, booking: Booking) -> Body:
        extra: Body = {
            "appsStatus": parts.apps_status(booking),
            "metadata": self._video_metadata(booking),
        }
        if booking.is_video:
            extra["videoCallData"] = {
                "type": "daily_video",
                "id": f"room-{booking.uid[:8]}",
                "password": f"sandbox.{parts.stable_uuid(booking.uid)}",
                "url": booking.meeting_url(self.base),
            }
        return extra

    def _video_metadata(self, booking: Booking) -> Body:
        return {"videoCallUrl": booking.meeting_url(self.base)} if booking.is_video else {}

    def _organizer(self, booking: Booking) -> Body:
        owner = self.settings
        return {
            "id": OWNER_ID,
            "name": owner.owner_name,
            "email": owner.owner_email,
            "username": owner.username,
            "timeZone": owner.time_zone,
            "language": {"locale": "en"},
            "timeFormat": "h:mma",
            "utcOffset": offset_minutes(owner.time_zone, booking.start_at),
        }

    def _responses(self, booking: Booking, event: EventType) -> Body:
        values = {
            "name": booking.name,
            "email": booking.email,
            "attendeePhoneNumber": booking.phone,
            "location": booking.location_answer,
            "notes": booking.notes,
            "guests": booking.guests,
            "rescheduleReason": booking.move_reason,
        }
        responses = {
            slug: parts.answer(label, values.get(slug), is_hidden) for slug, label, is_hidden in parts.DEFAULT_FIELDS
        }
        for question in event.asked:
            value = booking.answers.get(question.slug)
            if value or not question.is_hidden:  # so that bodies without them stay those of the documentation
                responses[question.slug] = parts.answer(question.label, value, question.is_hidden)
        return responses
