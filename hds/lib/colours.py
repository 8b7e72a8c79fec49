"""The theme's colours as red, green and blue, for what is no stylesheet: pictures, icons, the manifest, theme-color."""

import math
import re
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from hds.lib.assets import STATIC

Scheme = Literal["light", "dark"]
# Where the stylesheets say nothing that is understood here: the first theme's paper, ink and river.
USUAL = {
    "paper": "light-dark(oklch(98.5% .006 90), oklch(20% .018 235))",
    "ink": "light-dark(oklch(22% .02 250), oklch(94% .008 90))",
    "river": "light-dark(oklch(43% .085 215), oklch(80% .085 205))",
}
ONE = r"oklch\([^()]*\)|#[0-9a-fA-F]{6}"
BOTH = re.compile(rf"light-dark\(\s*({ONE})\s*,\s*({ONE})\s*\)|({ONE})")


class Colour(NamedTuple):
    """sRGB, 0 to 255 each."""

    red: int
    green: int
    blue: int

    @property
    def hex(self) -> str:
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    def mixed(self, other: "Colour", part: float) -> "Colour":
        """`part` (0 to 1) of this colour, the rest of the other."""
        return Colour(*(round(a * part + b * (1 - part)) for a, b in zip(self, other, strict=True)))


@cache
def token(name: Literal["paper", "ink", "river"], scheme: Scheme = "light") -> Colour:
    """What the stylesheets declare as --name."""
    return _read(_declared(name) or "", scheme) or _read(USUAL[name], scheme) or Colour(0, 0, 0)


def _declared(name: str, folder: Path = STATIC / "css") -> str | None:
    """The last declaration in the order in which the files are joined."""
    found = None
    for path in sorted(folder.glob("*.css")):
        for declaration in re.finditer(rf"--{name}:\s*([^;]+);", path.read_text()):
            found = declaration[1]
    return found


def _read(value: str, scheme: Scheme) -> Colour | None:
    match = BOTH.fullmatch(value.strip())
    if match is None:
        return None
    light, dark, always = match.groups()
    text = always or (light if scheme == "light" else dark)
    if text.startswith("#"):
        return Colour(*bytes.fromhex(text[1:]))
    try:
        lightness, chroma, hue = text.removeprefix("oklch(").removesuffix(")").split()
        share = float(lightness.rstrip("%")) / (100 if lightness.endswith("%") else 1)
        return oklch(share, float(chroma), float(hue.removesuffix("deg")))
    except ValueError:  # written another way: the usual one stands
        return None


def oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """Lightness 0 to 1, hue in degrees. After https://bottosson.github.io/posts/oklab/; what sRGB lacks is clipped."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return Colour(
        _channel(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short),
        _channel(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short),
        _channel(-0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short),
    )


def _channel(linear: float) -> int:
    linear = min(max(linear, 0.0), 1.0)
    encoded = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(encoded * 255)
