"""Whatever dies, and wherever: what came in is applied once, and what must go out leaves once.

Real processes die by a real SIGKILL, and each test proves that it happened where it says (see dying.py).
"""

import signal
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.deliveries import delivery, iso
from tests.factories import in_days
from tests.postoffice import PostOffice, open_post_office
from tests.processes.house import KINDS, TICK, House, template
from tests.processes.tree import until

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with template(tmp_path_factory.mktemp("template")) as original:
        yield original


@pytest.fixture
def house(tmp_path: Path, original: str) -> Iterator[House]:
    with House(tmp_path, original) as house:
        yield house


@pytest.fixture
def post_office(house: House) -> Iterator[PostOffice]:
    """Where this house's mails go, instead of its mailbox."""
    with open_post_office() as (post_office, port):
        house.settings |= {"MAIL_TRANSPORT": "smtp", "SMTP_URL": f"smtp://127.0.0.1:{port}"}
        yield post_office


def comes_to_rest(house: House, bookings: int = 1) -> None:
    until(lambda: house.is_at_rest(bookings))
    assert house.bookings() == ["confirmed"] * bookings
    assert len(house.messages()) == len(KINDS) * bookings


def one_file_for_each_mail(house: House) -> None:
    assert sorted(house.mailbox()) == sorted(f"{n}.eml" for (n,) in house.rows("SELECT id FROM message"))


def words(raw: bytes) -> list[Any]:
    """All that a mail says; the line that parts its bodies is drawn anew each time."""
    email = message_from_bytes(raw, policy=policy.default)
    headers = [(name, value) for name, value in email.items() if name != "Content-Type"]
    return [headers, *(part.get_content() for part in email.iter_parts())]


def each_letter_once(post_office: PostOffice) -> int:
    ids = [letter["Message-ID"] for letter in post_office.letters]
    assert len(ids) == len(set(ids))
    return len(ids)


def test_web_dies_before_the_commit_and_the_sender_posts_again(house: House) -> None:
    body = delivery("CREATED")
    web = house.dying_web("web-before-the-commit")
    with pytest.raises(requests.ConnectionError):
        house.post(body)
    assert web.has_died_there() == {"deliveries": 1}
    assert house.deliveries() == []
    house.web()
    assert house.post(body) == 200
    assert house.deliveries() == [("pending", 0, 1)]
    house.heal()
    comes_to_rest(house)
    one_file_for_each_mail(house)


def test_web_dies_between_commit_and_bell_and_the_clock_finds_it(house: House) -> None:
    body = delivery("CREATED")
    web = house.dying_web("web-between-commit-and-bell")
    with pytest.raises(requests.ConnectionError):
        house.post(body)
    web.has_died_there()
    assert house.deliveries() == [("pending", 0, 1)]
    assert house.in_queue("default") == 0
    house.heal()
    comes_to_rest(house)
    one_file_for_each_mail(house)


def test_worker_dies_after_the_bell(house: House) -> None:
    dying = house.dying("worker-after-the-bell")
    house.web()
    assert house.post(delivery("CREATED")) == 200
    dying.has_died_there()
    assert house.deliveries() == [("pending", 0, 1)]
    house.flush_queue()  # the bell was heard; no other is left
    house.heal()
    comes_to_rest(house)
    one_file_for_each_mail(house)


def test_worker_dies_after_the_claim(house: House) -> None:
    dying = house.dying("worker-after-the-claim")
    house.web()
    assert house.post(delivery("CREATED")) == 200
    assert len(dying.has_died_there()["ids"]) == 1
    assert house.deliveries() == [("pending", 1, 1)]
    house.heal()
    comes_to_rest(house)
    assert house.deliveries() == [("applied", 2, 1)]
    one_file_for_each_mail(house)


