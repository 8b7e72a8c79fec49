from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hds.bookings import chain
from hds.bookings.chain import BookingStatus, FactKind, FactSource, PaymentState, Person
from tests.factories import fact

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PRIYA = Person(email="priya@acme.example", name="Priya Natarajan")
LEE = Person(email="lee@acme.example", name="Lee")


def at(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


def status(*facts: chain.Fact) -> BookingStatus:
    return chain.read(facts).status


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([FactKind.REQUESTED], BookingStatus.REQUESTED),
        ([FactKind.PAYMENT_INITIATED], BookingStatus.REQUESTED),
        ([FactKind.PAID], BookingStatus.REQUESTED),
        ([FactKind.REQUESTED, FactKind.CONFIRMED], BookingStatus.CONFIRMED),
        ([FactKind.REQUESTED, FactKind.DECLINED], BookingStatus.DECLINED),
        ([FactKind.CONFIRMED, FactKind.ENDED], BookingStatus.COMPLETED),
        ([FactKind.REQUESTED, FactKind.ENDED], BookingStatus.REQUESTED),
        ([FactKind.CONFIRMED, FactKind.ENDED, FactKind.CANCELLED], BookingStatus.CANCELLED),
        ([FactKind.DECLINED, FactKind.CANCELLED], BookingStatus.CANCELLED),
        ([FactKind.CANCELLED], BookingStatus.CANCELLED),
    ],
)
def test_the_strongest_fact_gives_the_status(kinds, expected):
    facts = [fact(kind=kind, at=at(hour)) for hour, kind in enumerate(kinds)]
    assert {status(*order) for order in permutations(facts)} == {expected}


def test_what_happened_to_an_earlier_uid_does_not_stick_to_a_later_one():
    cancelled = fact("a", FactKind.CANCELLED, at=at(1))
    moved = fact("b", FactKind.RESCHEDULED, at=at(2), previous_uid="a")
    assert status(fact("a", at=at(0)), cancelled, moved) is BookingStatus.CONFIRMED


def test_every_order_of_created_rescheduled_cancelled_paid_gives_one_picture():
    facts = [
        fact("a", at=at(0), price=15000, currency="USD"),
        fact("a", FactKind.PAID, at=at(1), price=15000, currency="USD", attendees=[PRIYA]),
        fact("b", FactKind.RESCHEDULED, at=at(2), previous_uid="a", start_at=at(48), price=15000, currency="USD"),
        fact("b", FactKind.CANCELLED, at=at(3), start_at=at(48), reason="No time"),
    ]
    pictures = {repr(chain.read(order)) for order in permutations(facts)}
    assert len(pictures) == 1
    picture = chain.read(facts)
    assert picture.uids == ("a", "b")
    assert picture.status is BookingStatus.CANCELLED
    assert picture.payment is PaymentState.PAID
    assert picture.details.start_at == at(48)


def test_a_chain_of_five_with_a_missing_link_has_one_last_uid():
    facts = [
        fact("u1", at=at(0), ical_sequence=0),
        fact("u2", FactKind.RESCHEDULED, at=at(1), previous_uid="u1", ical_sequence=1),
        # u3's delivery never came
        fact("u4", FactKind.RESCHEDULED, at=at(3), previous_uid="u3", ical_sequence=3),
        fact("u5", FactKind.RESCHEDULED, at=at(4), previous_uid="u4", ical_sequence=4),
    ]
    assert {chain.read(order).uids for order in permutations(facts)} == {("u1", "u2", "u3", "u4", "u5")}


def test_without_links_the_calendar_sequence_decides_which_uid_is_last():
    facts = [fact("z", at=at(9), ical_sequence=0), fact("a", FactKind.REQUESTED, at=at(1), ical_sequence=1)]
    assert {chain.read(order).uid for order in permutations(facts)} == {"a"}


def test_of_two_moves_of_one_uid_the_later_is_last():
    facts = [
        fact("a", at=at(0)),
        fact("a2", FactKind.RESCHEDULED, at=at(1), previous_uid="a"),
        fact("a1", FactKind.RESCHEDULED, at=at(2), previous_uid="a"),
        fact("a3", FactKind.RESCHEDULED, at=at(3), previous_uid="a2"),
    ]
    assert {chain.read(order).uids for order in permutations(facts)} == {("a", "a2", "a3", "a1")}


def test_a_circle_of_uids_still_has_an_end():
    facts = [fact("a", at=at(0), previous_uid="b"), fact("b", at=at(1), previous_uid="a")]
    assert len({chain.read(order).uids for order in permutations(facts)}) == 1


def test_the_newest_word_says_who_was_absent():
    absent = fact(kind=FactKind.ABSENT, at=at(3), subject=PRIYA.email)
    present = fact(kind=FactKind.PRESENT, at=at(4), subject=PRIYA.email)
    assert status(fact(), absent) is BookingStatus.NO_SHOW
    assert status(fact(), absent, present) is BookingStatus.CONFIRMED


