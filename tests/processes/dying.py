"""The site's own processes, patched to die at one place: `python -m tests.processes.dying PLACE MARKER -- work`.

What is patched writes down that it was there and ends its process by SIGKILL, the first time only. After `--` comes
a command of the site, or `web FD`: a server on a socket that is listened to already.
"""

import json
import os
import runpy
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from hds.bookings.models import Booking
from hds.lib import jobs as bells
from hds.mail import jobs as mail
from hds.mail import transports
from hds.mail.models import Message
from hds.webhooks import inbox, views
from hds.webhooks import jobs as webhooks
from hds.webhooks.models import DeliveryState, InboxDelivery

PLACES: dict[str, Callable[[Callable[..., None]], None]] = {}


def place(patch: Callable[[Callable[..., None]], None]) -> Callable[[Callable[..., None]], None]:
    PLACES[patch.__name__.replace("_", "-")] = patch
    return patch


def dying(name: str, marker: Path) -> Callable[..., None]:
    def die(**seen: Any) -> None:
        try:
            note = marker.open("x")
        except FileExistsError:  # once is enough
            return
        json.dump({"place": name, "pid": os.getpid(), **seen}, note)
        note.flush()
        os.fsync(note.fileno())
        os.kill(os.getpid(), signal.SIGKILL)

    return die


@place
def web_before_the_commit(die: Callable[..., None]) -> None:
    def execute(engine: Any, statement: str, values: tuple[Any, ...]) -> None:
        """What autocommit does in one step, stopped between its halves."""
        connection = engine.raw_connection()
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute(statement, values)
        cursor.execute("SELECT count(*) FROM inbox_delivery")
        die(deliveries=cursor.fetchone()[0])

    inbox._execute = execute


@place
def web_between_commit_and_bell(die: Callable[..., None]) -> None:
    views.bell.ring = die  # type: ignore[method-assign]


@place
def worker_after_the_bell(die: Callable[..., None]) -> None:
    webhooks.claim = lambda *_args, **_named: die()  # type: ignore[assignment,return-value]


@place
def worker_after_the_claim(die: Callable[..., None]) -> None:
    webhooks.claim = _then(webhooks.claim, lambda ids: die(ids=ids) if ids else None)


@place
def worker_after_applying(die: Callable[..., None]) -> None:
    @event.listens_for(Session, "before_commit")
    def _before_commit(session: Session) -> None:
        if any(isinstance(row, InboxDelivery) and row.state is DeliveryState.APPLIED for row in session):
            session.flush()
            die(bookings=_count(session, Booking), messages=_count(session, Message))


@place
def worker_before_the_mail_bell(die: Callable[..., None]) -> None:
    ring = bells.ring

    def ring_or_die(queue_name: str, function: str, *ids: int) -> bool:
        if queue_name == "mail":
            die(ids=ids)
        return ring(queue_name, function, *ids)

    bells.ring = ring_or_die


@place
def mail_after_the_claim(die: Callable[..., None]) -> None:
    mail.claim = _then(mail.claim, lambda ids: die(ids=ids) if ids else None)


@place
def mail_between_transport_and_noting(die: Callable[..., None]) -> None:
    for transport in (transports.Mailbox, transports.Smtp):
        transport.send = _then(transport.send, lambda provider_id: die(provider_id=provider_id))  # type: ignore[method-assign]


@place
def clock_in_a_line(die: Callable[..., None]) -> None:
    webhooks.jobs.ring = lambda *_: die()  # type: ignore[assignment,return-value]


def _then(function: Callable[..., Any], look: Callable[[Any], None]) -> Callable[..., Any]:
    def both(*args: Any, **named: Any) -> Any:
        result = function(*args, **named)
        look(result)
        return result

    return both


def _count(session: Session, model: type[Any]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def serve(listener: int) -> None:
    from wsgi import app

    port = socket.socket(fileno=os.dup(listener)).getsockname()[1]
    make_server("127.0.0.1", port, app, threaded=True, fd=listener).serve_forever()


def main() -> None:
    name, marker, _, *command = sys.argv[1:]
    PLACES[name](dying(name, Path(marker)))
    if command[0] == "web":
        serve(int(command[1]))
    else:
        sys.argv = ["hds", *command]
        runpy.run_module("hds", run_name="__main__")


if __name__ == "__main__":
    main()
