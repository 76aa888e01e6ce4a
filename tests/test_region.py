"""Regions: parsed from text, and clipped to a segment."""

import pytest

from napari_ink.errors import BadInputError
from napari_ink.region import Region


def test_a_written_region_reads_back() -> None:
    region = Region.parse(" 10:40, 20:60")
    assert region == Region(10, 40, 20, 60)
    assert Region.parse(str(region)) == region
    assert (region.height, region.width) == (30, 40)
    assert region.slices == (slice(10, 40), slice(20, 60))


@pytest.mark.parametrize("text", ["", "1:2", "1:2,3:4,5:6", "a:b,c:d", "-1:5,0:5", "1.5:2,0:4", ":,:"])
def test_a_wrong_form_is_refused_and_the_right_one_shown(text: str) -> None:
    with pytest.raises(BadInputError, match="Y0:Y1,X0:X1"):
        Region.parse(text)


@pytest.mark.parametrize("sides", [(5, 5, 0, 9), (6, 5, 0, 9), (0, 9, 4, 4), (-1, 5, 0, 5)])
def test_an_empty_region_is_refused(sides: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadInputError, match="holds no pixel"):
        Region(*sides)


def test_containment_union_and_overlap() -> None:
    region = Region(10, 20, 30, 50)
    assert region.holds(region) and not region.holds(Region(10, 21, 30, 50)) and not region.holds(Region(9, 20, 30, 50))
    assert region.joined(Region(0, 12, 60, 70)) == Region(0, 20, 30, 70)
    assert region.overlap(15, 0, (10, 31)) == ((slice(5, 10), slice(0, 1)), (slice(0, 5), slice(30, 31)))
    assert region.overlap(20, 30, (5, 5)) is None


def test_a_region_is_clipped_to_the_segment() -> None:
    assert Region(10, 400, 20, 600).clip((100, 50)) == Region(10, 100, 20, 50)
    with pytest.raises(BadInputError, match="outside the segment, which is 100 pixels high and 50 wide"):
        Region(0, 9, 50, 60).clip((100, 50))


def test_squares_of_a_grid_cover_a_region() -> None:
    region = Region(10, 20, 8, 9)
    assert region.grid_squares(8) == [(1, 1), (2, 1)]
    assert [Region.grid_square(square, 8) for square in region.grid_squares(8)] == [
        Region(8, 16, 8, 16),
        Region(16, 24, 8, 16),
    ]
