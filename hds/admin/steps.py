"""What staff can do with a booking, when it makes sense, and what is said of it: before, while, and after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from hds.bookings.acts import ActRefusal, ActState, BookingAct, Verb
from hds.bookings.booker import cal
from hds.bookings.chain import BookingStatus, FactKind, PaymentState
from hds.bookings.models import Booking, BookingEvent
from hds.config import settings
from hds.lib.times import utcnow

KEPT = {BookingStatus.CONFIRMED, BookingStatus.COMPLETED, BookingStatus.NO_SHOW}


class Ask(Enum):
    """Whether the form has a field for words."""

    NO = 0
    MAY = 1
    MUST = 2


@dataclass(frozen=True)
class Step:
    """One thing that staff can do, with a page of its own at `name`.

    `does`: what it will do; `mails`: whom Cal.com writes to. `done`: as it stands in the timeline afterwards.
    `needs_key`: Cal.com is asked. `is_grave`: it cannot be taken back. `is_in_place`: it is done by a button right
    where it is offered.
    """

    name: str
    verb: Verb
    link: str
    title: str
    does: str
    mails: str
    button: str
    done: str
    makes_sense: Callable[[Booking], bool]
    asks: Ask = Ask.NO
    label: str = "Your reason"
    needs_key: bool = True
    is_grave: bool = False
    is_in_place: bool = False


def is_waiting(booking: Booking) -> bool:
    """For the host's answer, and not for a payment."""
    return booking.status is BookingStatus.REQUESTED and booking.payment_state is not PaymentState.PENDING


def is_over(booking: Booking) -> bool:
    return booking.end_at is not None and booking.end_at <= utcnow()


def has_begun(booking: Booking) -> bool:
    return booking.start_at is not None and booking.start_at <= utcnow()


def _can_be_accepted(booking: Booking) -> bool:
    """Cal.com confirms nothing whose payment did not come."""
    return is_waiting(booking) and not is_over(booking) and booking.payment_state is not PaymentState.FAILED


def _is_ahead(booking: Booking) -> bool:
    return booking.status in {BookingStatus.CONFIRMED, BookingStatus.REQUESTED} and not is_over(booking)


def _can_be_moved(booking: Booking) -> bool:
    return _is_ahead(booking) and booking.start_at is not None


def _can_be_moved_whole(booking: Booking) -> bool:
    """Where people have seats, Cal.com lets nobody but an organisation's admins move them all at once."""
    return _can_be_moved(booking) and (not booking.is_seated or bool(settings.cal_organization_id))


def _has_seats(booking: Booking) -> bool:
    return booking.is_seated and booking.status is BookingStatus.CONFIRMED and _can_be_moved(booking)


def _can_be_cancelled(booking: Booking) -> bool:
    """What waits for an answer is declined instead."""
    return _is_ahead(booking) and not is_waiting(booking)


def _has_people_of_whom_it_is_known(booking: Booking) -> bool:
    """Once it has begun, or earlier where Cal.com says that it has ended, or that somebody did not come."""
    is_known = has_begun(booking) or booking.status is not BookingStatus.CONFIRMED or bool(absent(booking))
    return booking.status in KEPT and is_known and bool(booking.people)


def _can_be_refunded(booking: Booking) -> bool:
    return booking.payment_state is PaymentState.PAID


def _is_settled_by_staff(booking: Booking) -> bool:
    return booking.payment is not None and booking.payment.is_settled_by_staff


def _can_have_failed(booking: Booking) -> bool:
    return booking.payment_state in {PaymentState.PENDING, PaymentState.PAID}


