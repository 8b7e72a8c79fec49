"""The first rows of the catalogue. Only what is missing is written: the owner's edits stay."""

from typing import Any

from sqlalchemy import select

from hds.config import Settings
from hds.extensions import db
from hds.services.models import FaqEntry, Service

FREE = "strategy-consultation"
DEEP_DIVE = "deep-dive"
# What the sandbox calls its two event types where the settings name none.
SANDBOX_IDS = {FREE: 1001, DEEP_DIVE: 1002}

SERVICES: tuple[dict[str, Any], ...] = (
    {
        "slug": FREE,
        "name": "Free Strategy Consultation",
        "summary": "Half an hour on where you stand online, and what would help first.",
        "description": (
            "You show us your website and tell us what it should do for your business. We look at it with you, "
            "from the first visit to the money it brings in, and say what we would change first, and why.\n\n"
            "It is a conversation, not a sales call: you can take what you hear and do it yourself."
        ),
        "audience": "Owners and decision makers who want to improve their digital presence.",
        "benefits": [
            "A look at your digital presence",
            "A review of your revenue operations",
            "Opportunities for growth",
            "Advice on technology",
            "A roadmap of next steps",
        ],
        "duration_minutes": 30,
        "meeting_places": ["video", "phone"],
        "featured": True,
        "position": 1,
        "cal_event_slug": "strategy-consultation",
    },
    {
        "slug": DEEP_DIVE,
        "name": "Deep Dive Technical Consultation",
        "summary": "An hour on your systems, your architecture and the change ahead of you.",
        "description": (
            "You are about to rebuild, replace or move something large. We go through the systems you have, "
            "the architecture you plan and the people who will build it, and look for what could go wrong "
            "while it is still cheap to change.\n\n"
            "For one week afterwards you can write to us with the questions that come up."
        ),
        "audience": "CTOs and technical leads before a large change.",
        "benefits": [
            "An audit of your systems",
            "A review of your architecture",
            "A roadmap for the implementation",
            "Budget and timeline",
            "What your team will need",
            "One week of follow-up",
        ],
        "duration_minutes": 60,
        "price_amount": 15000,
        "price_currency": "USD",
        "needs_approval": True,
        "meeting_places": ["video"],
        "position": 2,
        "cal_event_slug": "deep-dive",
    },
)

