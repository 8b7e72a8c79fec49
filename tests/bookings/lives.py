"""Bookings' lives as Cal.com would tell them: what happens, drawn by hypothesis, and the bodies that say so.

None of the site's code: it follows Cal.com's documented bodies and sequences, the odd ones included. Two things may
happen in the same millisecond, a link may be missing, metadata get lost, a second subscription tells everything again.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.deliveries import DROP, delivery, iso

Body = dict[str, Any]

EVENT_TYPE = 4711
PRIYA = {"email": "priya@acme.example", "name": "Priya Natarajan", "timeZone": "America/New_York"}
LEE = {"email": "lee@acme.example", "name": "Lee", "timeZone": "America/New_York"}
KENJI = {"email": "kenji@acme.example", "name": "Kenji Abe", "timeZone": "Asia/Tokyo"}
HOSTS = [
    {"id": 2201, "name": "Dana Okafor", "email": "dana@northwind.example"},
    {"id": 2202, "name": "Sam Ortiz", "email": "sam@northwind.example"},
]
PLACES = ["integrations:daily", "https://meet.example/abc", "12 High Street"]
ICAL_UID = "first@Cal.com"
OTHER_SUBSCRIPTION = timedelta(milliseconds=3)
# Minutes from one thing to the next; nothing at all is the interesting one.
pauses = st.sampled_from([0, 0, 1, 30, 600])


class Life:
    """One booking of one booker with a guest. `words`: ours, in metadata and in hidden fields.

    `is_likely`: nothing happened that Cal.com would never do.
    """

    is_likely = True

    def __init__(self, began: datetime, kind: str, words: dict[str, str]) -> None:
        self.now = began
        self.needs_approval = "approval" in kind
        self.is_open = "paid" in kind  # the payment
        self.price = 15000 if self.is_open else 0
        self.words = words
        self.bodies: list[Body] = []
        self.number = 1
        self.previous: str | None = None
        self.place = self.host = 0
        self.state = "pending"
        self.ended = "cancelled"
        self.came_from: dict[str, str] = {}  # as Cal.com knows it, whatever the bodies say
        self.absent: set[tuple[str, str]] = set()
        self.changed_at = began
        if self.is_open:
            self.tell("PAYMENT_INITIATED", metadata=self.metadata, status="ACCEPTED")
        elif self.needs_approval:
            self.tell("REQUESTED", metadata=self.metadata)
        else:
            self.state = "accepted"
            self.tell("CREATED", metadata=self.metadata)

    @property
    def uid(self) -> str:
        return f"uid{self.number}"

    @property
    def video(self) -> dict[str, str]:
        return {"videoCallUrl": f"https://app.cal.com/video/{self.uid}"} if self.place == 0 else {}

    @property
    def metadata(self) -> dict[str, str]:
        return self.video | self.words

    def fields(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "eventTypeId": EVENT_TYPE,
            "iCalUID": ICAL_UID,
            "iCalSequence": self.number - 1,
            "startTime": iso(self.start),
            "endTime": iso(self.start + timedelta(minutes=30)),
            "price": self.price,
            "currency": "usd",
            "location": PLACES[self.place],
            "organizer": HOSTS[self.host],
            "attendees": [PRIYA, LEE],
            "videoCallData": DROP,
            "metadata": self.video,
        }

    @property
    def start(self) -> datetime:
        return FIRST_MEETING + timedelta(days=self.number)

    def tell(self, name: str, **changed: Any) -> None:
        body = delivery(name, stated_at=self.now, **(self.fields() | changed))
        for slug, word in self.words.items():
            if "responses" in body.get("payload", body):
                body.get("payload", body)["responses"][slug] = {"label": slug, "value": word, "isHidden": True}
        self.bodies.append(body)

    @property
    def truth(self) -> dict[str, Body]:
        """What Cal.com's API says of each uid in the end."""
        went_to = {previous: uid for uid, previous in self.came_from.items()}
        told = {}
        for number in range(1, self.number + 1):
            uid = f"uid{number}"
            start = FIRST_MEETING + timedelta(days=number)
            status = {"ended": self.ended, "asked": "cancelled"}.get(self.state, self.state)
            told[uid] = self.answer(uid, status if number == self.number else "cancelled", start) | {
                "attendees": [person | {"absent": (uid, person["email"]) in self.absent} for person in (PRIYA, LEE)],
                "rescheduledFromUid": self.came_from.get(uid),
                "rescheduledToUid": went_to.get(uid),
                "icsUid": ICAL_UID,
            }
        return told

    def answer(self, uid: str, status: str, start: datetime) -> Body:
        place = f"https://app.cal.com/video/{uid}" if self.place == 0 else PLACES[self.place]
        return {
            "uid": uid,
            "status": status,
            "start": iso(start),
            "end": iso(start + timedelta(minutes=30)),
            "title": "Strategy",
            "eventTypeId": EVENT_TYPE,
            "eventType": {"id": EVENT_TYPE, "slug": "intro"},
            "location": place,
            "hosts": [HOSTS[self.host]],
            "createdAt": iso(self.changed_at),
            "updatedAt": iso(self.now),
            "metadata": self.words,
            "bookingFieldsResponses": {},
        }

    def live(self, action: str, minutes: int, choice: int) -> None:
        """What cannot happen now does not."""
        self.now += timedelta(minutes=minutes)
        step: Callable[[int], None] = getattr(self, f"_{action}")
        step(choice)

    def _confirm(self, choice: int) -> None:
        if self.state == "pending" and not self.is_open:
            self.state = "accepted"
            self.tell("booking_created.after_confirmation.v2021-10-20.json")

    def _decline(self, choice: int) -> None:
        if self.state == "pending" and not self.is_open:
            self.state, self.ended = "ended", "rejected"
            self.tell("REJECTED", rejectionReason="No time", metadata=DROP)

    def _pay(self, choice: int) -> None:
        if self.state != "pending" or not self.is_open:
            return
        self.is_open = False
        paid = {"identifier": "cal.com", "externalId": "pi_1"}
        self.tell("PAID", metadata=paid, attendees=[PRIYA], responses=DROP)
        self.bodies[-1]["payload"].pop("responses", None)
        if self.needs_approval:
            self.tell("REQUESTED")
        else:
            self.state = "accepted"
            self.tell("booking_created.after_confirmation.v2021-10-20.json")

    def _move(self, choice: int) -> None:
        if self.state == "ended" or self.is_open:
            return
        self._next(is_move=True)
        link = {"rescheduleUid": self.previous, "rescheduledBy": PRIYA["email"]}
        if choice & 1:  # found by the calendar's uid alone, or by nothing
            link = {"rescheduleUid": DROP, "rescheduledBy": DROP}
        if choice & 2:
            link["iCalUID"] = DROP
        if self.needs_approval:
            self.state = "pending"
            self.tell("REQUESTED", **link)
        else:
            self.tell("RESCHEDULED", metadata=self.metadata, **link)

    def _cancel(self, choice: int) -> None:
        if self.state != "ended":
            self.state = "ended"
            who = PRIYA["email"] if choice & 1 else HOSTS[self.host]["email"]
            said = {"cancelledBy": who, "cancellationReason": "Ill", "iCalSequence": self.number}
            self.tell("CANCELLED", **said)

    def _ask_to_move(self, choice: int) -> None:
        if self.state != "accepted":
            return
        self.state = "asked"
        words = "Please reschedule. I am ill\n"
        said = {"cancelledBy": HOSTS[self.host]["email"], "cancellationReason": words, "requestReschedule": choice > 1}
        self.tell("CANCELLED", **said, iCalSequence=self.number if choice & 1 else DROP)

    def _rebook(self, choice: int) -> None:
        if self.state != "asked":
            return
        self._next(is_move=not choice & 1)
        self.state = "accepted"
        if choice & 1:
            self.tell("CREATED", metadata=self.metadata)
        else:
            self.tell("RESCHEDULED", rescheduleUid=self.previous)

    def _place(self, choice: int) -> None:
        before, self.place = self.place, (self.place + 1 + choice % 2) % len(PLACES)
        if self.state == "accepted":
            self.tell("booking_location_updated.v2021-10-20.json", previousLocation=PLACES[before])
        else:
            self.place = before

    def _reassign(self, choice: int) -> None:
        if self.state == "accepted":
            added, removed = HOSTS[1 - self.host]["id"], HOSTS[self.host]["id"]
            self.host = 1 - self.host
            hosts = {"addedHostUserIds": [added], "removedHostUserIds": [removed]}
            self.tell("booking_reassigned.v2021-10-20.json", **hosts, responses=DROP)

    def _mark(self, choice: int) -> None:
        if self.state == "accepted":
            email = (LEE if choice & 2 else PRIYA)["email"]
            (self.absent.add if choice & 1 else self.absent.discard)((self.uid, email))
            who = [{"email": email, "noShow": bool(choice & 1)}]
            self.bodies.append(delivery("ABSENT", stated_at=self.now, bookingUid=self.uid, attendees=who))

    def _meet(self, choice: int) -> None:
        if self.state != "accepted":
            return
        name = "MEETING_ENDED" if choice & 1 else "MEETING_STARTED"
        row = {"fromReschedule": self.previous, "createdAt": iso(FIRST_MEETING), "user": HOSTS[self.host]}
        body = delivery(name, **(self.fields() | row | {"attendees": [PRIYA], "organizer": DROP}))
        if choice & 2:  # the newer sender's envelope
            trigger = body.pop("triggerEvent")
            body = {"triggerEvent": trigger, "createdAt": iso(self.now), "payload": body}
        self.bodies.append(body)

    def _call(self, choice: int) -> None:
        if self.state != "accepted":
            return
        name = [
            "recording_ready.v2021-10-20.json",
            "recording_transcription_generated.v2021-10-20.json",
            "after_hosts_cal_video_no_show.v2021-10-20.json",
            "after_guests_cal_video_no_show.v2021-10-20.json",
        ][choice]
        times = {"startTime": iso(self.start), "endTime": iso(self.start + timedelta(minutes=30))}
        uid = {"uid": self.uid} if choice < 2 else {"bookingUid": self.uid}
        self.bodies.append(delivery(name, stated_at=self.now, **uid, **times))

    def _other(self, choice: int) -> None:
        name = [
            "ooo_created.v2021-10-20.json",
            "PING",
            "form_submitted.v2021-10-20.json",
            "instant_meeting.v2021-10-20.json",
        ]
        self.bodies.append(delivery(name[choice], stated_at=self.now))

    def _again(self, choice: int) -> None:
        """A second subscription of the same trigger: the same content, a moment later."""
        body = self.bodies[choice % len(self.bodies)]
        if "payload" in body:
            later = iso(datetime.fromisoformat(body["createdAt"]) + OTHER_SUBSCRIPTION)
            self.bodies.append(body | {"createdAt": later})

    def _next(self, *, is_move: bool) -> None:
        self.previous, self.number, self.changed_at = self.uid, self.number + 1, self.now
        if is_move:
            self.came_from[self.uid] = self.previous


