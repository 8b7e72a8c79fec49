"""/admin: the features' blueprints under one roof. accounts.views.require_sign_in decides who may come in."""

from typing import Any

from flask import Blueprint, Response

from hds.admin import acts, analytics, bookings, cal, calendar, deliveries, mailbox, messages, services, steps, words
from hds.config import settings
from hds.lib.htmx import redirect_to

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
for feature in (acts, analytics, bookings, cal, calendar, deliveries, mailbox, messages, services):
    blueprint.register_blueprint(feature.blueprint)


@blueprint.get("")
def index() -> Response:
    return redirect_to("/admin/bookings")


@blueprint.context_processor
def for_templates() -> dict[str, Any]:
    return {"words": words, "act_words": steps, "zone": settings.owner_zone}
