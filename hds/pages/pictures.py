"""What the site looks like elsewhere: the picture of a page that somebody shares, and the icons.

Drawn when they are asked for, from the page's own words, the theme's colours and the lines of the templates: nothing to
draw anew by hand when a price or the theme changes.
"""

import hashlib
import io
import math
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from hds.lib.assets import STATIC
from hds.lib.colours import Colour, token
from hds.pages.strokes import Drawing, drawing

WIDTH, HEIGHT = 1200, 630
MARGIN = 84
RIVER_TOP = 400
# Fraunces is cut down to Latin. What it cannot write is tried with these, where the machine has them.
FONTS = (str(STATIC / "fonts" / "fraunces-600.woff2"), "NotoSerif-Bold.ttf", "NotoSerifCJK-Bold.ttc", "DejaVuSans.ttf")
HEADING_SIZES = (84, 76, 68, 60, 52, 46)
MOST_LINES = 3
LEADING = 1.12
LINE_SIZE, NAME_SIZE = 34, 32
FINER = 3  # lines are drawn so many times larger and made smaller: Pillow's own have steps
SHADES = 48  # colours of the file: paper, ink, river and what lies between
KEPT = 64  # pictures in the memory of a process, some 30 KB each

Font = ImageFont.FreeTypeFont


@dataclass(frozen=True)
class Card:
    """The words on a picture."""

    heading: str
    line: str
    site: str

    @property
    def version(self) -> str:
        """Other words, another theme or another hand give another address."""
        return hashlib.sha256(f"{self!r}{_hand()}".encode()).hexdigest()[:12]


@cache
def _hand() -> str:
    """All that a picture is made of beside its words: colours, lines and this file."""
    parts = (token("paper"), token("ink"), token("river"), drawing("river"), drawing("mark"))
    return f"{parts!r}{Path(__file__).read_text()}"


@lru_cache(maxsize=KEPT)
def card_png(card: Card) -> bytes:
    """1200 × 630 pixels."""
    paper, ink, river = token("paper"), token("ink"), token("river")
    muted = ink.mixed(paper, 0.76)
    image = Image.new("RGB", (WIDTH, HEIGHT), paper)
    scale = WIDTH / drawing("river").width
    _trace(image, drawing("river"), river, scale=scale, at=(0, RIVER_TOP))
    draw = ImageDraw.Draw(image)
    _trace(image, drawing("mark"), river, scale=1.5, at=(MARGIN - 8, 66))
    _write(draw, (MARGIN + 52, 90), card.site, size=NAME_SIZE, colour=muted)
    top = _write_heading(draw, card.heading, ink)
    _write(draw, (MARGIN, top + LINE_SIZE), card.line, size=LINE_SIZE, colour=muted)
    return _png(image.quantize(SHADES, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE))


@cache
def icon_png(size: int) -> bytes:
    """The mark on paper, a square; with so much room around it that a phone may cut it round."""
    return _png(_icon(size))


@cache
def favicon() -> bytes:
    out = io.BytesIO()
    _icon(48).save(out, "ICO", sizes=[(16, 16), (32, 32), (48, 48)], append_images=[_icon(16), _icon(32)])
    return out.getvalue()


def _icon(size: int) -> Image.Image:
    image = Image.new("RGB", (size, size), token("paper"))
    mark = drawing("mark")
    room = 0.04 if size <= 48 else 0.18  # a small one is never cut
    scale = size * (1 - 2 * room) / mark.height
    _trace(image, mark, token("river"), scale=scale, at=(size * room, size * room))
    return image


def _trace(image: Image.Image, lines: Drawing, colour: Colour, *, scale: float, at: tuple[float, float]) -> None:
    """Draw the lines with their upper left corner there, as smoothly as a browser does."""
    corner = (round(at[0]), round(at[1]))
    box = (math.ceil(lines.width * scale), math.ceil(lines.height * scale))
    for stroke in lines.strokes:
        mask = Image.new("L", (box[0] * FINER, box[1] * FINER))
        points = [(x * scale * FINER, y * scale * FINER) for x, y in stroke.points]
        width = max(round(stroke.width * scale * FINER), 1)
        draw, fill = ImageDraw.Draw(mask), round(255 * stroke.opacity)
        draw.line(points, fill=fill, width=width)
        for point in points:  # round ends and corners
            draw.circle(point, (width - 1) / 2, fill=fill)
        image.paste(colour, corner, mask.resize(box, Image.Resampling.BOX))


def _write_heading(draw: ImageDraw.ImageDraw, words: str, colour: Colour) -> float:
    """As large as fits in three lines above the river; what does not even fit small is cut. Returns where it ends."""
    width, top = WIDTH - 2 * MARGIN, 156.0
    for size in HEADING_SIZES:
        font, writable = _font_for(words, size)
        lines = _broken(writable, font, width)
        if len(lines) <= MOST_LINES and len(lines) * size * LEADING <= RIVER_TOP - top - LINE_SIZE:
            break
    else:
        lines = [*lines[: MOST_LINES - 1], _cut(" ".join(lines[MOST_LINES - 1 :]), font, width)]
    for line in lines:
        draw.text((MARGIN, top + font.size / 2), line, font=font, fill=colour, anchor="lm")
        top += font.size * LEADING
    return top


def _write(draw: ImageDraw.ImageDraw, at: tuple[float, float], words: str, *, size: int, colour: Colour) -> None:
    """One line from there, its middle at that height, cut at the margin."""
    font, writable = _font_for(words, size)
    draw.text(at, _cut(writable, font, WIDTH - MARGIN - at[0]), font=font, fill=colour, anchor="lm")


def _broken(words: str, font: Font, width: float) -> list[str]:
    """Lines no wider than this, broken between words, and inside one that is wider alone."""
    lines = [""]
    for word in words.split():
        for piece in _pieces(word, font, width):
            longer = f"{lines[-1]} {piece}".strip()
            if font.getlength(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(piece)
    return lines


def _pieces(word: str, font: Font, width: float) -> list[str]:
    pieces = [""]
    for sign in word:
        if font.getlength(pieces[-1] + sign) > width:
            pieces.append("")
        pieces[-1] += sign
    return pieces


def _cut(words: str, font: Font, width: float) -> str:
    if font.getlength(words) <= width:
        return words
    while words and font.getlength(f"{words}…") > width:
        words = words[:-1]
    return f"{words.rstrip(' ,.;:')}…"


def _font_for(words: str, size: int) -> tuple[Font, str]:
    """The font that can write most of it, the first of those, and the words without what it cannot write."""
    fonts = [font for font in (_font(name, size) for name in FONTS) if font]
    writable = [(font, "".join(sign for sign in words if _has(font, sign))) for font in fonts]
    return max(writable, key=lambda pair: len(pair[1]))


@cache
def _font(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:  # this machine does not have it
        return None


def _has(font: Font, sign: str) -> bool:
    """A sign that a font lacks looks like one that no font has."""
    return sign == " " or (sign.isprintable() and bytes(font.getmask(sign)) != _nothing(font))


@cache
def _nothing(font: Font) -> bytes:
    return bytes(font.getmask("\U0010ffff"))


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
