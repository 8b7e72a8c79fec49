"""The worker's side of the inbox."""

from datetime import timedelta

import structlog
from rq.timeouts import JobTimeoutException

from hds.config import settings
from hds.extensions import db
from hds.lib import jobs
from hds.lib.due import claim, waiting
from hds.lib.logs import where
from hds.lib.models import only_reading
from hds.webhooks import senders
from hds.webhooks.models import InboxDelivery

log = structlog.get_logger(part="webhooks")
BATCH = 20
BATCHES = 10  # of one drain: then it is the mails' turn, and RQ's alarm never finds it still at work
ENOUGH_BELLS = 10  # one would do, but who drains now may have looked already


def drain() -> None:
    """Apply what waits, oldest first; where that is much, ring for the rest and let others have their turn.

    What was tried before is claimed alone: where one takes its worker down, only its own attempts count up with it.
    """
    lease = timedelta(seconds=2 * settings.clock_tick_seconds)
    is_new = InboxDelivery.attempts == 0
    for _ in range(BATCHES):
        ids = claim(InboxDelivery, lease, BATCH, where=is_new) or claim(InboxDelivery, lease)
        if not ids:
            return
        for delivery_id in ids:
            apply(delivery_id)
    jobs.ring("default", "hds.webhooks.jobs.drain")


def apply(delivery_id: int) -> None:
    """Understand one claimed delivery: its effects and its new state are one transaction."""
    delivery = db.session.get_one(InboxDelivery, delivery_id)
    sender = senders.find(delivery.sender)
    if delivery.is_worn_out:
        delivery.failed("It was tried again and again, and each time the worker ended in the middle.")
    elif sender is None:
        delivery.ignored(f"Nobody handles what {delivery.sender} sends.")
    else:
        try:
            sender.apply(delivery)
            db.session.flush()
        except JobTimeoutException:  # RQ's alarm is about the whole job, and this delivery may be innocent
            raise
        except Exception as error:  # whatever it is, the delivery stays and says so
            db.session.rollback()
            log.error("delivery not applied", id=delivery_id, **where(error))
            delivery = db.session.get_one(InboxDelivery, delivery_id)
            delivery.stumbled(f"It could not be applied ({type(error).__name__}).")
    state = delivery.state
    db.session.commit()
    log.info("delivery", id=delivery_id, state=state)


def ring_for_waiting() -> None:
    """The clock's line: rows that no bell was heard for, or whose worker died."""
    with only_reading():  # nobody's write waits while we ring
        waits = db.session.scalar(db.select(InboxDelivery.id).where(waiting(InboxDelivery)).limit(1))
    if waits and not jobs.has_bells("default", ENOUGH_BELLS):
        jobs.ring("default", "hds.webhooks.jobs.drain")
