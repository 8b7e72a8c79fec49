"""The booking page inside another site's frame: what it carries along, what it tells, and how it can fail."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest

from .conftest import DEEP_DIVE, FREE, MONDAY_TEN, Receiver, Sandbox

STRATEGY, PAID = "/hudson/strategy-consultation", "/hudson/deep-dive"
FRAMED = {"embed": "booking", "embedType": "inline", "theme": "dark"}
WORDS = {"hds-reference": "r-1", "hds-visit": "v-1"}
BROUGHT = WORDS | {f"metadata[{slug}]": word for slug, word in WORDS.items()}
PRIYA = {"cal.tz": "UTC", "name": "Priya Natarajan", "email": "priya@acme.example"}


def behave(sandbox: Sandbox, manner: str) -> None:
    sandbox.session.post(f"{sandbox.address}/host/frames", data={"manner": manner}, timeout=5)


def book(sandbox: Sandbox, path: str, **more: str) -> Any:
    """Fills in the form as it stands in the frame."""
    page = sandbox.session.get(
        f"{sandbox.address}{path}/embed", params=FRAMED | BROUGHT | {"slot": MONDAY_TEN}, timeout=5
    )
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return sandbox.session.post(f"{sandbox.address}{path}", data=hidden | PRIYA | more, timeout=5)


def told(page: str) -> dict[str, Any]:
    return json.loads(unescape(re.search(r'data-booked="([^"]*)"', page)[1]))


def test_the_page_is_the_same_with_a_script_and_the_frames_name(sandbox: Sandbox) -> None:
    answer = sandbox.session.get(f"{sandbox.address}{STRATEGY}/embed", params=FRAMED | BROUGHT, timeout=5)
    assert answer.status_code == 200
    assert 'data-name="booking"' in answer.text
    assert '<html lang="en" data-theme="dark">' in answer.text
    assert "a local stand-in for Cal.com" not in answer.text
    assert answer.headers["Content-Security-Policy"].endswith("script-src 'self'")
    assert "X-Frame-Options" not in answer.headers
    days = re.findall(r'<a href="([^"]+date=[^"]+)"', answer.text)
    assert days
    assert all("embed=booking" in link and "reference=r-1" in link for link in days)


def test_a_frame_may_have_an_empty_name_as_the_only_one_of_a_page_has(sandbox: Sandbox) -> None:
    answer = sandbox.session.get(f"{sandbox.address}{STRATEGY}/embed", params=FRAMED | {"embed": ""}, timeout=5)
    assert 'class="framed" data-name=""' in answer.text
    assert "embed=&" in unescape(answer.text)


def test_outside_of_a_frame_nothing_of_it_is_there(sandbox: Sandbox) -> None:
    answer = sandbox.page(STRATEGY)
    assert "<script" not in answer.text
    assert "script-src" not in answer.headers["Content-Security-Policy"]


def test_what_the_frame_brought_comes_back_with_the_webhook(posting: Sandbox, receiver: Receiver) -> None:
    page = book(posting, STRATEGY, topic="Our shop.")
    said = told(page.text)
    assert (said["eventTypeId"], said["status"], said["paymentRequired"]) == (FREE, "ACCEPTED", False)
    [body] = receiver.wait_for(1)
    payload = body["payload"]
    assert payload["uid"] == said["uid"]
    assert {key: payload["metadata"][key] for key in WORDS} == WORDS
    for slug, value in WORDS.items():
        assert payload["responses"][slug] == {"label": slug, "value": value, "isHidden": True}


def test_a_paid_one_says_so_and_its_payment_stays_in_the_frame(posting: Sandbox, receiver: Receiver) -> None:
    page = book(posting, PAID)
    said = told(page.text)
    assert (said["eventTypeId"], said["paymentRequired"]) == (DEEP_DIVE, True)
    action = unescape(re.search(r'<form method="post"[^>]* action="([^"]+)"', page.text)[1])
    paid = posting.session.post(posting.address + action, timeout=5)
    assert 'data-name="booking"' in paid.text
    assert "data-booked" not in paid.text
    bodies = receiver.wait_for(3)
    assert [body["triggerEvent"] for body in bodies] == [
        "BOOKING_PAYMENT_INITIATED",
        "BOOKING_PAID",
        "BOOKING_REQUESTED",
    ]
    assert "hds-reference" not in bodies[1]["payload"]["metadata"]
    assert bodies[2]["payload"]["responses"]["hds-reference"]["value"] == "r-1"


def test_errors_keep_the_frame(sandbox: Sandbox) -> None:
    page = book(sandbox, STRATEGY, name="")
    assert page.status_code == 422
    assert 'data-name="booking"' in page.text
    assert 'name="hds-reference" value="r-1"' in page.text


@pytest.mark.parametrize(
    ("manner", "status", "words"),
    [("silent", 200, ""), ("never_ready", 200, 'data-manner="never_ready"'), ("broken", 404, 'data-failed="404"')],
)
def test_it_fails_as_the_host_asked_for(sandbox: Sandbox, manner: str, status: int, words: str) -> None:
    behave(sandbox, manner)
    answer = sandbox.session.get(f"{sandbox.address}{STRATEGY}/embed", params=FRAMED, timeout=5)
    assert answer.status_code == status
    assert words in answer.text
    behave(sandbox, "works")
    assert sandbox.session.get(f"{sandbox.address}{STRATEGY}/embed", params=FRAMED, timeout=5).status_code == 200


def test_it_can_refuse_to_be_in_a_frame(sandbox: Sandbox) -> None:
    behave(sandbox, "refused")
    answer = sandbox.session.get(f"{sandbox.address}{STRATEGY}/embed", params=FRAMED, timeout=5)
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "refuses to be in a frame</option>" in sandbox.page("/host").text


def test_an_unknown_manner_works(sandbox: Sandbox) -> None:
    behave(sandbox, "nonsense")
    assert sandbox.session.get(f"{sandbox.address}{STRATEGY}/embed", params=FRAMED, timeout=5).status_code == 200
