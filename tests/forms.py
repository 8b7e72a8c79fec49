"""Forms sent as a browser without JavaScript sends them: the page is read, its hidden fields go along."""

from typing import Any

import html5lib
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.factories import PASSWORD


def submit(client: FlaskClient, page: str, action: str | None = None, **typed: Any) -> TestResponse:
    """Open the page, fill in its form that posts to `action` (the page's own address by default), and send it."""
    action = action or page.partition("?")[0]
    return client.post(action, data=fields(client.get(page).text, action) | typed)


def fields(page: str, action: str) -> dict[str, str]:
    """What the page's POST form to this address already holds."""
    root = html5lib.parse(page, namespaceHTMLElements=False)
    forms = [f for f in root.iter("form") if f.get("method") == "post" and f.get("action") == action]
    assert forms, f"no form that posts to {action}"
    inputs = [field for field in forms[0].iter("input") if field.get("name")]
    return {field.get("name"): field.get("value", "") for field in inputs}


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD, **further: str) -> TestResponse:
    return submit(client, "/admin/sign-in", email=email, password=password, **further)
