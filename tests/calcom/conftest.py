"""What the tests of hds.calcom share: the example bodies, as bytes, the way Cal.com serialises them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAYLOADS = Path(__file__).parent.parent / "payloads"
NAMES = sorted(path.name for path in PAYLOADS.glob("*.json") if not path.name.startswith("_"))
SIGNATURES: dict[str, Any] = json.loads((PAYLOADS / "_SIGNATURES.json").read_text("utf-8"))


def as_sent(body: object) -> bytes:
    """Compact, raw UTF-8 (a lone surrogate escaped), keys in their order: what Node's JSON.stringify makes of it."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")


def example(name: str) -> Any:
    return json.loads((PAYLOADS / name).read_text("utf-8"))


@pytest.fixture
def created() -> Callable[..., bytes]:
    """BOOKING_CREATED as bytes, with fields of its payload replaced (`...` takes a field away)."""

    def build(**changes: object) -> bytes:
        body = example("booking_created.v2021-10-20.json")
        for key, value in changes.items():
            if value is ...:
                del body["payload"][key]
            else:
                body["payload"][key] = value
        return as_sent(body)

    return build
