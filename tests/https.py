"""The site as production has it: behind a proxy that speaks TLS and says so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hds.app import create_app
from hds.config import Settings
from hds.extensions import db
from hds.webhooks import inbox
from tests.conftest import Client

SITE = "https://hudson.example"


class Browser(Client):
    """Sends no Referer, as our private pages ask it to. The proxy passes on the host that it asks for."""

    host = "hudson.example"

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return super().open(*args, **{"base_url": f"http://{self.host}"} | kwargs)


@contextmanager
def browser(make_settings: Callable[..., Settings]) -> Iterator[Any]:
    app = create_app(make_settings(site_url=SITE, trusted_hops=1))
    app.test_client_class = Browser
    client = app.test_client()
    client.environ_base["HTTP_X_FORWARDED_PROTO"] = "https"
    yield client
    inbox.hang_up()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