STEPS = (
    Step(
        "acceptance",
        Verb.ACCEPT,
        link="Accept",
        title="Accept this request",
        does="They get this time, and it stands in your calendar.",
        mails="Cal.com mails the confirmation with the calendar entry to everybody who takes part; for a service of "
        "this site its own confirmation goes out as well.",
        button="Accept",
        done="Accepted",
        makes_sense=_can_be_accepted,
        is_in_place=True,
    ),
    Step(
        "decline",
        Verb.DECLINE,
        link="Decline",
        title="Decline this request",
        does="They do not get this time, and it becomes free for others. It cannot be taken back: they would have to "
        "ask anew.",
        mails="Cal.com mails them that you declined, with your reason if you give one.",
        button="Decline this request",
        done="Declined",
        makes_sense=is_waiting,
        asks=Ask.MAY,
        is_grave=True,
    ),
    Step(
        "move",
        Verb.MOVE,
        link="Move",
        title="Move this booking",
        does="The meeting takes place at the new time, and the old one becomes free. As it is you who moves it, it "
        "counts as accepted.",
        mails="Cal.com mails the new time with the calendar entry to everybody who takes part, with your reason if you "
        "give one.",
        button="Move it to this time",
        done="Moved",
        makes_sense=_can_be_moved_whole,
        asks=Ask.MAY,
    ),
    Step(
        "request-to-move",
        Verb.ASK_TO_MOVE,
        link="Ask to move",
        title="Ask them to choose another time",
        does="Cal.com cancels this time, and they choose another one themselves. Until they do, nothing is booked. "
        "It cannot be taken back.",
        mails="Cal.com mails them that you ask for another time, with a link to choose it, and with your reason if you "
        "give one.",
        button="Cancel this time and ask for another",
        done="Asked for another time",
        makes_sense=_can_be_moved,
        asks=Ask.MAY,
        is_grave=True,
    ),
    Step(
        "cancellation",
        Verb.CANCEL,
        link="Cancel",
        title="Cancel this booking",
        does="The meeting does not take place, and the time becomes free for others. It cannot be taken back: they "
        "would have to book anew.",
        mails="Cal.com mails the cancellation with your reason to everybody who takes part.",
        button="Cancel this booking",
        done="Cancelled",
        makes_sense=_can_be_cancelled,
        asks=Ask.MUST,
        is_grave=True,
    ),
    Step(
        "absence",
        Verb.MARK_ABSENT,
        link="Who came?",
        title="Who came?",
        does="It is noted at Cal.com and here who did not come. You can change it later.",
        mails="Cal.com mails nobody.",
        button="Mark as absent",
        done="Marked as absent",
        makes_sense=_has_people_of_whom_it_is_known,
    ),
    Step(
        "presence",
        Verb.MARK_PRESENT,
        link="",
        title="Who came?",
        does="It is noted at Cal.com and here who came after all.",
        mails="Cal.com mails nobody.",
        button="Was there after all",
        done="Marked as present",
        makes_sense=_has_people_of_whom_it_is_known,
    ),
    Step(
        "refund",
        Verb.SET_REFUNDED,
        link="Mark as refunded",
        title="Mark the payment as refunded",
        does="Only the books here change: give the money back where you take payments. Cal.com never tells of it.",
        mails="Nobody is mailed.",
        button="Mark as refunded",
        done="Payment marked as refunded",
        makes_sense=_can_be_refunded,
        needs_key=False,
    ),
    Step(
        "failed-payment",
        Verb.SET_FAILED,
        link="Mark payment as failed",
        title="Mark the payment as failed",
        does="Only the books here change: no money moves, and the booking stays as it is. Cal.com never tells of it.",
        mails="Nobody is mailed.",
        button="Mark as failed",
        done="Payment marked as failed",
        makes_sense=_can_have_failed,
        needs_key=False,
    ),
    Step(
        "payment",
        Verb.TAKE_BACK_PAYMENT,
        link="Take back the mark of the payment",
        title="Take back how the payment was marked",
        does="The books here say again what Cal.com told: that it is paid, or not paid yet. No money moves.",
        mails="Nobody is mailed.",
        button="Take the mark back",
        done="Mark of the payment taken back",
        makes_sense=_is_settled_by_staff,
        needs_key=False,
    ),
    Step(
        "note",
        Verb.NOTE,
        link="Write a note",
        title="Write a note",
        does="It stands here among what happened, for staff alone.",
        mails="Nobody is mailed, and Cal.com is not told.",
        button="Keep this note",
        done="Noted",
        makes_sense=lambda booking: True,
        asks=Ask.MUST,
        label="Your note",
        needs_key=False,
    ),
)
# With one of several people's seats: the others keep theirs.
SEAT_STEPS = (
    Step(
        "move",
        Verb.MOVE,
        link="Move this seat",
        title="Move this seat",
        does="They take part at the new time, and the others stay where they are. Where others have that time already, "
        "they join them.",
        mails="Cal.com mails them the new time.",
        button="Move the seat to this time",
        done="Seat moved",
        makes_sense=_has_seats,
    ),
    Step(
        "cancellation",
        Verb.CANCEL,
        link="Take out",
        title="Take them out of this meeting",
        does="Their seat becomes free for others, and everybody else keeps theirs. It cannot be taken back: they would "
        "have to book anew.",
        mails="Cal.com mails them the cancellation, with your reason.",
        button="Take them out",
        done="Seat given up",
        makes_sense=_has_seats,
        asks=Ask.MUST,
        is_grave=True,
    ),
)
BY_NAME = {step.name: step for step in STEPS}
OF_SEAT = {step.name: step for step in SEAT_STEPS}
OF_VERB = {step.verb: step for step in STEPS}
_OF_SEATS_VERB = {step.verb: step for step in SEAT_STEPS}

