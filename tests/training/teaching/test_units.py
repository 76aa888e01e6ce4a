"""Units of labels: groups that lie apart, and folds of them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from napari_ink.region import Region
from napari_ink.training.teaching.units import APART_PX, CELL_PX, Unit, Units, folds

HEIGHT, WIDTH = 203, 150
rectangles = st.tuples(
    st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1), st.integers(1, 40), st.integers(1, 40), st.integers(0, 3)
)


def painted(strokes, shape=(HEIGHT, WIDTH)):
    labels = np.zeros(shape, np.uint8)
    for y, x, height, width, value in strokes:
        labels[y : y + height, x : x + width] = value
    return labels


def cells_of(plane):
    """Return which cells of 8 pixels hold a true pixel, cell by cell."""
    height, width = (-(-length // CELL_PX) for length in plane.shape)
    found = np.zeros((height, width), bool)
    for row, column in np.ndindex(height, width):
        found[row, column] = plane[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8].any()
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(rectangles, max_size=8))
def test_units_partition_the_labelled_cells_and_lie_apart(strokes):
    labels = painted(strokes)
    units = Units(labels)
    labelled = (labels == 1) | (labels == 2)
    np.testing.assert_array_equal(units.plane >= 0, cells_of(labelled))
    assert [unit.number for unit in units.units] == list(range(units.plane.max(initial=-1) + 1))
    assert sum(unit.ink_px for unit in units.units) == (labels == 2).sum()
    assert sum(unit.papyrus_px for unit in units.units) == (labels == 1).sum()
    for unit in units.units:
        mine = units.mask([unit.number])
        assert (labels[mine] == 2).sum() == unit.ink_px
        region = unit.region
        assert not mine[: region.y0].any() and not mine[region.y1 :].any()
        assert not mine[:, : region.x0].any() and not mine[:, region.x1 :].any()
        others = (units.plane >= 0) & (units.plane != unit.number)
        if others.any():
            steps = cdist(np.argwhere(units.plane == unit.number), np.argwhere(others), "chebyshev").min()
            assert (steps - 1) * CELL_PX >= APART_PX


def test_strokes_nearer_than_24_pixels_are_one_unit():
    near, apart = painted([(8, 8, 8, 8, 2), (8, 32, 8, 8, 2)]), painted([(8, 8, 8, 8, 2), (8, 40, 8, 8, 2)])
    assert len(Units(near).units) == 1
    assert len(Units(apart).units) == 2


def test_reviewed_areas_are_cut_into_squares_of_256_pixels():
    labels = painted([(0, 0, 560, 530, 1), (600, 0, 600, 524, 2)], (1200, 600))
    units = Units(labels).units
    # Squares of one area are never joined with those of the other.
    assert all(not (unit.ink_px and unit.papyrus_px) for unit in units)
    assert all(unit.region.height <= 256 and unit.region.width <= 256 for unit in units)
    assert len([unit for unit in units if unit.ink_px]) == len([unit for unit in units if unit.papyrus_px]) == 9


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 20, 500]), st.sampled_from([0, 3, 40, 900])), max_size=30),
    st.integers(1, 6),
    st.integers(0, 9),
)
def test_folds_cover_all_units_and_are_balanced(sizes, count, seed):
    units = [Unit(number, Region(0, 8, 0, 8), ink, papyrus) for number, (ink, papyrus) in enumerate(sizes)]
    found = folds(units, count, seed)
    assert sorted(number for fold in found for number in fold) == list(range(len(units)))
    with_ink, with_papyrus = sum(ink > 0 for ink, _ in sizes), sum(papyrus > 0 for _, papyrus in sizes)
    assert len(found) == max(1, min(count, with_ink, with_papyrus))
    ink = [sum(sizes[number][0] for number in fold) for fold in found]
    assert max(ink) - min(ink) <= max((size for size, _ in sizes), default=0)
    if len(found) > 1:
        assert min(ink) > 0
    assert found == folds(units, count, seed)
