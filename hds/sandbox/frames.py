"""The booking pages inside another site's frame, and the ways in which that may fail."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple, cast

from flask import current_app, request

SLOW_SECONDS = 3.0
CARRIED = ("embed", "embedType", "layout", "theme")  # from page to page inside the frame


class Manner(StrEnum):
    WORKS = "works"
    SLOW = "slow"
    REFUSED = "refused"
    SILENT = "silent"
    NEVER_READY = "never_ready"
    BROKEN = "broken"


MANNERS = {
    Manner.WORKS: "works",
    Manner.SLOW: f"takes {SLOW_SECONDS:g} seconds",
    Manner.REFUSED: "refuses to be in a frame",
    Manner.SILENT: "never says a word",
    Manner.NEVER_READY: "says that it is there, and no more",
    Manner.BROKEN: "is not found, and says so",
}


class Framed(NamedTuple):
    """`name`: the frame's own, which stands in each of its messages."""

    name: str
    theme: str
    manner: str


def is_framed() -> bool:
    """By a name, which is empty where the page around has but one frame."""
    return "embed" in request.values


def framed() -> Framed | None:
    if not is_framed():
        return None
    theme = request.values.get("theme", "")
    manner = cast(str, current_app.extensions["sandbox"].manner)
    return Framed(request.values["embed"], theme if theme in {"light", "dark"} else "", manner)


def carried(**more: str) -> dict[str, Any]:
    """What every address inside the frame says; empty outside of one."""
    return {name: request.values[name] for name in CARRIED if name in request.values} | more if is_framed() else {}