FIRST_MEETING = datetime.fromisoformat("2026-12-10T15:00:00+00:00")


class SeatedLife(Life):
    """Several bookers share a uid. The host moves all of them under the same uid; who moves alone gets another, or
    sits down where somebody who did so before sits."""

    def __init__(self, began: datetime, kind: str, words: dict[str, str]) -> None:
        self.seats: dict[str, int] = {}
        self.taken = self.moved = 0
        self.elsewhere: dict[str, tuple[dict[str, int], datetime]] = {}
        super().__init__(began, "free", words)
        self.bodies.clear()
        self._sit(0)

    def fields(self) -> dict[str, Any]:
        start = FIRST_MEETING + timedelta(days=self.moved)
        times = {"startTime": iso(start), "endTime": iso(start + timedelta(minutes=30))}
        return super().fields() | times | {"seatsPerTimeSlot": 5, "uid": "shared"}

    @property
    def truth(self) -> dict[str, Body]:
        together = {"shared": (self.seats, FIRST_MEETING + timedelta(days=self.moved))}
        people = {person["email"]: person for person in (PRIYA, LEE, KENJI)}
        return {
            uid: self.answer(uid, "accepted" if seats else "cancelled", start)
            | {"attendees": [people[email] | {"seatUid": f"seat-{seat}"} for email, seat in seats.items()]}
            for uid, (seats, start) in (together | self.elsewhere).items()
        }

    def _sit(self, choice: int) -> None:
        person = [PRIYA, LEE, KENJI][choice % 3]
        if person["email"] not in self.seats:
            self.is_likely &= bool(self.seats) or not self.taken  # where all had left, it would be another booking
            self.taken += 1
            self.seats[person["email"]] = self.taken
            seat = DROP if choice == 3 else f"seat-{self.taken}"
            self.tell("CREATED", attendees=[person], attendeeSeatId=seat)

    def _leave(self, choice: int) -> None:
        for person in [PRIYA, LEE, KENJI][choice % 3 :]:
            if person["email"] in self.seats:
                seat = self.seats.pop(person["email"])
                told = f"seat-{seat}" if choice & 1 else DROP
                self.tell("CANCELLED", attendees=[person], attendeeSeatId=told, cancelledBy=person["email"])
                return

    def _move(self, choice: int) -> None:
        people = [person for person in (PRIYA, LEE, KENJI) if person["email"] in self.seats]
        if choice & 1 and len(people) > 1:
            self.moved += 1
            self.tell("RESCHEDULED", attendees=people, rescheduleUid="shared")
        elif people:
            person = people[choice % len(people)]
            seat = self.seats.pop(person["email"])
            uid, start = f"elsewhere-{seat}", FIRST_MEETING + timedelta(days=self.moved)
            for known, (sitting, at) in self.elsewhere.items():
                if choice & 2 and person["email"] not in sitting:
                    uid, start = known, at
            there, _ = self.elsewhere.setdefault(uid, ({}, start))
            others = [other for other in (PRIYA, LEE, KENJI) if other["email"] in there and other != person]
            there[person["email"]] = seat
            times = {"startTime": iso(start), "endTime": iso(start + timedelta(minutes=30))}
            other = {"uid": uid, "rescheduleUid": "shared", "attendeeSeatId": f"seat-{seat}", **times}
            self.tell("RESCHEDULED", attendees=[person, *others], **other)

    def _cancel(self, choice: int) -> None:
        people = [person for person in (PRIYA, LEE, KENJI) if person["email"] in self.seats]
        if choice == 3 and len(people) > 1:
            self.seats.clear()
            self.tell("CANCELLED", attendees=people, cancelledBy=HOSTS[0]["email"])


