"""Every component in each of its states, to look at while working on them. Not there in production."""

from datetime import datetime, time, timedelta

from flask import Blueprint, render_template, request
from wtforms import BooleanField, EmailField, Form, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the stubs are older
from wtforms.validators import InputRequired

from hds.bookings.availability import Openings
from hds.bookings.calendar import Wish
from hds.bookings.picker import Picker
from hds.config import settings
from hds.lib.times import utcnow
from hds.services.models import Service

blueprint = Blueprint("components", __name__)

ITEMS, PER_PAGE = 500, 25
STATES = ("confirmed", "requested", "cancelled", "no_show", "other")
HALF_HOURS = range(18, 46)  # from nine in the morning until half past ten at night
PLACES = [SelectChoice("video", "Video call"), SelectChoice("phone", "Phone")]
TOPICS = [SelectChoice("site", "My website"), SelectChoice("systems", "My systems")]


class Sample(Form):
    name = StringField("Your name", [InputRequired("Enter your name.")])
    email = EmailField("E-mail address", [InputRequired("Enter an address like ann@example.com.")])
    place = RadioField("How shall we meet?", [InputRequired("Choose one.")], choices=PLACES)
    topic = SelectField("Topic", choices=TOPICS)
    notes = TextAreaField("What would you like to talk about?")
    agreed = BooleanField("You may publish what I write")


@blueprint.get("/components")
def index() -> str:
    """?page= turns the pages of the long list, ?free=none empties the month."""
    wrong = Sample(prefix="wrong-")
    wrong.validate()
    page = min(max(request.args.get("page", 1, type=int), 1), ITEMS // PER_PAGE)
    first = (page - 1) * PER_PAGE
    shown = month(is_empty=request.args.get("free") == "none")
    return render_template(
        "components/index.html",
        form=Sample(),
        wrong=wrong,
        service=longest_service(),
        picker=Picker(shown, request.path, request.path, f"{request.path}/hold", forms=(), has_token=False),
        now=utcnow(),
        page=page,
        pages=ITEMS // PER_PAGE,
        rows=[(number, STATES[number % len(STATES)]) for number in range(first + 1, first + PER_PAGE + 1)],
    )


def longest_service() -> Service:
    """As long as an owner may reasonably write it. It is in no catalogue, and is never kept."""
    return Service(
        slug="strategy-consultation",
        name="Architecture, Infrastructure and Security Review for Growing Organisations",
        summary="Ninety minutes on what you run today, what it costs you, and what has to change, in which order.",
        duration_minutes=90,
        price_amount=1234500,
        price_currency="USD",
        meeting_places=["video", "phone", "in_person"],
        needs_approval=True,
    )


def month(*, is_empty: bool) -> Openings:
    """Next month: each weekday is free all day long, or none is."""
    zone = settings.owner_zone
    today = utcnow().astimezone(zone).date()
    first = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    wish = Wish(zone, today, first)
    if is_empty:
        return Openings(wish, {}, None, wish.last_day + timedelta(days=3))
    midnights = [datetime.combine(first + timedelta(days=n), time(), zone) for n in range(28)]
    days = {
        midnight.date(): [midnight + timedelta(minutes=30 * half) for half in HALF_HOURS]
        for midnight in midnights
        if midnight.weekday() < 5
    }
    return Openings(wish, days, min(days))
