"""Messages about a booking, and a post office."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr

from hds.config import MailTransport
from hds.extensions import db
from hds.mail import transports
from hds.mail.models import Message
from tests.factories import ServiceFactory, make_booking
from tests.postoffice import PostOffice, open_post_office


@pytest.fixture(autouse=True)
def _rested() -> None:
    """No server rests because of an earlier test, which had one on the same port."""
    transports._rests.clear()


@pytest.fixture
def message(app: Flask) -> Message:
    """A confirmation to Priya, in the outbox."""
    ServiceFactory(cal_event_type_id=1001)
    make_booking()
    return db.session.scalars(db.select(Message).filter_by(kind="booking_confirmed")).one()


@pytest.fixture
def set_settings(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def change(**changed: Any) -> None:
        monkeypatch.setitem(app.config, "HDS", app.config["HDS"].model_copy(update=changed))

    return change


@pytest.fixture
def open_office(set_settings: Callable[..., None]) -> Iterator[Callable[..., PostOffice]]:
    """Opens a post office and sends the site's mail there, by an address with `user` and `scheme`."""
    with ExitStack() as stack:

        def opened(scheme: str = "smtp", user: str = "", **options: Any) -> PostOffice:
            office, port = stack.enter_context(open_post_office(**options))
            set_settings(mail_transport=MailTransport.SMTP, smtp_url=SecretStr(f"{scheme}://{user}127.0.0.1:{port}"))
            return office

        yield opened


@pytest.fixture
def office(open_office: Callable[..., PostOffice]) -> PostOffice:
    return open_office()
