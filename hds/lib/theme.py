"""By day or by night, as the visitor chose it. A cookie keeps the choice, and the server prints it: nothing flashes."""

import re
from pathlib import Path

from flask import Response, request

COOKIE = "theme"
CHOICES = ("light", "dark")  # without the cookie: as the visitor's system has it
KEPT_SECONDS = 365 * 24 * 3600
PAPER = re.compile(r"--paper:\s*light-dark\(([\w#%.]+(?:\([^()]*\))?),\s*([\w#%.]+(?:\([^()]*\))?)\)")


def chosen() -> str:
    """`light`, `dark`, or nothing where the system decides."""
    value = request.cookies.get(COOKIE, "")
    return value if value in CHOICES else ""


def keep(response: Response, choice: str, *, secure: bool) -> None:
    """Any other word than a choice forgets the cookie."""
    if choice in CHOICES:
        response.set_cookie(COOKIE, choice, max_age=KEPT_SECONDS, secure=secure, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(COOKIE, secure=secure, httponly=True, samesite="Lax")


def papers(styles: Path) -> dict[str, str]:
    """The page's colour by day and by night, for the browser's own frame; none where theme.css says it differently."""
    found = PAPER.search(styles.read_text())
    return dict(zip(CHOICES, found.groups(), strict=True)) if found else {}
