"""A mail as it looks, in a frame that can do nothing: no script, no form, nothing loaded from anywhere."""

from flask import Response, make_response
from markupsafe import Markup

from hds.headers import CONTENT_SECURITY_POLICY

FRAME_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
PLAIN = Markup(
    '<!doctype html><html lang="en"><head><title>{0}</title></head><body><h1>{0}</h1><pre>{1}</pre></body></html>'
)


def preview(html: str | None, subject: str, text: str) -> Response:
    """A response of its own, for a frame of ours alone; a mail without HTML shows its text."""
    response = make_response(html or PLAIN.format(subject, text))
    response.headers["Content-Security-Policy"] = FRAME_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def with_frame(page: str) -> Response:
    """A page that may show a frame of this site: the only ones that may."""
    response = make_response(page)
    response.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
    return response
