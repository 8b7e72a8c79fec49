"""The switch between light and dark: a form that works without JavaScript."""

import re
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, request

from hds.config import settings
from hds.extensions import csrf, limiter
from hds.lib import limits, theme
from hds.lib.htmx import wants_fragment

blueprint = Blueprint("theme", __name__)

# A path in plain printable characters: //host, backslashes, spaces and controls lead elsewhere in some browser.
LOCAL = re.compile(r"/(?!/)[\x21-\x5b\x5d-\x7e]*")


# Cached pages print no token, and who forges this changes nothing but what a page looks like.
csrf.exempt(blueprint)


@blueprint.post("/theme")
@limiter.limit(limits.THEME)
def choose() -> Response:
    choice = request.form.get("theme", "")
    # htmx stays where it is: what somebody has typed meanwhile is not lost.
    response = make_response("", 204) if wants_fragment() else make_response(redirect(where_they_were(), 303))
    theme.keep(response, choice, secure=settings.public_url.startswith("https://"))
    response.vary.add("HX-Request-Type")
    return response


def where_they_were() -> str:
    """The page that sent the form, with its query where the browser tells it; never another site."""
    came = urlsplit(request.referrer or "")
    told = came._replace(scheme="", netloc="", fragment="").geturl() if came.netloc == request.host else ""
    paths = (told, request.form.get("back", ""), "/")
    return next(path for path in paths if LOCAL.fullmatch(path) and path != request.path)