QUESTIONS: tuple[dict[str, Any], ...] = (
    {
        "slug": "what-happens",
        "topic": "Before you book",
        "question": "What happens in the consultation?",
        "answer": (
            "You tell us where you stand and what you want to reach. We ask, look at it together with you, and say "
            "what we would do first and why. You leave with next steps that you can take with us, with somebody "
            "else or on your own."
        ),
        "position": 1,
    },
    {
        "slug": "really-free",
        "topic": "Before you book",
        "question": "Is the free consultation really free?",
        "answer": (
            "Yes. The Free Strategy Consultation costs nothing and commits you to nothing. Where a consultation has "
            "a price, you see it before you choose a time."
        ),
        "position": 2,
    },
    {
        "slug": "prepare",
        "topic": "After you have booked",
        "question": "How do I prepare?",
        "answer": (
            "Bring the address of your site, the one or two questions that matter most to you, and, if you can, the "
            "numbers you go by. You need not write anything beforehand."
        ),
        "position": 3,
    },
    {
        "slug": "reschedule",
        "topic": "After you have booked",
        "question": "What if I need to reschedule?",
        "answer": (
            "You can move or cancel your consultation up to 24 hours before it begins, by the link in your "
            "confirmation."
        ),
        "position": 4,
    },
    {
        "slug": "account",
        "topic": "Before you book",
        "question": "Do I need an account?",
        "answer": "No. Your name and your e-mail address are enough.",
        "position": 5,
    },
    {
        "slug": "time-zone",
        "topic": "Before you book",
        "question": "Which time zone are the times in?",
        "answer": (
            "The zone is always named beside them. Where you choose a time it is the one of your device, and you can "
            "choose another. Where your device does not say, it is ours."
        ),
        "position": 6,
    },
    {
        "slug": "payment",
        "topic": "Before you book",
        "question": "How do I pay?",
        "answer": (
            "Only a consultation with a price asks for a payment. Cal.com, the service that keeps our calendar, takes "
            "it when you book. We never see the number of your card."
        ),
        "position": 7,
    },
    {
        # Who gets money back, and when, is the owner's to say: until then it leads to them.
        "slug": "refund",
        "topic": "Before you book",
        "question": "Do I get a refund if it is cancelled or declined?",
        "answer": (
            "If a booking that you paid for is cancelled, or we decline it, write to us and say which time it was. "
            "You can also ask us before you book. The address stands at the end of each page."
        ),
        "position": 7,
    },
    {
        "slug": "no-time-fits",
        "topic": "Before you book",
        "question": "What if none of the times suits me?",
        "answer": "Write to us and say which days would be good. The address stands at the end of each page.",
        "position": 8,
    },
    {
        "slug": "confirmed",
        "topic": "After you have booked",
        "question": "When is my booking confirmed?",
        "answer": (
            "Some consultations are confirmed at once, others after we have looked at your request: each says which, "
            "before you choose a time. Either way a mail tells you."
        ),
        "position": 9,
    },
    {
        "slug": "where",
        "topic": "After you have booked",
        "question": "Where do we meet?",
        "answer": (
            "Each consultation says whether by video call, by phone or in person. For a video call the link comes "
            "by mail."
        ),
        "position": 10,
    },
    {
        "slug": "no-mail",
        "topic": "After you have booked",
        "question": "No confirmation came. What now?",
        "answer": (
            "Give it ten minutes and look in your spam folder. If nothing is there, write to us before you book "
            "again: your time may be booked already."
        ),
        "position": 11,
    },
    {
        "slug": "what-i-type",
        "topic": "About this site",
        "question": "What happens to what I type?",
        "answer": (
            "It goes to us and to Cal.com, which keeps our calendar. The privacy page, linked at the end of each page, "
            "says what is kept and for how long."
        ),
        "position": 12,
    },
    {
        "slug": "time-taken",
        "topic": "About this site",
        "question": "What if somebody takes my time while I fill in the form?",
        "answer": (
            "You see the nearest times that are free and choose one of them. What you typed stays where it is, and "
            "nothing is booked twice."
        ),
        "position": 13,
    },
    {
        "slug": "no-banner",
        "topic": "About this site",
        "question": "Why is there no cookie banner?",
        "answer": (
            "There is nothing to agree to. We count visits without cookies and without keeping your network address, "
            "and nothing is loaded from other companies until you open Cal.com’s calendar."
        ),
        "position": 14,
    },
    {
        "slug": "without-javascript",
        "topic": "About this site",
        "question": "Does this site work without JavaScript?",
        "answer": (
            "Yes: you can read everything, compare the services, search the questions and book on our pages. Only a "
            "consultation that is booked on Cal.com’s own page, because it has a price, needs JavaScript there."
        ),
        "position": 15,
    },
)


def seed(settings: Settings) -> None:
    """Insert what is missing, then give the two services the event types that the settings name. The caller commits.

    To take a service off the site, switch it off: a row that was deleted would come back at the next start.
    """
    _insert_missing(Service, SERVICES)
    _insert_missing(FaqEntry, QUESTIONS)
    db.session.flush()
    give_named(settings)


def give_named(settings: Settings) -> None:
    """Give the two services the event types that the settings name. The caller commits."""
    _connect(FREE, settings.cal_free_consultation_event_id, settings)
    _connect(DEEP_DIVE, settings.cal_deep_dive_event_id, settings)
    db.session.flush()


def _insert_missing(model: type[Service] | type[FaqEntry], rows: tuple[dict[str, Any], ...]) -> None:
    known = set(db.session.scalars(select(model.slug)))
    db.session.add_all(model(**row) for row in rows if row["slug"] not in known)


def _connect(slug: str, named: int | None, settings: Settings) -> None:
    service = db.session.scalar(select(Service).where(Service.slug == slug))
    if service is None:  # not seeded yet
        return
    wanted = named or (SANDBOX_IDS[slug] if settings.uses_sandbox and not service.cal_event_type_id else None)
    if not wanted or service.cal_event_type_id == wanted:
        return
    holder = db.session.scalar(select(Service).where(Service.cal_event_type_id == wanted))
    if holder and not named:
        return
    if holder:  # the setting decides, and an event type belongs to one service
        holder.belongs_to(None, None)
        db.session.flush()
    service.belongs_to(wanted, None)
    db.session.flush()