REFUSALS = {
    ActRefusal.TAKEN: "That time is no longer free. Choose another one.",
    ActRefusal.OVER: "Cal.com says that this is over: it was answered, cancelled or moved before, or has ended. "
    "Look at Cal.com now, and this page shows which.",
    ActRefusal.TOO_LATE: "The rules of the event type at Cal.com do not allow it, or not so late. Change them there, "
    "or talk to the attendee.",
    ActRefusal.TOO_EARLY: "Cal.com lets this site mark who came only once the meeting has begun. Mark it then, or in "
    "your bookings at Cal.com.",
    ActRefusal.REASON_NEEDED: "Cal.com wants a reason for this event type. Give one, and send it again.",
    ActRefusal.NOT_ALLOWED: "Cal.com does not let the key of this site do it. “Cal.com” in the menu says what is "
    "wrong with it.",
    ActRefusal.NO_ANSWER: "Cal.com did not answer, and nothing was done. Try again in a minute.",
    ActRefusal.NO_SUCH_CALL: "Your Cal.com does not know how to do this: older ones and those that one runs oneself do "
    "not. Move it to a time that suits, or cancel it with a reason that asks for another.",
    ActRefusal.NOT_ACCEPTED: "Cal.com did not accept it. What it says itself stands below.",
}


def steps_of(booking: Booking, *, has_key: bool) -> list[Step]:
    """What can be done now, in the order of the page."""
    return [step for step in STEPS if step.makes_sense(booking) and (has_key or not step.needs_key)]


def seat_steps_of(booking: Booking, *, has_key: bool) -> list[Step]:
    """What can be done now with each seat."""
    return [step for step in SEAT_STEPS if has_key and step.makes_sense(booking)]


def step_of(act: BookingAct) -> Step:
    return _OF_SEATS_VERB[act.verb] if act.seat_uid else OF_VERB[act.verb]


def steps_beside(act: BookingAct | None, steps: Sequence[Step]) -> list[Step]:
    """What Cal.com has agreed to ends the booking there, so it would refuse whatever else it is asked for."""
    has_agreed = act is not None and act.stage is ActState.TOLD
    return [step for step in steps if not (has_agreed and step.needs_key)]


def lacks_key(booking: Booking, *, has_key: bool) -> bool:
    """There is something that only a key could do."""
    return not has_key and any(step.needs_key and step.makes_sense(booking) for step in STEPS)


def pages_of_cal() -> str:
    """Where the owner finds all bookings at Cal.com."""
    return f"{cal().account.app_url}/bookings/upcoming"


def unsettled(acts: Sequence[BookingAct]) -> BookingAct | None:
    """The newest one that Cal.com was asked for, where it is not known yet what became of it."""
    asked = [act for act in acts if OF_VERB[act.verb].needs_key]
    return asked[-1] if asked and asked[-1].stage not in {ActState.DONE, ActState.REFUSED} else None


def timeline(booking: Booking, acts: Sequence[BookingAct]) -> list[BookingEvent | BookingAct]:
    """What was asked for among what happened, the oldest first."""
    lines: list[tuple[datetime, int, BookingEvent | BookingAct]] = [(act.created_at, 0, act) for act in acts]
    lines += [(event.at, 1, event) for event in booking.events]
    return [line for *_, line in sorted(lines, key=lambda entry: entry[:2])]


def who(act: BookingAct) -> str:
    if act.staff is not None:
        return act.staff.email
    return "Staff" if act.actor == "staff" else act.subject or "The attendee"


def said(act: BookingAct) -> str:
    """What a line of the timeline says of an act."""
    step = step_of(act)
    if act.stage is ActState.DONE:
        return step.done
    about = f"{step.link or step.button}: "
    return (
        about
        + {
            ActState.ASKED: "asked, and no answer yet",
            ActState.TOLD: "asked, and Cal.com has yet to do it",
            ActState.REFUSED: "not done",
            ActState.UNKNOWN: "asked, and not known whether it was done",
        }[act.stage]
    )


def absent(booking: Booking) -> set[str]:
    """Who is marked as absent now, by address: the newest word on each."""
    newest: dict[str, FactKind] = {}
    for event in booking.events:
        if event.uid == booking.uid and event.kind in {FactKind.ABSENT, FactKind.PRESENT}:
            newest[event.subject] = event.kind
    return {email for email, kind in newest.items() if kind is FactKind.ABSENT}
