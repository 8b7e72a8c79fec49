"""Answers for htmx 4 and for everybody else from one view."""

import json
from typing import Any

from flask import Response, make_response, redirect, render_template, request


def wants_fragment() -> bool:
    """htmx asks for a piece only with this header's value; a restored history entry asks for the whole page."""
    return request.headers.get("HX-Request-Type") == "partial"


def render_page_or_fragment(page: str, fragment: str, *, status: int = 200, **context: Any) -> Response:
    """The page, or only its fragment. Two bodies at one URL: Vary says so, or a cache hands out the wrong one."""
    response = make_response(render_template(fragment if wants_fragment() else page, **context), status)
    response.vary.add("HX-Request-Type")
    return response


def redirect_to(url: str, *, into: str = "") -> Response:
    """After a POST: 303 for a browser. fetch would follow that silently and swap a page into the fragment's place.

    `into`: the element (#booking) that the piece at that address takes the place of, without a reload.
    """
    if not wants_fragment():
        return make_response(redirect(url, 303))
    response = make_response("", 204)
    if into:
        response.headers["HX-Location"] = json.dumps({"path": url, "target": into})
    else:
        response.headers["HX-Redirect"] = url
    response.vary.add("HX-Request-Type")
    return response
