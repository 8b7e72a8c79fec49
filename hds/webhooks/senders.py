"""Who may post to us. create_app fills the table, so that this package knows no sender by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Flask, current_app

from hds.webhooks.models import InboxDelivery


@dataclass(frozen=True)
class Sender:
    """`verify` gets the raw bytes, every value of the signature header, and the secrets, the current one first.

    `apply` understands a stored delivery and ends it as applied, ignored or invalid; it never commits.
    """

    name: str
    signature_header: str
    kept_headers: tuple[str, ...]
    verify: Callable[[bytes, list[str], Sequence[str]], bool]
    secrets: Sequence[str]
    apply: Callable[[InboxDelivery], None]
    redact: Callable[[bytes], str]


def register(app: Flask, sender: Sender) -> None:
    app.extensions.setdefault("senders", {})[sender.name] = sender


def find(name: str) -> Sender | None:
    return current_app.extensions.get("senders", {}).get(name)
