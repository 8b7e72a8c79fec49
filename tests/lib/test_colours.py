"""Colours of the stylesheets as red, green and blue."""

import pytest

from hds.lib import colours
from hds.lib.colours import Colour, oklch, token


@pytest.mark.parametrize(
    ("colour", "hex_code"),
    [((0.627955, 0.257683, 29.234), "#ff0000"), ((0.86644, 0.294827, 142.4953), "#00ff00"), ((1, 0, 0), "#ffffff")],
)
def test_oklch_is_what_a_browser_shows(colour: tuple[float, float, float], hex_code: str) -> None:
    assert oklch(*colour).hex == hex_code


def test_what_no_screen_shows_is_clipped() -> None:
    assert oklch(0.9, 0.4, 30) == Colour(255, 0, 0) or max(oklch(0.9, 0.4, 30)) == 255


def test_the_theme_has_paper_and_ink_for_day_and_night() -> None:
    assert sum(token("paper")) > 3 * 200
    assert sum(token("ink")) < 3 * 60
    assert sum(token("paper", "dark")) < 3 * 60
    assert sum(token("ink", "dark")) > 3 * 200


@pytest.mark.parametrize(
    ("value", "light", "dark"),
    [
        ("#102030", "#102030", "#102030"),
        ("light-dark(#ffffff, #000000)", "#ffffff", "#000000"),
        ("light-dark(oklch(100% 0 0), oklch(0% 0 0deg))", "#ffffff", "#000000"),
    ],
)
def test_owners_write_colours_in_several_ways(value: str, light: str, dark: str) -> None:
    assert [colours._read(value, scheme).hex for scheme in ("light", "dark")] == [light, dark]  # type: ignore[arg-type, union-attr]


def test_a_way_that_is_not_known_leaves_the_usual_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colours, "_declared", lambda name: "color-mix(in oklab, red, blue)")
    assert token.__wrapped__("paper").hex == "#fcfaf6"
