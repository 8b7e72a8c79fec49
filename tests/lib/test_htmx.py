"""One view for htmx and for everybody else."""

import pytest

from hds.lib import htmx

PIECE = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.mark.parametrize(
    ("headers", "wants"),
    [
        ({}, False),
        (PIECE, True),
        ({"HX-Request": "true"}, False),
        ({"HX-Request": "true", "HX-Request-Type": "full"}, False),
        ({"HX-Request-Type": "<script>"}, False),
    ],
    ids=str,
)
def test_a_piece_is_sent_only_to_who_asks_for_a_piece(app, headers, wants):
    with app.test_request_context(headers=headers):
        assert htmx.wants_fragment() is wants


@pytest.mark.parametrize(("headers", "whole"), [({}, True), (PIECE, False)], ids=["browser", "htmx"])
def test_page_and_piece_come_from_one_address_and_caches_are_told(app, headers, whole):
    with app.test_request_context(headers=headers):
        words = {"status": 422, "title": "x", "advice": "y"}
        answer = htmx.render_page_or_fragment("errors/page.html", "errors/_message.html", **words)
    assert answer.status_code == 422
    assert ("<html" in answer.get_data(as_text=True)) is whole
    assert answer.headers["Vary"] == "HX-Request-Type"


def test_after_a_post_a_browser_is_sent_on(app):
    with app.test_request_context(method="POST"):
        answer = htmx.redirect_to("/done")
    assert (answer.status_code, answer.location) == (303, "/done")
    assert "HX-Redirect" not in answer.headers


def test_after_a_post_htmx_is_told_to_go_on(app):
    with app.test_request_context(method="POST", headers=PIECE):
        answer = htmx.redirect_to("/done")
    assert (answer.status_code, answer.headers["HX-Redirect"], answer.data) == (204, "/done", b"")
    assert answer.headers["Vary"] == "HX-Request-Type"
