"""Changing the password."""

from threading import Semaphore

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hds.accounts import models
from hds.accounts.models import TRIES, TRIES_PER_ADDRESS, SignInAttempt, Staff
from hds.extensions import db
from tests import forms
from tests.factories import PASSWORD

PAGE = "/admin/password"
NEW = "a river runs through it"


def change(client: FlaskClient, current: str = PASSWORD, new: str = NEW, again: str | None = None) -> object:
    return forms.submit(client, PAGE, current=current, new=new, again=new if again is None else again)


def test_other_sessions_end_and_this_one_goes_on(app: Flask, signed_in: FlaskClient, staff: Staff) -> None:
    elsewhere = app.test_client()
    forms.sign_in(elsewhere, staff.email)
    assert change(signed_in).status_code == 303
    assert "Your password is changed" in signed_in.get(PAGE).text
    assert elsewhere.get("/admin/bookings").status_code == 303
    assert forms.sign_in(elsewhere, staff.email).status_code == 422
    assert forms.sign_in(elsewhere, staff.email, NEW).status_code == 303


def test_a_password_that_was_chosen_is_not_replaced_by_the_next_start(app: Flask) -> None:
    generated = Staff.with_generated_password("owner@hudson.example")
    db.session.commit()
    client = app.test_client()
    forms.sign_in(client, "owner@hudson.example", generated)
    assert "Choose your own" in client.get(PAGE).text
    assert change(client, generated).status_code == 303
    assert Staff.with_generated_password("owner@hudson.example") is None


@pytest.mark.parametrize(
    ("current", "new", "again", "sentence"),
    [
        ("wrong horse battery", NEW, None, "The current password is not right."),
        (PASSWORD, "short", None, "Choose at least 12 characters."),
        (PASSWORD, "x" * 201, None, "Choose at most 200 characters."),
        (PASSWORD, NEW, "a river runs thrugh it", "The two new passwords are not the same."),
        (PASSWORD, "Owner@Hudson.example", None, "Your e-mail address is the first thing that others would try."),
        (PASSWORD, PASSWORD, None, "This is the password that you have now."),
        ("", "", "", "Choose a new password."),
    ],
)
def test_a_change_that_does_not_fit_is_explained_and_changes_nothing(
    app: Flask, signed_in: FlaskClient, staff: Staff, current: str, new: str, again: str | None, sentence: str
) -> None:
    answer = change(signed_in, current, new, again)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "<title>Error: Password" in answer.text
    assert forms.sign_in(app.test_client(), staff.email).status_code == 303
    assert signed_in.get("/admin/bookings").status_code == 200


def test_the_current_password_cannot_be_guessed_from_an_open_session(signed_in: FlaskClient) -> None:
    for _ in range(TRIES):
        assert change(signed_in, "wrong horse battery").status_code == 422
    answer = change(signed_in)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"]


def test_strangers_who_try_to_sign_in_do_not_keep_anybody_from_changing_the_password(
    signed_in: FlaskClient, staff: Staff
) -> None:
    for number in range(3 * TRIES_PER_ADDRESS):
        SignInAttempt.begin(staff.email, "127.0.0.1" if number % 2 else f"192.0.2.{number}")
    assert change(signed_in).status_code == 303


def test_while_too_many_passwords_are_verified_a_change_is_put_off(
    signed_in: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(models, "_hashes_at_once", Semaphore(0))
        patch.setattr(models, "LONGEST_WAIT", 0.05)
        for _ in range(TRIES + 1):
            answer = change(signed_in)
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert change(signed_in).status_code == 303


def test_a_password_may_hold_anything(app: Flask, signed_in: FlaskClient, staff: Staff) -> None:
    odd = "  пароль ☃ {{7*7}} 'x' "
    assert change(signed_in, new=odd).status_code == 303
    assert forms.sign_in(app.test_client(), staff.email, odd).status_code == 303
