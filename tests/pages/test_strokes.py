"""The lines of the templates as points."""

import pytest

from hds.pages.strokes import drawing, lines


def test_lines_absolute_and_relative_are_the_same() -> None:
    assert list(lines("M1 2L3 4H5V6")) == list(lines("m1 2l2 2h2v2")) == [((1, 2), (3, 4), (5, 4), (5, 6))]


def test_a_curve_ends_where_it_says_and_the_next_goes_on_smoothly() -> None:
    [points] = lines("M0 0c0 10 10 10 10 0s10-10 10 0")
    assert points[0] == (0, 0)
    assert points[16] == (10, 0)
    assert points[-1] == (20, 0)
    assert points[8][1] == pytest.approx(-points[24][1]), "the second half mirrors the first"
    assert points[8][1] == pytest.approx(7.5)


def test_a_path_may_have_several_lines() -> None:
    assert [len(points) for points in lines("M0 0 1 1 2 2M5 5h1")] == [3, 2]


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(LookupError, match="A, which"):
        list(lines("M0 0A1 1 0 0 0 2 2"))


@pytest.mark.parametrize("name", ["river", "mark"])
def test_the_sites_own_drawings_can_be_drawn(name: str) -> None:
    picture = drawing(name)
    assert len(picture.strokes) >= 3
    assert all(stroke.width > 0 and 0 < stroke.opacity <= 1 for stroke in picture.strokes)
