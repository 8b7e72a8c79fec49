"""The outbox in front of staff, and sending a mail again."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from hds.lib import jobs
from hds.mail.jobs import deliver
from hds.mail.models import Message, MessageState
from hds.mail.transports import mailbox_folder
from tests import forms
from tests.factories import make_booking

PAGE = "/admin/messages"
FRAGMENT = {"HX-Request-Type": "partial"}
Make = Callable[..., Message]


def listed(client: FlaskClient, **query: Any) -> list[int]:
    answer = client.get(PAGE, query_string=query, headers=FRAGMENT)
    assert answer.status_code == 200
    return [int(number) for number in re.findall(rf'href="{PAGE}/(\d+)"', answer.text)]


def test_all_of_them_with_their_states(signed_in: FlaskClient, make_message: Make) -> None:
    assert "No mail was written yet" in signed_in.get(PAGE).text
    sent = make_message(kind="owner_booking_requested")
    failed = make_message(MessageState.FAILED, reason="The server said no.", recipient="other@acme.example")
    assert listed(signed_in) == [failed.id, sent.id]
    assert listed(signed_in, state="failed") == [failed.id]
    assert listed(signed_in, q="OTHER@") == [failed.id]
    assert listed(signed_in, q="consultation is") == [failed.id, sent.id]
    page = signed_in.get(PAGE).text
    for words in ("Notice to you of a request", "The server said no.", "Your consultation is confirmed"):
        assert words in page


@pytest.mark.parametrize("query", ["state=xyz", "page=-1", "page=" + "9" * 60, "q=%ff%25"])
def test_whatever_the_url_says_there_is_a_page(signed_in: FlaskClient, make_message: Make, query: str) -> None:
    make_message()
    assert signed_in.get(f"{PAGE}?{query}").status_code == 200


def test_a_message_shows_its_words_once_it_has_some(signed_in: FlaskClient, make_message: Make) -> None:
    written = make_message()
    waiting = make_message(MessageState.PENDING, is_rendered=False, recipient="x@acme.example")
    assert f'src="{PAGE}/{written.id}/preview"' in signed_in.get(f"{PAGE}/{written.id}").text
    assert "just before it is sent" in signed_in.get(f"{PAGE}/{waiting.id}").text
    assert signed_in.get(f"{PAGE}/{waiting.id}/preview").status_code == 404


@pytest.mark.parametrize("number", ["99", str(2**63), "x"])
@pytest.mark.parametrize("beneath", ["", "/preview", "/sending"])
def test_a_message_that_is_not_there_is_a_404(signed_in: FlaskClient, number: str, beneath: str) -> None:
    assert signed_in.get(f"{PAGE}/{number}{beneath}").status_code == 404


@pytest.mark.parametrize("state", [MessageState.FAILED, MessageState.UNKNOWN])
def test_before_it_is_sent_again_one_reads_what_that_does_and_to_whom(
    signed_in: FlaskClient, make_message: Make, state: MessageState
) -> None:
    booking = make_booking()
    message = make_message(state, booking_id=booking.id)
    page = signed_in.get(f"{PAGE}/{message.id}/sending").text
    assert "priya@acme.example" in page
    assert "Your consultation is confirmed" in page
    assert "Confirmed" in page
    assert ("arrives twice" in page) is (state is MessageState.UNKNOWN)


def test_sent_again_it_leaves_in_the_words_it_had(signed_in: FlaskClient, make_message: Make) -> None:
    message = make_message(MessageState.FAILED, attempts=10, reason="The server said no.")
    url = f"{PAGE}/{message.id}"
    answer = forms.submit(signed_in, f"{url}/sending")
    assert (answer.status_code, answer.location) == (303, url)
    assert "is queued" in signed_in.get(url).text
    assert [job.func_name for job in jobs.queue("mail").jobs] == ["hds.mail.jobs.deliver"]
    deliver(message.id)
    assert message.state is MessageState.SENT
    assert b"Until Tuesday." in (mailbox_folder() / f"{message.id}.eml").read_bytes()


@pytest.mark.parametrize("state", [s for s in MessageState if s not in {MessageState.FAILED, MessageState.UNKNOWN}])
def test_what_left_waits_or_is_of_no_use_is_not_sent_again(
    signed_in: FlaskClient, make_message: Make, state: MessageState
) -> None:
    message = make_message(MessageState.FAILED)
    url = f"{PAGE}/{message.id}/sending"
    typed = forms.fields(signed_in.get(url).text, url)
    message.state = state  # meanwhile
    assert signed_in.post(url, data=typed).status_code == 303
    assert f"is {state} by now" in signed_in.get(PAGE).text
    assert message.state is state
    assert jobs.queue("mail").job_ids == []
    assert signed_in.get(url).location == f"{PAGE}/{message.id}"
