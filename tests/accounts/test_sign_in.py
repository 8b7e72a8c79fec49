"""Who gets in, who does not, and what a session is worth."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Semaphore, Thread

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from hds.accounts import models
from hds.accounts.models import TRIES, TRIES_PER_ACCOUNT, TRIES_PER_ADDRESS, SignInAttempt, Staff
from hds.accounts.views import local_path
from hds.app import create_app
from hds.config import Settings
from hds.extensions import db
from hds.lib.times import utcnow
from hds.webhooks import inbox
from tests import forms, https
from tests.factories import PASSWORD, StaffFactory

PAGE = "/admin/sign-in"


def tried() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(SignInAttempt)) or 0


def test_the_right_password_opens_the_bookings(client: FlaskClient, staff: Staff) -> None:
    answer = forms.sign_in(client, staff.email)
    assert (answer.status_code, answer.location) == (303, "/admin/bookings")
    assert client.get("/admin/bookings").status_code == 200


def test_over_https_one_signs_in_without_a_referer(make_settings: Callable[..., Settings], staff: Staff) -> None:
    with https.browser(make_settings) as browser:
        assert forms.sign_in(browser, staff.email).status_code == 303
        assert browser.get("/admin/bookings").status_code == 200


def test_the_address_may_be_typed_in_any_case_with_spaces(client: FlaskClient, staff: Staff) -> None:
    assert forms.sign_in(client, f"  {staff.email.upper()} ").status_code == 303


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("owner@hudson.example", "wrong horse battery"),
        ("nobody@hudson.example", PASSWORD),
        ("owner@hudson.example\0", "wrong horse battery"),
        ("own\0er", PASSWORD),
        ("Ω@hudson.example", "\0\0"),
    ],
)
def test_whoever_does_not_fit_gets_one_and_the_same_sentence(
    client: FlaskClient, staff: Staff, email: str, password: str
) -> None:
    answer = forms.sign_in(client, email, password)
    assert answer.status_code == 422
    assert "The e-mail address or the password is not right." in answer.text
    assert "<title>Error: Sign in" in answer.text
    assert client.get("/admin/bookings").status_code == 303


def test_what_was_typed_stays_but_never_the_password(client: FlaskClient, staff: Staff) -> None:
    answer = forms.sign_in(client, "owner@hudson.exmaple", "a secret that I typed")
    assert "owner@hudson.exmaple" in answer.text
    assert "a secret that I typed" not in answer.text


@pytest.mark.parametrize("typed", [{"email": "", "password": ""}, {"email": "a" * 400, "password": "b" * 400}])
def test_an_empty_or_endless_form_is_no_try(client: FlaskClient, staff: Staff, typed: dict[str, str]) -> None:
    assert forms.submit(client, PAGE, **typed).status_code == 422
    assert tried() == 0


def test_disabled_staff_neither_sign_in_nor_stay(client: FlaskClient, staff: Staff, signed_in: FlaskClient) -> None:
    staff.disabled_at = utcnow()
    db.session.commit()
    assert forms.sign_in(client, staff.email).status_code == 422
    assert signed_in.get("/admin/bookings").status_code == 303


def test_too_many_tries_close_the_account_for_a_while_even_for_the_right_password(
    client: FlaskClient, staff: Staff
) -> None:
    for _ in range(TRIES):
        assert forms.sign_in(client, staff.email, "wrong horse battery").status_code == 422
    answer = forms.sign_in(client, staff.email)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "900"
    assert "Wait 15 minutes" in answer.text
    db.session.execute(SignInAttempt.__table__.update().values(created_at=utcnow() - timedelta(minutes=16)))
    assert forms.sign_in(client, staff.email).status_code == 303


def test_too_many_tries_from_one_address_close_it_for_every_account(client: FlaskClient, staff: Staff) -> None:
    for number in range(TRIES_PER_ADDRESS):
        forms.sign_in(client, f"guess{number}@hudson.example", "wrong horse battery")
    assert forms.sign_in(client, staff.email).status_code == 429
    client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert forms.sign_in(client, staff.email).status_code == 303


def test_strangers_close_the_account_for_themselves_alone(client: FlaskClient, staff: Staff) -> None:
    """Its e-mail address stands in every footer."""
    client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    for _ in range(TRIES):
        forms.sign_in(client, staff.email, "wrong horse battery")
    assert forms.sign_in(client, staff.email).status_code == 429
    client.environ_base["REMOTE_ADDR"] = "192.0.2.8"
    assert forms.sign_in(client, staff.email).status_code == 303


def test_guesses_from_many_addresses_close_the_account_in_the_end(client: FlaskClient, staff: Staff) -> None:
    for number in range(TRIES_PER_ACCOUNT):
        assert SignInAttempt.begin(staff.email, f"192.0.2.{number}")
    assert SignInAttempt.begin(staff.email, "198.51.100.1") is None
    assert forms.sign_in(client, staff.email).status_code == 429


def test_whoever_has_a_network_of_ipv6_has_one_address(app: Flask) -> None:
    for number in range(TRIES):
        assert SignInAttempt.begin("a@b.example", f"2001:db8:1:2::{number:x}")
    assert SignInAttempt.begin("a@b.example", "2001:db8:1:2:ffff::") is None
    assert SignInAttempt.begin("a@b.example", "2001:db8:1:3::")


def test_refused_tries_neither_count_nor_lengthen_the_wait(app: Flask) -> None:
    with time_machine.travel(utcnow(), tick=False) as clock:
        for _ in range(3 * TRIES):
            SignInAttempt.begin("owner@hudson.example", "192.0.2.7")
        clock.shift(timedelta(minutes=14))
        assert SignInAttempt.begin("owner@hudson.example", "192.0.2.7") is None
        assert tried() == TRIES
        clock.shift(timedelta(minutes=2))
        assert SignInAttempt.begin("owner@hudson.example", "192.0.2.7")


def test_while_too_many_passwords_are_verified_nobody_waits_and_nothing_counts(
    client: FlaskClient, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threads that verify passwords take the webhooks too."""
    with monkeypatch.context() as patch:
        patch.setattr(models, "_hashes_at_once", Semaphore(0))
        patch.setattr(models, "LONGEST_WAIT", 0.05)
        for _ in range(TRIES + 1):
            answer = forms.sign_in(client, staff.email)
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
            assert "Try again in a few seconds" in answer.text
    assert tried() == 0
    assert forms.sign_in(client, staff.email).status_code == 303


