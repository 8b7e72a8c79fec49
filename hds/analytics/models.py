"""Visits and steps, kept for VISITS_KEPT_DAYS, and the sums of each day, which stay."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hds.lib.models import Base, BigId, State, UTCDateTime

ANY = ""  # the service of a step that belongs to none, and of the sums over all


class FunnelStep(StrEnum):
    """How far somebody got. Each counts once per visit and service."""

    PAGE_VIEWED = "page_viewed"
    SERVICE_CHOSEN = "service_chosen"
    BOOKER_SHOWN = "booker_shown"
    SLOT_CHOSEN = "slot_chosen"
    DETAILS_GIVEN = "details_given"
    BOOKED = "booked"  # Cal.com told us so: by its answer, or by a webhook
    CONFIRMED = "confirmed"
    BOOKED_IN_FRAME = "booked_in_frame"  # only the visitor's browser said so
    BOOKER_FAILED = "booker_failed"


FUNNEL = (
    FunnelStep.PAGE_VIEWED,
    FunnelStep.SERVICE_CHOSEN,
    FunnelStep.BOOKER_SHOWN,
    FunnelStep.SLOT_CHOSEN,
    FunnelStep.DETAILS_GIVEN,
    FunnelStep.BOOKED,
    FunnelStep.CONFIRMED,
)


class Failure(StrEnum):
    """Why a booker failed somebody. The database knows these words too: another one needs a migration."""

    NONE = ""  # it did not
    TIMEOUT = "timeout"  # Cal.com's frame did not become ready in time
    REFUSED = "refused"  # it may not be shown in a frame
    BLOCKED = "blocked"  # the browser keeps its script or its cookies out
    FAILED = "failed"  # the frame itself said that it failed
    TAKEN = "taken"  # the time was gone
    NOT_ACCEPTED = "not_accepted"  # Cal.com said no to what was typed
    NO_ANSWER = "no_answer"  # Cal.com could not be asked
    OTHER = "other"  # whatever else a browser tells


def _reason_is_known() -> CheckConstraint:
    words = ", ".join(f"'{reason}'" for reason in Failure)
    return CheckConstraint(f"reason IN ({words})", name="reason_is_known")


class Visit(Base):
    """Somebody on one day. `first_*`, `utm_*` and `referrer`: what brought the first page; `last_*`: the last thing
    that brought them back that day, a link from elsewhere or a campaign. Empty: nothing was said."""

    __tablename__ = "visit"
    __table_args__ = (UniqueConstraint("day", "visitor"),)

    day: Mapped[date] = mapped_column(Date)
    visitor: Mapped[str] = mapped_column(String(32))
    first_path: Mapped[str] = mapped_column(String(200), default="")
    referrer: Mapped[str] = mapped_column(String(200), default="")
    utm_source: Mapped[str] = mapped_column(String(100), default="")
    utm_medium: Mapped[str] = mapped_column(String(100), default="")
    utm_campaign: Mapped[str] = mapped_column(String(150), default="")
    utm_term: Mapped[str] = mapped_column(String(150), default="")
    utm_content: Mapped[str] = mapped_column(String(150), default="")
    # Which kind alone (gclid, fbclid …): its value names one person to the network that sold the click.
    click_kind: Mapped[str] = mapped_column(String(20), default="")
    device: Mapped[str] = mapped_column(String(10), default="")
    language: Mapped[str] = mapped_column(String(10), default="")
    pages: Mapped[int] = mapped_column(default=0)
    first_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_came_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_referrer: Mapped[str] = mapped_column(String(200), default="")
    last_source: Mapped[str] = mapped_column(String(100), default="")
    last_medium: Mapped[str] = mapped_column(String(100), default="")
    last_campaign: Mapped[str] = mapped_column(String(150), default="")
    last_click_kind: Mapped[str] = mapped_column(String(20), default="")


class AnalyticsEvent(Base):
    """A step of a visit. `service` is a slug; `reason` only of a booker that failed."""

    __tablename__ = "analytics_event"
    __table_args__ = (
        UniqueConstraint("visit_id", "step", "service", "reason"),
        Index(None, "day", "step", "service", "reason", "visit_id"),  # the funnel of a day is read from this alone
        _reason_is_known(),
    )

    visit_id: Mapped[int] = mapped_column(BigId, ForeignKey("visit.id", ondelete="CASCADE"))
    day: Mapped[date] = mapped_column(Date)  # the visit's
    step: Mapped[FunnelStep] = mapped_column(State(FunnelStep))
    service: Mapped[str] = mapped_column(String(100), default=ANY)
    reason: Mapped[Failure] = mapped_column(State(Failure), default=Failure.NONE)
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class DailyFunnel(Base):
    """How many visits of a day, from one source, took a step. The rows with the service ANY count each visit once."""

    __tablename__ = "daily_funnel"
    __table_args__ = (
        UniqueConstraint("day", "step", "service", "reason", "source", "campaign"),
        _reason_is_known(),
    )

    day: Mapped[date] = mapped_column(Date)
    step: Mapped[FunnelStep] = mapped_column(State(FunnelStep))
    service: Mapped[str] = mapped_column(String(100), default=ANY)
    reason: Mapped[Failure] = mapped_column(State(Failure), default=Failure.NONE)
    source: Mapped[str] = mapped_column(String(200), default="")
    campaign: Mapped[str] = mapped_column(String(150), default="")
    visits: Mapped[int]


class Aspect(StrEnum):
    """What the visits of a day are told apart by, one at a time."""

    ALL = "all"
    FIRST_PATH = "first_path"
    REFERRER = "referrer"
    MEDIUM = "medium"
    CLICK = "click"
    DEVICE = "device"
    LANGUAGE = "language"


class DailyVisits(Base):
    """How many visits of a day were of one device, language, first page …"""

    __tablename__ = "daily_visits"
    __table_args__ = (UniqueConstraint("day", "aspect", "value"),)

    day: Mapped[date] = mapped_column(Date)
    aspect: Mapped[Aspect] = mapped_column(State(Aspect))
    value: Mapped[str] = mapped_column(String(200), default="")
    visits: Mapped[int]
    pages: Mapped[int]
