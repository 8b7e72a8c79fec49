"""The worker's side of the outbox."""

from datetime import timedelta

import structlog
from rq.timeouts import JobTimeoutException

from hds.extensions import db
from hds.lib import jobs
from hds.lib.due import claim, waiting
from hds.lib.logs import where
from hds.lib.models import only_reading
from hds.mail import renderers
from hds.mail.models import MOST_ATTEMPTS, Message, MessageState
from hds.mail.transports import MaybeSent, NotSent, Refused, Resting, Transport, compose, transport

log = structlog.get_logger(part="mail")
BATCH = 250  # a tick's bells: a thousand mails, and a queue that lost their bells, are found within a minute
MARGIN = timedelta(seconds=10)  # of a lease: writing the words and noting what became of them


def deliver(message_id: int) -> None:
    """Send one message, if it is due and nobody else has it. Twice or late is boring.

    Claim, render and hand-over are each committed before the next begins, so that a crash leaves a row that says how
    far it came; no transaction spans the transport.
    """
    via = transport()
    # Longer than the transport takes: nobody else has it while it is on its way.
    if not claim(Message, timedelta(seconds=via.longest) + MARGIN, ids=[message_id]):
        return
    message = db.session.get_one(Message, message_id)
    if message.state is MessageState.SENDING and not via.exactly_once:
        message.unknown("The worker ended between sending it and noting so. Ask the recipient before sending it again.")
    elif message.attempts > MOST_ATTEMPTS:
        message.failed("It was tried again and again, and each time the worker ended in the middle.")
    elif _is_ready(message):
        message.sending()
        db.session.commit()
        _hand_over(message, via)
    state = message.state
    db.session.commit()
    log.info("message", id=message_id, state=state)


def _is_ready(message: Message) -> bool:
    if message.is_rendered:
        return True
    try:
        words = renderers.render(message)
    except renderers.NoUse as reason:
        message.skipped(str(reason))
        return False
    except JobTimeoutException:  # RQ's alarm, which is about the whole job
        raise
    except Exception as error:  # a template of the owner's may be broken; the row says so and tries again
        db.session.rollback()
        log.error("message not rendered", id=message.id, **where(error))
        message.not_sent(f"It could not be written ({type(error).__name__}).")
        return False
    message.rendered(words.subject, words.text, words.html, words.reply_to)
    return True


def _hand_over(message: Message, via: Transport) -> None:
    message_id = message.id
    try:
        letter = compose(message)
        db.session.rollback()  # it has been read; nothing of ours stays open while we talk to others
        message.sent(via.send(letter))
    except Refused as reason:
        message.failed(str(reason))
    except MaybeSent as reason:
        message.unknown(str(reason))
    except Resting as reason:
        message.not_tried(reason.until, str(reason))
    except NotSent as reason:
        message.not_sent(str(reason))
    except JobTimeoutException:
        raise
    except Exception as error:  # a fault of ours: whether it left depends on where that was
        log.error("message not handed over", id=message_id, **where(error))
        say = message.not_sent if via.exactly_once else message.unknown
        say(f"Sending it stopped in the middle ({type(error).__name__}).")


def ring_for_waiting() -> None:
    """The clock's line: messages whose bell was lost, whose next try has come, or whose worker died."""
    oldest = db.select(Message.id).where(waiting(Message)).order_by(Message.due_at, Message.id).limit(BATCH)
    with only_reading():  # nobody's write waits while we ring
        ids = db.session.scalars(oldest).all()
    if not ids or jobs.has_bells("mail", BATCH):
        return
    for message_id in ids:
        if not jobs.ring("mail", "hds.mail.jobs.deliver", message_id):
            break  # each try may cost seconds; the next tick is soon