def test_an_absent_guest_does_not_make_a_no_show():
    absent = fact(kind=FactKind.ABSENT, at=at(3), subject=LEE.email)
    assert status(fact(attendees=[PRIYA, LEE]), absent) is BookingStatus.CONFIRMED


def test_a_cancelled_booking_is_no_no_show():
    absent = fact(kind=FactKind.ABSENT, at=at(3), subject=PRIYA.email)
    assert status(fact(), absent, fact(kind=FactKind.CANCELLED, at=at(4))) is BookingStatus.CANCELLED


def test_a_seat_given_up_leaves_the_others_booking_alive():
    seats = [
        fact(subject=PRIYA.email, attendees=[PRIYA], at=at(0)),
        fact(subject=LEE.email, attendees=[LEE], at=at(1)),
        fact(kind=FactKind.SEAT_GIVEN_UP, subject=PRIYA.email, attendees=[PRIYA], at=at(2)),
    ]
    assert status(*seats) is BookingStatus.CONFIRMED
    last = fact(kind=FactKind.SEAT_GIVEN_UP, subject=LEE.email, attendees=[LEE], at=at(3))
    assert status(*seats, last) is BookingStatus.CANCELLED


def test_the_fullest_body_gives_the_details_and_none_erases():
    full = fact(answers={"company": "Acme"}, notes="Hello", at=at(0))
    thin = fact(kind=FactKind.PAID, at=at(5), answers={}, notes=None, title="Another title")
    details = chain.read([thin, full]).details
    assert details.answers == {"company": "Acme"}
    assert details.notes == "Hello"
    assert details.title == "Strategy between Hudson and Priya"


def test_a_moved_booking_does_not_keep_the_old_meeting_link():
    moved = fact("b", FactKind.RESCHEDULED, at=at(1), previous_uid="a", meeting_url=None)
    assert chain.read([fact("a", at=at(0)), moved]).details.meeting_url is None


facts = st.lists(
    st.builds(
        fact,
        uid=st.sampled_from("abcd"),
        kind=st.sampled_from(list(FactKind)),
        at=st.integers(0, 6).map(at),
        subject=st.sampled_from(["", PRIYA.email, LEE.email]),
        previous_uid=st.sampled_from([None, "a", "b", "c", "d"]),
        ical_sequence=st.sampled_from([None, 0, 1, 2]),
        start_at=st.just(at(100)),
        attendees=st.sampled_from([[], [PRIYA], [LEE, PRIYA]]),
    ),
    min_size=1,
    max_size=7,
    unique_by=lambda each: (each.uid, each.kind, each.subject),
)


@settings(max_examples=300, deadline=None)
@given(facts, st.randoms())
def test_no_order_of_any_facts_matters(some, random):
    shuffled = some[:]
    random.shuffle(shuffled)
    assert chain.read(some) == chain.read(shuffled)


def test_a_uid_without_a_number_stands_where_its_time_puts_it():
    """The host's wish to move may be all that is known of the first uid, and may bear no number."""
    facts = [
        fact("a", FactKind.CANCELLED, at=at(1), ical_sequence=None),
        fact("b", at=at(2), ical_sequence=1),
        fact("c", FactKind.RESCHEDULED, at=at(3), ical_sequence=2),
    ]
    assert {chain.read(order).uids for order in permutations(facts)} == {("a", "b", "c")}


@pytest.mark.parametrize("kind", [FactKind.CONFIRMED, FactKind.LOCATION_CHANGED, FactKind.ABSENT])
def test_of_two_at_the_same_time_the_fuller_one_stands(kind):
    thin, full = fact(kind=kind, at=at(1)), fact(kind=kind, at=at(1), notes="We are two")
    assert chain.stands(full, thin)
    assert not chain.stands(thin, full)
    assert not chain.stands(full, full)


def test_what_cannot_both_be_true_contradicts():
    absent = fact(kind=FactKind.ABSENT, at=at(1), subject=PRIYA.email)
    present = fact(kind=FactKind.PRESENT, at=at(1), subject=PRIYA.email)
    assert chain.contradicts(absent, present)
    assert not chain.contradicts(absent, fact(kind=FactKind.PRESENT, at=at(1), subject=LEE.email))
    assert not chain.contradicts(absent, fact(kind=FactKind.PRESENT, at=at(2), subject=PRIYA.email))
    assert chain.contradicts(fact(at=at(1), start_at=at(9)), fact(at=at(1), start_at=at(8)))
    assert not chain.contradicts(fact(at=at(1), notes="a"), fact(at=at(1), notes="b"))


def test_the_apis_word_on_who_was_there_outweighs_a_delivery_of_the_same_moment():
    present = fact(kind=FactKind.PRESENT, at=at(4), subject=PRIYA.email)
    absent = fact(kind=FactKind.ABSENT, at=at(4), subject=PRIYA.email)
    assert status(fact(), present, absent) is BookingStatus.CONFIRMED
    assert status(fact(), present, replace(absent, source=FactSource.API)) is BookingStatus.NO_SHOW
