"""What every page must be, whoever opens it in a test: parses, one h1, unique ids, a label for each field, a title."""

from collections import Counter
from typing import Any
from xml.etree.ElementTree import Element

import html5lib

FIELDS = {"input", "select", "textarea"}
UNLABELLED = {"hidden", "submit", "button", "image", "reset"}


def check(body: str, *, fragment: bool = False) -> None:
    """Raises AssertionError with the first thing that is wrong."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    root: Any = parser.parseFragment(body) if fragment else parser.parse(body)
    elements: list[Element] = [element for element in root.iter() if isinstance(element.tag, str)]
    twice = [name for name, count in Counter(e.get("id") for e in elements if e.get("id")).items() if count > 1]
    assert not twice, f"ids that stand twice: {twice}"
    _check_labels(elements, fragment=fragment)
    for element in elements:
        assert element.get("style") is None, f"an inline style on <{element.tag}>: the policy blocks it"
        assert not any(name.startswith("on") for name in element.attrib), f"an inline handler on <{element.tag}>"
        assert element.tag != "script" or element.get("src") or element.get("type") == "application/ld+json"
    if not fragment:
        _check_whole(elements)


def _check_labels(elements: list[Element], *, fragment: bool) -> None:
    labelled = {e.get("for") for e in elements if e.tag == "label"}
    inside = {id(child) for e in elements if e.tag == "label" for child in e.iter()}
    ids = {e.get("id") for e in elements}
    for field in (e for e in elements if e.tag in FIELDS and e.get("type") not in UNLABELLED):
        named = field.get("id") in labelled or id(field) in inside or field.get("aria-label")
        assert named or (field.get("aria-labelledby") in ids), f"a field without a label: {field.attrib}"
    if not fragment:
        for element in elements:
            for name in (element.get("aria-describedby") or "").split():
                assert name in ids, f"aria-describedby names {name}, which is not there"
            href = element.get("href") or ""
            assert not (href.startswith("#") and len(href) > 1 and href[1:] not in ids), f"{href} leads nowhere"


def _check_whole(elements: list[Element]) -> None:
    headings = [e for e in elements if e.tag == "h1"]
    assert len(headings) == 1, f"{len(headings)} h1 on the page"
    titles = ["".join(e.itertext()).strip() for e in elements if e.tag == "title"]
    assert any(titles), "no title"
    html = next(e for e in elements if e.tag == "html")
    assert html.get("lang"), "no lang"
    for form in (e for e in elements if e.tag == "form"):
        assert form.get("action"), "a form without an action"
        # The theme's changes nothing but what a page looks like, and stands on pages that a cache keeps for everybody.
        # A time that somebody clicks is held for who comes from our own page.
        path = (form.get("action") or "").partition("?")[0]
        if form.get("method", "get").lower() == "post" and path != "/theme" and not path.endswith("/hold"):
            hidden = [e.get("name") for e in form.iter("input") if e.get("type") == "hidden"]
            assert "csrf_token" in hidden, f"a POST form without a token: {form.attrib}"