def test_signing_in_forgets_the_tries_before(client: FlaskClient, staff: Staff) -> None:
    for _ in range(TRIES - 1):
        forms.sign_in(client, staff.email, "wrong horse battery")
    assert forms.sign_in(client, staff.email).status_code == 303
    assert tried() == 0


def test_tries_at_the_same_time_all_count(app: Flask, staff: Staff) -> None:
    tries, statuses = 12, []
    barrier = Barrier(tries)

    def guess() -> None:
        client = app.test_client()
        typed = forms.fields(client.get(PAGE).text, PAGE) | {"email": "owner@hudson.example", "password": "wrong one"}
        barrier.wait()
        statuses.append(client.post(PAGE, data=typed).status_code)

    threads = [Thread(target=guess) for _ in range(tries)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(422) <= TRIES
    assert tried() == statuses.count(422)  # the others left nothing behind
    assert statuses.count(422) + statuses.count(429) == tries


def test_a_session_from_before_is_not_taken_over(client: FlaskClient, staff: Staff) -> None:
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    page = client.get(PAGE).text
    before = forms.fields(page, PAGE)["csrf_token"]
    cookie = client.get_cookie("session")
    forms.sign_in(client, staff.email)
    with client.session_transaction() as session:
        assert "planted" not in session
    assert client.get_cookie("session") != cookie
    assert client.post("/admin/sign-out", data={"csrf_token": before}).status_code == 400


def test_signing_out_ends_copies_of_the_session_too(app: Flask, signed_in: FlaskClient) -> None:
    copy = app.test_client()
    copy.set_cookie("session", signed_in.get_cookie("session").value)
    assert copy.get("/admin/bookings").status_code == 200
    answer = forms.submit(signed_in, "/admin/bookings", "/admin/sign-out")
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert "signed out" in signed_in.get(PAGE).text
    for browser in (signed_in, copy):
        assert browser.get("/admin/bookings").status_code == 303


def test_who_is_signed_in_need_not_again(signed_in: FlaskClient) -> None:
    assert signed_in.get(PAGE).location == "/admin/bookings"


def test_a_session_of_a_deleted_or_forged_account_is_none(app: Flask, signed_in: FlaskClient, staff: Staff) -> None:
    with signed_in.session_transaction() as session:
        session["_user_id"] = f"{staff.id}:{'0' * 32}"
    assert signed_in.get("/admin/bookings").status_code == 303
    stranger = app.test_client()
    for planted in ("", "x:y", "99:y"):
        with stranger.session_transaction() as session:
            session["_user_id"] = planted
        assert stranger.get("/admin/bookings").status_code == 303


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(client: FlaskClient, staff: Staff) -> None:
    cookie = forms.sign_in(client, staff.email).headers["Set-Cookie"]
    assert cookie.startswith("session=")
    for flag in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert flag in cookie
    assert "Domain" not in cookie


def test_with_https_the_cookie_is_bound_to_this_host(app: Flask, make_settings: Callable[..., Settings]) -> None:
    https = create_app(make_settings(site_url="https://hudson.example"))
    https.test_client_class = app.test_client_class
    cookie = https.test_client().get(PAGE, base_url="https://hudson.example").headers["Set-Cookie"]
    inbox.hang_up()
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_one_goes_on_to_where_one_wanted_to(client: FlaskClient, staff: Staff) -> None:
    wanted = "/admin/bookings?status=confirmed&q=Zo%C3%AB"
    turned_away = client.get(wanted)
    assert turned_away.status_code == 303
    answer = forms.submit(client, turned_away.location, PAGE, email=staff.email, password=PASSWORD)
    assert answer.location == wanted


HOSTILE = [
    "//evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/admin\\..\\..\\evil.example",
    "/admin@evil.example",
    "/admin.evil.example",
    "/administrator",
    "///evil.example/admin",
    "/%09/evil.example",
    "\t//evil.example",
    " /admin/bookings",
    "/admin/\nSet-Cookie: a=b",
    "/admin/bookings\r\nX: y",
    "/admin/\x00",
    "javascript:alert(1)",
    "/",
    "admin/bookings",
    "/admin/\u2028",
]


@pytest.mark.parametrize("target", HOSTILE)
def test_nobody_is_sent_off_the_site_after_signing_in(client: FlaskClient, staff: Staff, target: str) -> None:
    assert local_path(target) is None
    assert forms.sign_in(client, staff.email, next=target).location == "/admin/bookings"


def test_nothing_that_is_answered_here_is_kept_by_a_cache(client: FlaskClient, signed_in: FlaskClient) -> None:
    for browser, url in ((client, PAGE), (client, "/admin/bookings"), (signed_in, "/admin/password")):
        assert browser.get(url).headers["Cache-Control"] == "no-store"


def test_a_session_lasts_from_the_last_page_of_the_admin(signed_in: FlaskClient) -> None:
    assert "Set-Cookie" in signed_in.get("/admin/bookings").headers


def test_a_session_ends_a_week_after_signing_in_however_busy_it_is(app: Flask, staff: Staff) -> None:
    client = app.test_client()
    with time_machine.travel(utcnow(), tick=False) as clock:
        forms.sign_in(client, staff.email)
        for _ in range(15):  # 165 of the 168 hours
            clock.shift(timedelta(hours=11))
            assert client.get("/admin/bookings").status_code == 200
        clock.shift(timedelta(hours=3))
        assert client.get("/admin/bookings").location.startswith(PAGE)
        assert client.get(PAGE).status_code == 200
        assert forms.sign_in(client, staff.email).status_code == 303


def test_a_session_that_does_not_say_when_it_began_is_over(signed_in: FlaskClient) -> None:
    with signed_in.session_transaction() as session:
        del session["signed_in_at"]
    assert signed_in.get("/admin/bookings").status_code == 303


def test_a_session_ends_twelve_hours_after_the_last_page(app: Flask, staff: Staff) -> None:
    client = app.test_client()
    with time_machine.travel(utcnow(), tick=False) as clock:
        forms.sign_in(client, staff.email)
        clock.shift(timedelta(hours=13))
        assert client.get("/admin/bookings").status_code == 303


def test_a_public_page_carries_nobodys_session(app: Flask, signed_in: FlaskClient) -> None:
    """Its Vary names cookies because of the theme alone."""
    answer = signed_in.get("/faq")
    assert "Set-Cookie" not in answer.headers
    assert answer.data == app.test_client().get("/faq").data


@pytest.mark.parametrize("headers", [{}, {"HX-Request-Type": "partial"}])
def test_a_form_without_its_token_is_refused_kindly(client: FlaskClient, staff: Staff, headers: dict[str, str]) -> None:
    answer = client.post(PAGE, data={"email": staff.email, "password": PASSWORD}, headers=headers)
    assert answer.status_code == 400
    assert "Reload the page" in answer.text
    assert answer.headers.get("HX-Retarget") == ("#alerts" if headers else None)


def test_hashing_leaves_the_database_to_others(app: Flask, staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite one transaction writes at a time: a flood of sign-ins must not stop the webhooks."""
    verified = []

    def verify(email: str, password: str) -> None:
        StaffFactory(email="written-meanwhile@hudson.example")
        verified.append(email)

    def in_a_thread(cls: type[Staff], email: str, password: str) -> None:
        def write() -> None:
            with app.app_context():
                verify(email, password)

        thread = Thread(target=write)
        Staff.by_email(email)
        thread.start()
        thread.join(5)

    monkeypatch.setattr(Staff, "sign_in", classmethod(in_a_thread))
    forms.sign_in(app.test_client(), staff.email)
    assert verified == [staff.email]
