"""Somebody who fills in the form of a time."""

import re
from typing import Any

from flask.testing import FlaskClient

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
PHONE = "+12025550123"


class Visitor:
    """Somebody at the form of one time."""

    def __init__(self, client: FlaskClient, start: str, slug: str = "strategy-consultation", zone: str = "UTC") -> None:
        self.client = client
        self.url = f"/book-consultation/{slug}/details?start={start}&zone={zone}"
        page = client.get(self.url)
        assert page.status_code == 200, page.headers
        self.fields = hidden_fields(page.text) | {"start": start}
        self.fields |= {"name": "Priya Natarajan", "email": "priya@acme.example", "place": "video"}

    def send(self, *, htmx: bool = False, **changes: str | None) -> Any:
        data = {name: value for name, value in (self.fields | changes).items() if value is not None}
        return self.client.post(self.url, data=data, headers=HTMX if htmx else {})


def hidden_fields(page: str) -> dict[str, str]:
    form = page[page.index("<form") :]
    found = re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"', form)
    return dict(found)
