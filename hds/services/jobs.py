"""The worker's side of the catalogue."""

import structlog

from hds.calcom.client import client_from
from hds.config import settings
from hds.lib import jobs
from hds.lib.models import only_reading
from hds.services import sync

log = structlog.get_logger(part="services")


def ring_for_look() -> None:
    """The clock's: Cal.com may be slow, so a worker asks."""
    if not settings.cal_access_token.get_secret_value():
        return
    with only_reading():
        is_due = sync.is_due()
    if is_due:
        jobs.ring("default", "hds.services.jobs.look")


def look() -> None:
    """Note what Cal.com says of the services. Nothing is taken over: only the pages never say less than it charges."""
    trouble = sync.look(client_from(settings))
    log.info("looked at event types", differences=len(sync.drift()), answered=not trouble)