def test_worker_dies_after_applying_and_before_its_commit(house: House) -> None:
    dying = house.dying("worker-after-applying")
    house.web()
    assert house.post(delivery("CREATED")) == 200
    assert dying.has_died_there() == {"bookings": 1, "messages": 2}
    assert house.deliveries() == [("pending", 1, 1)]
    for table in ("booking", "booking_event", "contact", "message"):
        assert house.rows(f"SELECT * FROM {table}") == []
    house.heal()
    comes_to_rest(house)
    one_file_for_each_mail(house)


def test_worker_dies_between_commit_and_mail_bell(house: House) -> None:
    dying = house.dying("worker-before-the-mail-bell")
    house.web()
    assert house.post(delivery("CREATED")) == 200
    assert len(dying.has_died_there()["ids"]) == 1
    assert house.deliveries() == [("applied", 1, 1)]
    assert house.messages() == [(kind, "pending", 0) for kind in KINDS]
    assert house.in_queue("mail") == 0
    house.heal()
    comes_to_rest(house)
    one_file_for_each_mail(house)


def test_mail_dies_after_the_claim(house: House) -> None:
    """The one test that waits until the lease of a mail ends by itself."""
    dying = house.dying("mail-after-the-claim")
    house.web()
    assert house.post(delivery("CREATED")) == 200
    assert len(dying.has_died_there()["ids"]) == 1
    assert sorted(house.messages(), key=lambda row: row[2]) == [(KINDS[1], "pending", 0), (KINDS[0], "pending", 1)]
    assert house.mailbox() == {}
    house.heal()
    comes_to_rest(house)
    one_file_for_each_mail(house)


def test_mailbox_dies_between_transport_and_noting(house: House) -> None:
    dying = house.dying("mail-between-transport-and-noting")
    house.web()
    assert house.post(delivery("CREATED")) == 200
    name = dying.has_died_there()["provider_id"]
    before = house.mailbox()
    assert list(before) == [name]
    assert {state for _, state, _ in house.messages()} == {"sending", "pending"}
    house.let_leases_end()
    house.heal()
    comes_to_rest(house)
    one_file_for_each_mail(house)
    assert words(house.mailbox()[name]) == words(before[name])


def test_smtp_dies_between_transport_and_noting(house: House, post_office: PostOffice) -> None:
    """Sent again it might be two, so staff are told instead."""
    dying = house.dying("mail-between-transport-and-noting")
    house.web()
    assert house.post(delivery("CREATED")) == 200
    dying.has_died_there()
    assert len(post_office.raw) == 1
    assert {state for _, state, _ in house.messages()} == {"sending", "pending"}
    house.let_leases_end()
    house.heal()
    until(lambda: {state for _, state, _ in house.messages()} == {"sent", "unknown"})
    assert house.bookings() == ["confirmed"]
    [(reason,)] = house.rows("SELECT reason FROM message WHERE state = 'unknown'")
    assert reason.startswith("The worker ended between sending it and noting so.")
    quiet = house.messages()
    time.sleep(4 * TICK)
    assert house.messages() == quiet
    assert each_letter_once(post_office) == 2


def test_clock_dies_while_it_holds_a_line(house: House) -> None:
    house.web()
    assert house.post(delivery("CREATED")) == 200
    until(lambda: house.in_queue("default"))
    house.flush_queue()
    house.dying("clock-in-a-line", "clock").has_died_there()
    assert house.deliveries() == [("pending", 0, 1)]
    house.let_leases_end()
    house.heal()
    comes_to_rest(house)


# Without the queue


@pytest.mark.parametrize("loss", ["killed", "flushed"])
def test_empty_queue_loses_nothing_that_waited(house: House, loss: str) -> None:
    """One delivery is applied and its mails wait, four wait themselves, and nobody rings for any of them any more."""
    dying = house.dying("worker-before-the-mail-bell")
    web = house.web()
    assert house.post(one_of_many(0)) == 200
    dying.has_died_there()
    for number in range(1, 5):
        assert house.post(one_of_many(number)) == 200
    until(lambda: house.in_queue("default"))
    house.kill(web)  # its last bell might still come
    if loss == "killed":
        house.kill_queue()
        house.start_queue()
    else:
        house.flush_queue()
    assert house.in_queue("default") == house.in_queue("mail") == 0
    house.heal()
    comes_to_rest(house, bookings=5)
    one_file_for_each_mail(house)


