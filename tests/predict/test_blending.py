"""Blending: the sum of weighted values over the sum of weights, exact, in the memory of a strip."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.predict.blending import PROBABILITY_STEPS, Strip, weight_map
from napari_ink.predict.region import Region
from napari_ink.predict.tiles import tile_grid


@given(tile=st.integers(1, 9), overlap=st.floats(0, 0.75))
def test_weights_are_positive_symmetric_and_largest_in_the_middle(tile: int, overlap: float) -> None:
    weights = weight_map(tile_grid((1000, 1000), 32 * tile, 32, overlap))
    assert weights.shape == (32 * tile, 32 * tile) and weights.dtype == np.float32
    assert weights.min() > 0 and weights.max() <= 1
    np.testing.assert_array_equal(weights, weights[::-1])
    np.testing.assert_array_equal(weights, weights.T)
    assert weights[16 * tile, 16 * tile] == weights.max()
    assert (np.diff(weights[16 * tile, : 16 * tile]) >= 0).all()


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(16, 700), st.integers(16, 300)),
    overlap=st.floats(0, 0.75),
    step=st.integers(0, PROBABILITY_STEPS),
)
def test_equal_values_come_out_equal_to_the_bit(shape: tuple[int, int], overlap: float, step: int) -> None:
    grid = tile_grid(shape, 96, 32, overlap)
    whole = Region.whole(shape)
    strip = Strip(grid, whole, None)
    value = np.float32(step / PROBABILITY_STEPS)
    said = np.full((2, *grid.tile), value)
    for row in grid.rows(whole):
        for tile in row:
            strip.add(tile, said)
        for tile in row:
            assert (strip.levels(tile) == np.rint(value * np.float32(255))).all()


def test_a_strip_is_no_higher_than_its_tiles_need() -> None:
    grid = tile_grid((100_000, 300), 256, 32, 0.5)
    strip = Strip(grid, Region.whole(grid.shape), None)
    assert strip.nbytes < 3 * 4 * 300 * 800
    said = np.ones((2, *grid.tile), np.float32)
    for row in grid.rows(Region.whole(grid.shape)):
        strip.add(row[0], said)
    assert strip.nbytes < 3 * 4 * 300 * 800


def test_where_no_tile_was_is_zero() -> None:
    grid = tile_grid((64, 64), 32, 32, 0)
    strip = Strip(grid, Region.whole(grid.shape), None)
    strip.add(Region(0, 32, 32, 64), np.ones((2, 32, 32), np.float32))
    levels = strip.levels(Region.whole(grid.shape))
    assert (levels[:, :32, 32:] == 255).all()
    assert levels.sum() == 2 * 32 * 32 * 255
