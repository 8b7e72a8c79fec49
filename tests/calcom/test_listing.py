"""How a list goes on: read from each answer, in either form, and never round in a circle."""

from typing import Any

import pytest

from hds.calcom.listing import CURSORED, LIMIT, PAGED, STATUSES, TAKE, Page, Turn

FIRST = Turn.first(PAGED)


def test_the_paged_form_skips_what_was_shown() -> None:
    assert FIRST.params == {"take": str(TAKE)}
    second = FIRST.after({"hasNextPage": True}, 250)
    assert second is not None
    assert second.params == {"take": str(TAKE), "skip": "250"}
    assert second.after({"hasNextPage": False}, 3) is None


def test_the_cursor_form_goes_through_every_status() -> None:
    turn, asked = Turn.first(CURSORED), []
    while turn is not None:
        asked.append((turn.status, turn.cursor))
        assert turn.params["limit"] == str(LIMIT)
        more = turn.status == "unconfirmed" and not turn.cursor
        turn = turn.after({"nextCursor": "c1" if more else None, "hasMore": more}, 100)
    assert [status for status, _ in asked] == ["upcoming", "unconfirmed", *STATUSES[1:]]
    assert asked[2] == ("unconfirmed", "c1")


@pytest.mark.parametrize(
    ("pagination", "returned"),
    [
        (None, 250),
        ({}, 250),
        ([], 250),
        ({"hasNextPage": True}, 0),
        ({"hasNextPage": "yes"}, 250),
        ({"nextCursor": 7, "hasMore": True}, 100),
        ({"nextCursor": "c1", "hasMore": False}, 100),
        ({"nextCursor": "c1", "hasMore": True}, 0),
    ],
)
def test_where_nothing_tells_of_more_there_is_no_more(pagination: Any, returned: int) -> None:
    assert FIRST.after(pagination, returned) is None


def test_a_cursor_that_leads_to_itself_ends_it() -> None:
    turn = FIRST.after({"nextCursor": "c1"}, 10)
    assert turn is not None
    assert turn.params == {"limit": str(LIMIT), "cursor": "c1"}
    assert turn.after({"nextCursor": "c1"}, 10) is None


def test_a_turn_survives_its_row() -> None:
    turn = Turn(CURSORED, "past", "c1", 0)
    assert Turn.read(turn.kept) == turn


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"data": {"bookings": []}}])
def test_what_is_no_list_is_told_from_an_empty_one(body: Any) -> None:
    assert Page.of(FIRST, body, lambda _: None) is None
    empty = Page.of(FIRST, {"data": []}, lambda _: None)
    assert empty is not None
    assert (empty.bookings, empty.next) == ([], None)
