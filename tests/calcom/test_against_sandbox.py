"""Client and sandbox were written apart, from the same facts: here they meet, as two processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hds.calcom.account import Account
from hds.calcom.client import CalClient, Person, Target
from hds.calcom.errors import Invalid, NotAllowed, NotFound, SlotTaken
from hds.lib.times import utcnow

ZONE = ZoneInfo("Europe/London")
PRIYA = Person("Priya Natarajan", "priya@acme.example", "Asia/Kolkata")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("sandbox")
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    settings = {"SANDBOX_PORT": "0", "SANDBOX_DATA": str(folder), "SANDBOX_API_KEY": "cal_test"}
    command = [sys.executable, "-m", "hds.sandbox"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, env=kept | settings, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("sandbox ready on "), line
            yield line.split()[-1]
        finally:
            process.terminate()
            process.wait(5)


@pytest.fixture(scope="module")
def client(sandbox: str) -> CalClient:
    return CalClient(Account(api_url=f"{sandbox}/v2", api_key="cal_test"))


def test_a_bookings_whole_life(client: CalClient, sandbox: str) -> None:
    me = client.me()
    assert (me.username, me.time_zone) == ("hudson", "America/New_York")

    kind = client.event_type(1001)
    assert kind.slug is not None
    assert client.event_type_by_slug("hudson", kind.slug).id == kind.id

    target, today = Target(event_type_id=kind.id), utcnow().date()
    days = client.slots(target, today, today + timedelta(days=30), ZONE)
    assert list(days) == sorted(days)
    first, second, *_ = days[next(day for day in days if len(days[day]) > 2)]
    assert first.tzinfo is ZONE

    booking = client.create_booking(
        target, first, PRIYA, guests=["lee@acme.example"], notes="Hello", metadata={"site_ref": "q_1"}
    )
    assert (booking.status, booking.start_at, booking.event_type_id) == ("accepted", first, kind.id)
    assert booking.booker is not None
    assert booking.booker.email == PRIYA.email
    with pytest.raises(SlotTaken):
        client.create_booking(target, first, PRIYA)
    assert first not in client.slots(target, first.date(), first.date(), ZONE).get(first.date(), [])

    for reference in ("q_1", ""):
        found = client.find_booking(PRIYA.email, first, reference)
        assert found is not None
        assert found.uid == booking.uid
    assert client.find_booking("somebody@else.example", first) is None

    moved = client.reschedule(booking.uid, second, reason="Clash")
    assert (moved.start_at, moved.previous_uid) == (second, booking.uid)
    assert not client.booking(booking.uid).is_live

    assert client.cancel(moved.uid, "No longer needed").status == "cancelled"
    with pytest.raises(Invalid, match="400") as again:
        client.cancel(moved.uid, "Again")
    assert "already been cancelled" in again.value.text


def test_a_time_kept_is_not_offered_until_it_is_released(client: CalClient) -> None:
    target, today = Target(event_type_id=1001), utcnow().date()

    def times() -> list[object]:
        days = client.slots(target, today, today + timedelta(days=30), ZONE)
        return [moment for day in days.values() for moment in day]

    last = client.slots(target, today, today + timedelta(days=30), ZONE).popitem()[1][-1]
    reservation = client.reserve_slot(1001, last)
    assert last not in times()
    with pytest.raises(SlotTaken):
        client.reserve_slot(1001, last)
    client.release_slot(reservation.uid)
    assert last in times()


def test_the_hosts_verbs(client: CalClient) -> None:
    target, today = Target(event_type_id=1003), utcnow().date()
    *_, first, second = client.slots(target, today, today + timedelta(days=20), ZONE).popitem()[1]
    wanted, unwanted = (client.create_booking(target, start, PRIYA) for start in (first, second))
    assert (wanted.status, unwanted.status) == ("pending", "pending")
    assert client.confirm(wanted.uid).status == "accepted"
    assert client.decline(unwanted.uid, "No agency work").status == "rejected"
    with pytest.raises(Invalid):
        client.confirm(unwanted.uid)
    with pytest.raises(Invalid):  # it has not begun
        client.mark_absent(wanted.uid, {PRIYA.email: True})


def test_what_is_not_there_and_what_is_not_allowed(client: CalClient, sandbox: str) -> None:
    with pytest.raises(NotFound):
        client.event_type(999999)
    with pytest.raises(NotFound):
        client.event_type_by_slug("hudson", "no-such-slug")
    with pytest.raises(NotFound):
        client.booking("noSuchBooking1234567")
    with pytest.raises(NotAllowed):
        CalClient(Account(api_url=f"{sandbox}/v2", api_key="cal_wrong")).me()
