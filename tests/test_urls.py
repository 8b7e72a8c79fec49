"""Who may use each URL. One that is missing here fails, so that nobody adds a door without saying for whom."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from tests import forms
from tests.factories import make_booking

PUBLIC, STAFF, SIGNED = "public", "staff", "signed"  # signed: by the sender's secret, over the body

WHO = {
    "/": PUBLIC,
    "/faq": PUBLIC,
    "/faq/<slug>": PUBLIC,
    "/privacy": PUBLIC,
    "/theme": PUBLIC,
    "/components": PUBLIC,
    "/services": PUBLIC,
    "/services/fit": PUBLIC,
    "/services/<slug>": PUBLIC,
    "/book-consultation": PUBLIC,
    "/book-consultation/<slug>": PUBLIC,
    "/book-consultation/<slug>/times": PUBLIC,
    "/book-consultation/<slug>/elsewhere": PUBLIC,
    "/book-consultation/<slug>/details": PUBLIC,
    "/book-consultation/<slug>/hold": PUBLIC,
    "/book-consultation/<slug>/hold/end": PUBLIC,
    "/book-consultation/<slug>/done/<token>": PUBLIC,
    "/book-consultation/<slug>/done/<token>/news": PUBLIC,
    "/book-consultation/<slug>/done/<token>/calendar.ics": PUBLIC,
    "/bookings/<token>": PUBLIC,  # which is signed for one person
    "/bookings/<token>/looks": PUBLIC,
    "/bookings/<token>/move": PUBLIC,
    "/bookings/<token>/move/rebooking": PUBLIC,
    "/bookings/<token>/move/times": PUBLIC,
    "/bookings/<token>/move/choice": PUBLIC,
    "/bookings/<token>/move/confirmation": PUBLIC,
    "/bookings/<token>/cancellation": PUBLIC,
    "/healthz": PUBLIC,
    "/sitemap.xml": PUBLIC,
    "/robots.txt": PUBLIC,
    "/site.webmanifest": PUBLIC,
    "/favicon.ico": PUBLIC,
    "/apple-touch-icon.png": PUBLIC,
    "/icon-<int:size>.png": PUBLIC,
    "/pictures/<version>/<path:page>.png": PUBLIC,
    "/api/webhooks/<name>": SIGNED,
    "/api/events": PUBLIC,
    "/admin/sign-in": PUBLIC,
    "/admin": STAFF,
    "/admin/sign-out": STAFF,
    "/admin/password": STAFF,
    "/admin/analytics": STAFF,
    "/admin/bookings": STAFF,
    "/admin/bookings/<int:booking_id>": STAFF,
    "/admin/bookings/<int:booking_id>/<any:act>": STAFF,
    "/admin/bookings/<int:booking_id>/looks": STAFF,
    "/admin/bookings/<int:booking_id>/move/time": STAFF,
    "/admin/bookings/<int:booking_id>/move/times": STAFF,
    "/admin/bookings/<int:booking_id>/seats/<int:seat>/<any:act>": STAFF,
    "/admin/bookings/<int:booking_id>/seats/<int:seat>/move/time": STAFF,
    "/admin/bookings/<int:booking_id>/seats/<int:seat>/move/times": STAFF,
    "/admin/bookings/calendar": STAFF,
    "/admin/bookings/reconciliation": STAFF,
    "/admin/deliveries": STAFF,
    "/admin/deliveries/<int:delivery_id>": STAFF,
    "/admin/deliveries/<int:delivery_id>/replay": STAFF,
    "/admin/deliveries/replays": STAFF,
    "/admin/services": STAFF,
    "/admin/cal": STAFF,
    "/admin/cal/checks": STAFF,
    "/admin/cal/looks": STAFF,
    "/admin/cal/event-types": STAFF,
    "/admin/cal/changes": STAFF,
    "/admin/messages": STAFF,
    "/admin/messages/<int:message_id>": STAFF,
    "/admin/messages/<int:message_id>/preview": STAFF,
    "/admin/messages/<int:message_id>/sending": STAFF,
    "/admin/mailbox": STAFF,
    "/admin/mailbox/<name>": STAFF,
    "/admin/mailbox/<name>/preview": STAFF,
}
VALUES = {"act": "cancellation", "slug": "strategy-consultation", "name": "1.eml", "token": "x"}


def spelled(rule: Rule) -> str:
    """The rule without its converters' options: <int(max=9):booking_id> is <int:booking_id>."""
    return re.sub(r"\([^)]*\)", "", rule.rule)


def path(url: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: VALUES.get(found[1], "1"), url)


def urls(who: str, method: str, app: Flask) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        if WHO.get(spelled(rule)) == who and method in (rule.methods or set()):
            yield path(spelled(rule))


def test_every_url_says_who_may_use_it(app: Flask) -> None:
    assert {spelled(rule) for rule in app.url_map.iter_rules()} == set(WHO)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_strangers_are_sent_to_sign_in_and_see_nothing(app: Flask, client: FlaskClient, method: str) -> None:
    make_booking()
    for url in urls(STAFF, method, app):
        answer = client.open(f"{url}?q=priya", method=method)
        assert answer.status_code == 303, url
        sign_in = urlsplit(answer.location)
        assert (sign_in.path, parse_qs(sign_in.query)) == ("/admin/sign-in", {"next": [f"{url}?q=priya"]})
        assert "Priya" not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"


def test_strangers_post_nothing_even_with_a_token(app: Flask, client: FlaskClient) -> None:
    token = forms.fields(client.get("/admin/sign-in").text, "/admin/sign-in")["csrf_token"]
    for url in urls(STAFF, "POST", app):
        answer = client.post(url, data={"csrf_token": token})
        assert (answer.status_code, answer.location) == (303, "/admin/sign-in"), url


def test_a_strangers_fragment_sends_the_whole_page_to_sign_in(app: Flask, client: FlaskClient) -> None:
    for url in urls(STAFF, "GET", app):
        answer = client.get(url, headers={"HX-Request": "true", "HX-Request-Type": "partial"})
        assert (answer.status_code, answer.data) == (204, b""), url
        assert answer.headers["HX-Redirect"].startswith("/admin/sign-in?next=")


@pytest.mark.parametrize(
    "url", ["/admin/", "/admin/nothing", "/admin/bookings/", "/admin/bookings/x", "/admin//bookings"]
)
def test_strangers_do_not_learn_which_pages_there_are(client: FlaskClient, url: str) -> None:
    answer = client.get(url, follow_redirects=True)
    assert answer.request.path == "/admin/sign-in"


def test_no_staff_url_takes_a_post_without_a_token(app: Flask, signed_in: FlaskClient) -> None:
    for url in urls(STAFF, "POST", app):
        assert signed_in.post(url).status_code == 400, url


def test_everybody_may_read_what_is_public(app: Flask, client: FlaskClient, strategy: object) -> None:
    for url in urls(PUBLIC, "GET", app):
        answer = client.get(url)
        assert answer.status_code not in {401, 403, 500}, url
        assert "sign-in" not in (answer.location or ""), url


def test_what_is_signed_refuses_what_is_not(app: Flask, client: FlaskClient) -> None:
    for url in urls(SIGNED, "POST", app):
        assert client.post(url.replace("1.eml", "cal"), data=b"{}").status_code == 401