ACTIONS = [
    "confirm", "confirm", "decline", "pay", "pay", "move", "move", "cancel", "ask_to_move", "rebook", "rebook", "place",
    "place", "reassign", "mark", "mark", "meet", "call", "other", "again",
]  # fmt: skip
SEATED_ACTIONS = ["sit", "sit", "sit", "leave", "leave", "move", "cancel", "place", "again"]
KINDS = ["free", "approval", "paid", "paid and approval", "seats"]


@st.composite
def played(draw: st.DrawFn, began: datetime, words: dict[str, str]) -> Life:
    kind = draw(st.sampled_from(KINDS))
    life: Life = (SeatedLife if kind == "seats" else Life)(began, kind, words)
    actions = st.sampled_from(SEATED_ACTIONS if kind == "seats" else ACTIONS)
    for action, minutes, choice in draw(st.lists(st.tuples(actions, pauses, st.integers(0, 3)), max_size=9)):
        life.live(action, minutes, choice)
    return life


def lives(began: datetime, words: dict[str, str]) -> st.SearchStrategy[list[Body]]:
    """All that Cal.com would post about one booking, in the order in which it happened."""
    return played(began, words).map(lambda life: life.bodies)


@st.composite
def arrivals(draw: st.DrawFn, bodies: list[Body]) -> list[list[Body]]:
    """Some of them never come; the others in three orders, some more than once."""
    kept = [body for body in bodies if draw(st.integers(0, 5))] or bodies[:1]
    return [
        kept,
        *(draw(st.permutations([*kept, *draw(st.lists(st.sampled_from(kept), max_size=2))])) for _ in range(2)),
    ]
