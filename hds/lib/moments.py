"""Moments: a verb announces what happened, and whoever subscribed writes its own rows in the same transaction."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# Why nobody is to be written to about what is announced now; empty: no such reason.
_quiet: ContextVar[str] = ContextVar("quiet", default="")
_subscribers: dict[str, list[Callable[..., None]]] = defaultdict(list)


def subscribe(moment: str, function: Callable[..., None]) -> None:
    """Once is enough: a second application in the same process must not double what follows."""
    if function not in _subscribers[moment]:
        _subscribers[moment].append(function)


def announce(moment: str, *about: Any) -> None:
    for function in _subscribers[moment]:
        function(*about)


@contextmanager
def quietly(reason: str) -> Iterator[None]:
    """What is announced in here happened long ago, and may have been told to everybody then. `reason` is for staff."""
    token = _quiet.set(reason)
    try:
        yield
    finally:
        _quiet.reset(token)


def why_quiet() -> str:
    return _quiet.get()