@pytest.mark.parametrize("silence", ["killed", "hung"])
def test_site_answers_while_the_queue_does_not(house: House, silence: str) -> None:
    """Mails wait, and the clock rings for them in vain; webhooks and pages must not wait for that."""
    dying = house.dying("worker-before-the-mail-bell")
    house.web()
    assert house.post(one_of_many(0)) == 200
    dying.has_died_there()
    if silence == "killed":
        house.kill_queue()
    else:
        house.hang_queue()
    house.clock()
    until(lambda: "bell not heard" in house.output)
    rounds = []
    for number in range(1, 9):
        began = time.monotonic()
        assert house.post(one_of_many(number)) == 200
        assert house.get("/") == house.get("/services") == house.get("/faq") == 200
        rounds.append(time.monotonic() - began)
        time.sleep(TICK / 4)
    assert statistics.median(rounds) < 1.5  # one wait for the queue would be longer
    if silence == "killed":
        house.start_queue()
    else:
        house.hang_queue(signal.SIGCONT)
    house.worker()
    comes_to_rest(house, bookings=9)
    one_file_for_each_mail(house)


def test_worker_outlives_the_queue(house: House) -> None:
    """Or ends with it, and is started again, as the supervisor does."""
    house.web()
    worker = house.worker()
    house.clock()
    assert house.post(one_of_many(0)) == 200
    comes_to_rest(house)
    house.kill_queue()
    assert house.post(one_of_many(1)) == 200
    time.sleep(2 * TICK)
    house.start_queue()

    def rests() -> bool:
        nonlocal worker
        if worker.poll() is not None:
            worker = house.worker()
        return house.is_at_rest(2)

    until(rests, 60)
    comes_to_rest(house, bookings=2)


# Many at once


def test_worker_killed_at_any_moment_while_the_queue_holds_jobs(house: House) -> None:
    house.web()
    for number in range(30):
        assert house.post(one_of_many(number)) == 200
    house.clock()
    for progress in (1, 8):
        worker = house.worker()
        until(lambda enough=progress: len(house.bookings()) + len(house.mailbox()) >= enough)
        house.kill(worker)
    assert house.in_queue("mail") > 0
    house.let_leases_end()
    house.worker()
    comes_to_rest(house, bookings=30)
    one_file_for_each_mail(house)


def test_two_workers_and_two_clocks_do_nothing_twice(house: House, post_office: PostOffice) -> None:
    house.settings["CLOCK_TICK_SECONDS"] = 0.2
    house.web()
    for _ in range(2):
        house.heal()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda number: house.post(one_of_many(number)), range(12))) == {200}
    comes_to_rest(house, bookings=12)
    time.sleep(2 * TICK)
    assert each_letter_once(post_office) == 24
    assert [seen for *_, seen in house.deliveries()] == [1] * 12


def test_fifty_copies_at_once_are_one_booking_and_one_mail_of_each_kind(house: House, post_office: PostOffice) -> None:
    house.web()
    house.heal()
    house.worker()
    body = delivery("CREATED")
    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(lambda _: house.post(body), range(50))) == [200] * 50
    comes_to_rest(house)
    assert [seen for *_, seen in house.deliveries()] == [50]
    time.sleep(2 * TICK)
    assert each_letter_once(post_office) == 2


def one_of_many(number: int) -> dict[str, Any]:
    """A booking of its own."""
    start = in_days(3) + timedelta(hours=number)
    end = start + timedelta(minutes=30)
    return delivery("CREATED", uid=f"uid{number}", iCalUID=f"uid{number}@cal", startTime=iso(start), endTime=iso(end))
