"""Signed references for links: they say one thing, for one purpose, for a while."""

from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer

from hds.config import settings


def sign(purpose: str, value: Any) -> str:
    return str(_serializer(purpose).dumps(value))


def read(purpose: str, token: str, max_age: int) -> Any | None:
    """What `sign` was given; None where the token is another purpose's, forged, or older than `max_age` seconds."""
    try:
        return _serializer(purpose).loads(token, max_age=max_age)
    except BadData:
        return None


def _serializer(purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.secret_key.get_secret_value(), salt=purpose)
