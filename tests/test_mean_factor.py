"""The number of voxels in a mean, as an exact fraction."""

from fractions import Fraction

import pytest

from napari_ink.mean_factor import factor_of, mean_at, seen_side


def test_factors_are_exact_to_four_decimals() -> None:
    assert [factor_of(one) for one in (1.2137, 2.5, 3)] == [Fraction(12137, 10000), Fraction(5, 2), 3]


def test_a_voxel_belongs_to_the_mean_in_which_its_middle_lies() -> None:
    assert [mean_at(voxel, Fraction(3, 2)) for voxel in range(4)] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("tile", "factor", "side"), [((320, 256), 1, 320), ((512, 512), 2, 256), ((311, 311), 1.2137, 256)]
)
def test_a_tile_has_a_side_of_whole_seen_pixels(tile: tuple[int, int], factor: float, side: int) -> None:
    assert seen_side(tile, factor) == side
