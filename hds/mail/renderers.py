"""Which function makes the words of which kind of mail. create_app fills the table, as the writers are above."""

from collections.abc import Callable
from dataclasses import dataclass

import css_inline
from flask import Flask, current_app, render_template

from hds.mail.models import Message


@dataclass(frozen=True)
class Rendered:
    subject: str
    text: str
    html: str
    reply_to: str | None = None


class NoUse(Exception):
    """The mail is of no use any more; the text says why, for the staff."""


Renderer = Callable[[Message], Rendered]


def register(app: Flask, renderers: dict[str, Renderer]) -> None:
    app.extensions.setdefault("mail_renderers", {}).update(renderers)


def render(message: Message) -> Rendered:
    """Raises NoUse where it should not be sent any more."""
    renderer: Renderer | None = current_app.extensions.get("mail_renderers", {}).get(message.kind)
    if renderer is None:
        raise NoUse(f"Nothing here writes mails of the kind {message.kind}.")
    return renderer(message)


def render_templates(name: str, reply_to: str | None = None, **context: object) -> Rendered:
    """The three files of templates/emails/<name>/, with the styles written into each element as mail readers want."""
    subject, text, html = (
        render_template(f"emails/{name}/{file}", **context) for file in ("subject.txt", "body.txt", "body.html")
    )
    # keep_at_rules: the dark colours live in a media query. Nothing is fetched: the sheet is in the template.
    inlined = css_inline.inline(html, keep_at_rules=True, keep_style_tags=True, load_remote_stylesheets=False)
    return Rendered(subject.strip(), text.strip() + "\n", inlined, reply_to)
