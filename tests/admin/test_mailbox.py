"""The mails that the local mailbox keeps, as they look and as they stand."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hds.mail.models import Message, MessageState
from hds.mail.transports import Mailbox, compose, mailbox_folder
from tests.factories import make_booking

PAGE = "/admin/mailbox"
Make = Callable[..., Message]


@pytest.fixture
def folder(app: Flask) -> Path:
    mailbox_folder().mkdir(parents=True, exist_ok=True)
    return mailbox_folder()


def deliver(message: Message) -> str:
    """Into the mailbox, as the worker does."""
    return Mailbox(mailbox_folder()).send(compose(message))


def test_without_a_mail_it_says_how_one_comes(signed_in: FlaskClient) -> None:
    assert "No mail yet" in signed_in.get(PAGE).text


def test_where_the_sandbox_plays_cal_com_it_says_whose_mails_are_not_there(
    signed_in: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "The sandbox, which plays Cal.com here, sends none" in signed_in.get(PAGE).text
    own_account = app.config["HDS"].model_copy(update={"sandbox": False})
    monkeypatch.setitem(app.jinja_env.globals, "settings", own_account)
    assert "The sandbox" not in signed_in.get(PAGE).text


def test_what_was_written_last_comes_first(signed_in: FlaskClient, make_message: Make) -> None:
    deliver(make_message(id=9, subject="The older"))
    deliver(make_message(id=10, subject="The newer", recipient="ω@acme.example"))
    page = signed_in.get(PAGE).text
    assert page.index("The newer") < page.index("The older")
    assert "priya@acme.example" in page
    assert "2 mails" in page


def test_many_mails_come_in_pages(signed_in: FlaskClient, make_message: Make) -> None:
    for number in range(27):
        deliver(make_message(subject=f"Mail number {number:02}"))
    assert "Mail number 26" in signed_in.get(PAGE).text
    assert "Mail number 01" not in signed_in.get(PAGE).text
    assert "Mail number 01" in signed_in.get(f"{PAGE}?page=2").text
    for query in ("page=-1", "page=999999999999999999999", "page=x"):
        assert signed_in.get(f"{PAGE}?{query}").status_code == 200


def test_a_mail_shows_its_head_its_text_and_itself(signed_in: FlaskClient, make_message: Make) -> None:
    booking = make_booking()
    message = make_message(booking_id=booking.id, subject="Résumé: <b>{{7*7}}</b> 価格", text="Until\nTuesday <b>.")
    name = deliver(message)
    answer = signed_in.get(f"{PAGE}/{name}")
    for words in (
        "Résumé: &lt;b&gt;{{7*7}}&lt;/b&gt; 価格",
        "priya@acme.example",
        "Until\nTuesday &lt;b&gt;.",
        f'src="{PAGE}/{name}/preview" sandbox',
        f"/admin/messages/{message.id}",
        f"/admin/bookings/{booking.id}",
    ):
        assert words in answer.text
    assert answer.headers["Content-Security-Policy"].endswith("; frame-src 'self'")
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_only_pages_with_a_preview_may_hold_a_frame(signed_in: FlaskClient) -> None:
    assert "frame-src" not in signed_in.get(PAGE).headers["Content-Security-Policy"]


def test_the_preview_can_do_nothing_but_be_looked_at(signed_in: FlaskClient, make_message: Make) -> None:
    message = make_message()
    for url in (f"{PAGE}/{deliver(message)}/preview", f"/admin/messages/{message.id}/preview"):
        answer = signed_in.get(url)
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert policy[0] == "sandbox"
        assert {"default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "frame-ancestors 'self'"} <= set(
            policy
        )
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert 'style="color: #0b5563"' in answer.text


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"Subject: plain\n\nText <script>alert(1)</script>",
        b"Subject: =?utf-8?q?broken\nDate: yesterday\n\nx",
        b"Content-Type: text/html; charset=no-such-charset\n\n<p>\xe9</p>",
        b"Content-Type: multipart/alternative; boundary=x\n\n--x\n",
    ],
)
def test_a_file_that_is_no_proper_mail_is_shown_as_far_as_it_goes(
    signed_in: FlaskClient, folder: Path, raw: bytes
) -> None:
    (folder / "7.eml").write_bytes(raw)
    for url in (PAGE, f"{PAGE}/7.eml", f"{PAGE}/7.eml/preview"):
        answer = signed_in.get(url)
        assert answer.status_code == 200
    assert "<script>" not in signed_in.get(f"{PAGE}/7.eml/preview").text


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fsecret_key",
        "../secret_key",
        "..",
        ".1.draft",
        "1.draft",
        "1.eml%00.txt",
        "1.EML",
        "١.eml",
        "%2fetc%2fpasswd",
        "-1.eml",
        "9" * 300 + ".eml",
        "1",
        "2.eml",
        "1.eml%0A",
    ],
)
def test_only_mails_can_be_read_there(signed_in: FlaskClient, folder: Path, name: str) -> None:
    (folder / "1.eml").write_bytes(b"Subject: x\n\nx")
    (folder / ".1.draft").write_bytes(b"Subject: draft\n\nx")
    (folder.parent / "secret_key").write_text("very secret")
    for url in (f"{PAGE}/{name}", f"{PAGE}/{name}/preview"):
        answer = signed_in.get(url, follow_redirects=True)
        assert answer.status_code in {400, 404}
        assert "very secret" not in answer.text


def test_what_was_not_sent_stands_above_with_its_reason(signed_in: FlaskClient, make_message: Make) -> None:
    for state in MessageState:
        make_message(state, recipient=f"{state}@acme.example", reason=f"Why {state}.")
    page = signed_in.get(PAGE).text
    for state in MessageState:
        assert (f"Why {state}." in page) is (state is not MessageState.SENT)
    assert page.index("Why failed.") < page.index("Why pending.")


def test_of_many_that_were_not_sent_the_worst_stand_there(signed_in: FlaskClient, make_message: Make) -> None:
    broken = make_message(MessageState.FAILED, reason="The server said no.")
    for number in range(12):
        make_message(MessageState.PENDING, recipient=f"{number}@acme.example")
    page = signed_in.get(PAGE).text
    assert "13 mails" in page
    assert f"/admin/messages/{broken.id}" in page
    assert "See all messages" in page
