"""Prints each figure; what cannot be measured here says so."""

import sys
from collections.abc import Callable

from tests.bench import analytics, pages, reconcile, starts, webhooks

SECTIONS: dict[str, Callable[[], None]] = {
    "webhooks": webhooks.measure,
    "pages": pages.measure,
    "analytics": analytics.measure,
    "reconcile": reconcile.measure,
    "starts": starts.measure,
}


def main() -> None:
    for name in sys.argv[1:] or SECTIONS:
        print(f"\n## {name}", flush=True)
        SECTIONS[name]()


if __name__ == "__main__":
    main()
