"""The components that forms and lists are made of."""

from typing import Any

import pytest
from flask import Flask, get_template_attribute
from flask.testing import FlaskClient
from flask_wtf import FlaskForm
from wtforms import EmailField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from hds.app import create_app
from tests import html


class Form(FlaskForm):  # type: ignore[misc]
    name = StringField("Your name", [InputRequired("Enter your name.")])
    email = EmailField("Your address")
    how = RadioField(
        "How?", [InputRequired("Choose one.")], choices=[SelectChoice("v", "Video"), SelectChoice("p", "Phone")]
    )


@pytest.fixture
def form(app: Flask) -> Any:
    with app.test_request_context():
        form = Form(formdata=None, meta={"csrf": False})
        form.validate()
        yield form


def macro(file: str, name: str) -> Any:
    return get_template_attribute(f"components/{file}.html", name)


def test_an_error_is_tied_to_its_field(form: Any) -> None:
    text = macro("forms", "field")(form.name, hint="As we shall greet you", autocomplete="name")
    html.check(text, fragment=True)
    assert 'aria-invalid="true"' in text
    assert 'aria-describedby="name-hint name-error"' in text
    assert 'autocomplete="name"' in text
    assert 'id="name-error">Enter your name.' in text
    assert "(optional)" not in text


def test_a_field_that_need_not_be_filled_says_so(form: Any) -> None:
    text = macro("forms", "field")(form.email)
    assert "(optional)" in text
    assert "aria-invalid" not in text


def test_radios_are_a_group_with_a_name(form: Any) -> None:
    text = macro("forms", "field")(form.how)
    html.check(text, fragment=True)
    assert "<legend>How?</legend>" in text
    assert text.count('type="radio"') == 2


def test_the_summary_leads_to_each_field(form: Any) -> None:
    summary = macro("forms", "error_summary")(form)
    fields = "".join(macro("forms", "field")(field) for field in form)
    assert "autofocus" in summary
    assert 'tabindex="-1"' in summary
    for anchor in ("name", "how-0"):
        assert f'href="#{anchor}"' in summary
        assert f'id="{anchor}"' in fields


def test_a_state_is_a_word_and_never_colour_alone(app: Flask) -> None:
    badge = macro("display", "badge")
    assert badge("no_show") == '<span class="badge" data-tone="attention">No show</span>'
    assert 'data-tone="quiet"' in badge("never_heard_of")


def test_pages_of_a_list_keep_its_filters(app: Flask) -> None:
    with app.test_request_context():
        text = macro("navigation", "pagination")(5, 500, "pages.faq", q="free")
    assert text.count("…") == 2
    assert "/faq?page=6&amp;q=free" in text
    assert "page=500" in text
    assert "page=250" not in text
    with app.test_request_context():
        assert macro("navigation", "pagination")(1, 1, "pages.faq").strip() == ""


@pytest.mark.parametrize("asked", ["", "?free=none", "?page=20", "?page=x", "?page=-3", "?page=999"])
def test_all_of_them_can_be_looked_at(client: FlaskClient, asked: str) -> None:
    assert client.get(f"/components{asked}").status_code == 200


def test_in_production_nobody_sees_them(make_settings: Any) -> None:
    production = make_settings(
        hds_env="production",
        secret_key="k" * 40,
        sandbox=False,
        site_url="https://site.example",
        contact_email="ann@site.example",
    )
    app = create_app(production)
    assert "components.index" not in app.view_functions
    assert "pages.home" in app.view_functions
