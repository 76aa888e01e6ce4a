"""The pixels inside drawn shapes, compared with the definition pixel by pixel."""

import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from napari_ink.gui.models.polygons import around, as_polygon, inside, is_upright_box
from napari_ink.region import Region

SHAPE = (30, 40)
coordinates = st.one_of(
    st.floats(-10, 50, allow_nan=False).map(lambda value: round(value, 2)), st.integers(-10, 50).map(float)
)
outlines = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9).map(np.array)


def _distances(corners: np.ndarray) -> np.ndarray:
    """Return the distance of the centre of each pixel from an outline."""
    points = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1).astype(float)
    nearest = np.full(SHAPE, np.inf)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        side = end - start
        share = np.clip(((points - start) @ side) / max(side @ side, 1e-12), 0, 1)[..., None]
        nearest = np.minimum(nearest, np.linalg.norm(points - start - share * side, axis=-1))
    return nearest


def _by_angles(corners: np.ndarray) -> np.ndarray:
    """Return the pixels that an outline encloses an odd number of times, from the angles of its sides."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    total = np.zeros(SHAPE)
    for (y0, x0), (y1, x1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        turned = np.arctan2(y1 - y, x1 - x) - np.arctan2(y0 - y, x0 - x)
        total += (turned + np.pi) % (2 * np.pi) - np.pi
    return np.round(total / (2 * np.pi)).astype(int) % 2 == 1


@settings(max_examples=200, deadline=None)
@given(corners=outlines)
def test_a_pixel_belongs_to_a_shape_that_contains_its_centre(corners: np.ndarray) -> None:
    found = inside([corners], Region(0, SHAPE[0], 0, SHAPE[1]))
    is_plain = _distances(corners) > 1e-6
    assert np.array_equal(found[is_plain], _by_angles(corners)[is_plain])
    assert np.array_equal(found[is_plain], polygon2mask(SHAPE, corners)[is_plain])


@settings(max_examples=50, deadline=None)
@example(polygons=[np.array([(0.0, 0.0), (0.85, 49.0), (36.0, 12.0)])])
@given(polygons=st.lists(outlines, max_size=3))
def test_a_part_equals_that_part_of_the_whole_and_the_box_contains_all(polygons: list[np.ndarray]) -> None:
    whole = inside(polygons, Region(0, SHAPE[0], 0, SHAPE[1]))
    part = Region(3, 21, 5, 33)
    assert np.array_equal(inside(polygons, part), whole[part.slices])
    box = around(polygons, SHAPE)
    if box is not None:
        whole[box.slices] = False
    assert not whole.any()


@given(y=coordinates, x=coordinates, height=st.floats(0.01, 20), width=st.floats(0.01, 20), turned=st.booleans())
def test_the_box_describes_an_upright_rectangle(y: float, x: float, height: float, width: float, turned: bool) -> None:
    corners = np.array([[y, x], [y + height, x], [y + height, x + width], [y, x + width]])
    polygons = [corners[:, ::-1] if turned else corners]
    assert is_upright_box(polygons)
    box = around(polygons, SHAPE)
    if box is None:
        assert not inside(polygons, Region(0, SHAPE[0], 0, SHAPE[1])).any()
    else:
        assert inside(polygons, box).all()


@pytest.mark.parametrize(
    "corners",
    [
        [[0, 0], [9, 0], [9, 9]],
        [[0, 0], [9, 1], [9, 9], [0, 9]],
        [[0, 0], [9, 0], [0, 0], [0, 9]],
        [[0, 0], [9, 0], [12, 0], [0, 9]],
        [[5, 5], [5, 5], [5, 5], [5, 5]],
    ],
)
def test_the_box_does_not_describe_other_shapes(corners: list[list[float]]) -> None:
    polygon = np.array(corners, float)
    assert not is_upright_box([polygon])
    assert not is_upright_box([])
    box = np.array([[0.0, 0], [9, 0], [9, 9], [0, 9]])
    assert not is_upright_box([box, box])


def test_an_ellipse_fills_the_right_share_of_its_box() -> None:
    corners = as_polygon(np.array([[0.0, 0], [0, 40], [30, 40], [30, 0]]), "ellipse")
    share = inside([corners], Region(0, 30, 0, 40)).mean()
    assert share == pytest.approx(np.pi / 4, abs=0.02)


def test_a_large_shape_is_filled_quickly() -> None:
    corners = as_polygon(np.array([[0.0, 0], [0, 3000], [3000, 3000], [3000, 0]]), "ellipse")
    began = time.perf_counter()
    inside([corners], Region(0, 3000, 0, 3000))
    assert time.perf_counter() - began < 0.5  # it used to block the window for two seconds
