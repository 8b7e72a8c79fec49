"""What the clock calls, a line each. `every` zero: at each tick (CLOCK_TICK_SECONDS, 15 s by default)."""

from datetime import timedelta

from hds.analytics import jobs as analytics
from hds.bookings import free_times, reconcile
from hds.lib.clock import Line
from hds.mail import jobs as mail
from hds.services import jobs as services
from hds.webhooks import jobs as webhooks

EACH_TICK = timedelta(0)

LINES = (
    Line("inbox: ring for what waits", EACH_TICK, webhooks.ring_for_waiting),
    Line("outbox: ring for what waits", EACH_TICK, mail.ring_for_waiting),
    Line("free times: drop what has passed", EACH_TICK, free_times.drop_gone),
    Line("free times: ring for a look at Cal.com", timedelta(minutes=1), free_times.ring_for_refresh),
    Line("bookings: ring for a look at Cal.com", EACH_TICK, reconcile.ring_for_due),
    Line("event types: ring for a look at Cal.com", timedelta(minutes=1), services.ring_for_look),
    Line("visits: ring for the sums of what is over", timedelta(hours=1), analytics.ring),
)
