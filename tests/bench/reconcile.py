"""A silent day: a thousand bookings at Cal.com that no webhook told of, read over HTTP from the sandbox and repaired."""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from hds.app import create_app
from hds.bookings import reconcile
from hds.bookings.models import Booking
from hds.bookings.reconciliation import CHANGES, WINDOW, Reconciliation
from hds.config import Settings
from hds.extensions import db
from hds.lib.times import utcnow
from hds.migrate import upgrade
from hds.sandbox.booking import new_uid
from hds.sandbox.store import Store
from hds.sandbox.times import iso_ms
from hds.services.seed import seed
from tests import servers

BOOKINGS = 1_000
DAY = timedelta(days=1)


def measure() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hds")))
        queue = stack.enter_context(servers.own_valkey(folder))
        cal_com = stack.enter_context(sandbox(folder / "sandbox"))
        settings = Settings(
            _env_file=None, hds_data=folder, redis_url=queue, cal_access_token="cal_sandbox",
            cal_base_url=cal_com, cal_api_url=f"{cal_com}/v2", cal_link="hudson",
        ).completed()  # fmt: skip
        app = create_app(settings)
        with app.app_context():
            upgrade()
            seed(settings)
            Reconciliation.prepare()
            db.session.execute(db.update(Reconciliation).values(position=utcnow() - DAY))
            db.session.commit()
            silent_day(folder / "sandbox")
            for name in (CHANGES, WINDOW):
                _read(name)
            found = db.session.scalar(db.select(db.func.count()).select_from(Booking))
            db.session.remove()
            db.engine.dispose()
        if found != BOOKINGS:
            raise SystemExit(f"{found} of {BOOKINGS} bookings were found")


def _read(name: str) -> None:
    began = time.monotonic()
    row = reconcile.look(name)
    while row and row.is_under_way and not row.trouble:
        row = reconcile.look(name)
    if row is None or row.trouble:
        raise SystemExit(f"it did not go through: {row and row.trouble}")
    print(f"{name}: {row.figures}, in {time.monotonic() - began:.1f} s", flush=True)


@contextmanager
def sandbox(folder: Path) -> Iterator[str]:
    """In a process of its own, with Cal.com's own limit: 120 calls a minute."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
    environment |= {"SANDBOX_PORT": "0", "SANDBOX_DATA": str(folder)}
    command = [sys.executable, "-m", "hds.sandbox"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            process.wait(10)


def silent_day(folder: Path) -> None:
    """More than fit into the host's hours, so they are written into its diary: of ten, eight accepted, one pending and
    one cancelled; all changed in the course of the last day."""
    now = utcnow()
    store = Store(folder)
    with store.transaction():
        for number in range(BOOKINGS):
            uid = new_uid()
            start = (now + timedelta(days=1 + number % 50)).replace(minute=0, second=0, microsecond=0)
            changed = now - DAY + number * DAY / BOOKINGS
            is_pending = number % 10 == 1
            status = "pending" if is_pending else "cancelled" if number % 10 == 2 else "accepted"
            store.insert(
                "booking",
                {
                    "uid": uid,
                    "event_type_id": 1003 if is_pending else 1001,
                    "status": status,
                    "start_at": iso_ms(start),
                    "end_at": iso_ms(start + timedelta(minutes=15 if is_pending else 30)),
                    "name": f"Guest {number}",
                    "email": f"guest{number}@acme.example",
                    "time_zone": "Asia/Kolkata",
                    "language": "en",
                    "answers": json.dumps({"notes": "Before spring", "topic": "Booking pages"}),
                    "location": "integrations:daily",
                    "ical_uid": f"{uid}@Cal.com",
                    "idempotency_key": str(uuid.uuid4()),
                    "source": "api",
                    "created_at": iso_ms(changed),
                    "updated_at": iso_ms(changed),
                },
            )
    store.close()
