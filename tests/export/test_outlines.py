"""Outlines: polygons that GIS programs accept, and that fill exactly the pixels they were traced from."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_ink.export.outlines import fill, trace

MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14))


def _area(ring: np.ndarray) -> float:
    y, x = ring.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


@settings(max_examples=300, deadline=None)
@given(mask=MASKS)
def test_each_piece_is_one_polygon_that_fills_its_pixels(mask: np.ndarray) -> None:
    pieces, number = ndimage.label(mask)
    polygons = trace(mask)
    assert len(polygons) == number
    for piece, polygon in enumerate(polygons, 1):
        np.testing.assert_array_equal(fill([polygon.outline, *polygon.holes], mask.shape), pieces == piece)
        assert _area(polygon.outline) + sum(map(_area, polygon.holes)) == (pieces == piece).sum()


@settings(max_examples=300, deadline=None)
@given(mask=MASKS)
def test_rings_are_simple_and_turn_the_right_way(mask: np.ndarray) -> None:
    for polygon in trace(mask):
        assert _area(polygon.outline) > 0 and all(_area(hole) < 0 for hole in polygon.holes)
        for ring in (polygon.outline, *polygon.holes):
            assert len(np.unique(ring, axis=0)) == len(ring) >= 4
            steps = np.diff(np.vstack([ring, ring[:1]]), axis=0)
            assert ((steps == 0).sum(axis=1) == 1).all()
            along = steps[:, 0] == 0
            assert (along != np.roll(along, 1)).all()  # every point is a corner


def test_a_hole_that_touches_the_outline_is_a_separate_ring() -> None:
    mask = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 1]], np.bool_)
    (polygon,) = trace(mask)
    assert len(polygon.holes) == 1 and len(polygon.holes[0]) == 4


def _inside(y: float, x: float, ring: np.ndarray) -> bool:
    """Return whether a point is inside, by the number of sides left of it."""
    crossings = 0
    for (y0, x0), (y1, x1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if (y0 <= y) != (y1 <= y):
            crossings += x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x
    return crossings % 2 == 1


@settings(max_examples=150, deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(-8, 30), st.integers(-8, 30)), min_size=3, max_size=8),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
)
def test_polygons_of_any_slope_fill_the_pixel_centres_inside(
    points: list[tuple[int, int]], height: int, width: int
) -> None:
    # Partly outside; and with offsets that are no ratio of whole numbers, no side passes through a pixel centre.
    ring = np.array(points) / 2 + (0.13, np.sqrt(2) / 10)
    truth = [[_inside(y + 0.5, x + 0.5, ring) for x in range(width)] for y in range(height)]
    np.testing.assert_array_equal(fill([ring], (height, width)), truth)
