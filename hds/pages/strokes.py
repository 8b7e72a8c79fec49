"""The line drawings of the templates (river and mark) as points, so that pictures are drawn from the same lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from hds.config import ROOT

Point = tuple[float, float]

COMPONENTS = ROOT / "templates" / "components"
VIEW_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
PATH = re.compile(r"<path\b([^>]*)>")
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
WORD = re.compile(r"[a-zA-Z]|-?(?:\d+\.?\d*|\.\d+)")
NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4}
PIECES = 16  # straight pieces for a curve


@dataclass(frozen=True)
class Stroke:
    """One line of a drawing: its points and width in the drawing's own units, and how much of it shows (0 to 1)."""

    points: tuple[Point, ...]
    width: float
    opacity: float


@dataclass(frozen=True)
class Drawing:
    width: float
    height: float
    strokes: tuple[Stroke, ...]


@cache
def drawing(name: str) -> Drawing:
    """templates/components/_NAME.html. Raises LookupError where a path says something that is not known here."""
    svg = (COMPONENTS / f"_{name}.html").read_text()
    box = VIEW_BOX.search(svg)
    if box is None:
        raise LookupError(f"_{name}.html has no viewBox that begins at 0 0")
    strokes: list[Stroke] = []
    for tag in PATH.findall(svg):
        said = dict(ATTRIBUTE.findall(tag))
        width, opacity = float(said.get("stroke-width", 1)), float(said.get("opacity", 1))
        strokes += [Stroke(points, width, opacity) for points in lines(said["d"])]
    return Drawing(float(box[1]), float(box[2]), tuple(strokes))


def lines(path: str) -> Iterator[tuple[Point, ...]]:
    """The lines of an SVG path of moves, straight lines and cubic curves, absolute or relative."""
    points: list[Point] = []
    control: Point | None = None  # of the curve before: S goes on smoothly from it
    for letter, numbers in _steps(path):
        command = letter.upper()
        x, y = points[-1] if points else (0.0, 0.0)
        ends = _absolute(command, numbers, (0.0, 0.0) if letter.isupper() else (x, y), (x, y))
        if command == "M":
            if len(points) > 1:
                yield tuple(points)
            points = ends
        elif command in "CS":
            first = ends.pop(0) if command == "C" else _mirrored(control, (x, y))
            points += _curve((x, y), first, ends[0], ends[1])
        else:
            points += ends
        control = ends[0] if command in "CS" else None
    if len(points) > 1:
        yield tuple(points)


def _steps(path: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with its numbers; numbers that go on without a letter repeat it."""
    letter, numbers = "", cast(list[float], [])
    for word in WORD.findall(path):
        if word.isalpha():
            letter, numbers = word, []
            if letter.upper() not in NUMBERS:
                raise LookupError(f"a path says {letter}, which is not drawn here")
            continue
        numbers.append(float(word))
        if len(numbers) == NUMBERS[letter.upper()]:
            yield letter, numbers
            numbers = []
            letter = {"M": "L", "m": "l"}.get(letter, letter)


def _absolute(command: str, numbers: list[float], origin: Point, here: Point) -> list[Point]:
    if command == "H":
        return [(origin[0] + numbers[0], here[1])]
    if command == "V":
        return [(here[0], origin[1] + numbers[0])]
    pairs: Any = zip(numbers[::2], numbers[1::2], strict=True)
    return [(origin[0] + x, origin[1] + y) for x, y in pairs]


def _mirrored(control: Point | None, here: Point) -> Point:
    return here if control is None else (2 * here[0] - control[0], 2 * here[1] - control[1])


def _curve(start: Point, first: Point, second: Point, end: Point) -> list[Point]:
    points = []
    for piece in range(1, PIECES + 1):
        t = piece / PIECES
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
        x, y = (a * start[i] + b * first[i] + c * second[i] + d * end[i] for i in (0, 1))
        points.append((x, y))
    return points
