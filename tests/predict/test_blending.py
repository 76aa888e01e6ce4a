"""Blending: the sum of weighted values over the sum of weights, exact in any order, in the memory of open blocks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.predict.blending import PROBABILITY_STEPS, OpenBlocks, weight_map
from napari_ink.predict.tiles import BLOCK, blocks_in, tile_grid
from napari_ink.region import Region


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
def test_equal_values_blend_to_the_same_bits(shape: tuple[int, int], overlap: float, step: int) -> None:
    grid = tile_grid(shape, 96, 32, overlap)
    whole = Region.whole(shape)
    blend = OpenBlocks(grid, whole, None)
    value = np.float32(step / PROBABILITY_STEPS)
    values = np.full((2, *grid.tile), value)
    for row in grid.rows(whole):
        for tile in row:
            blend.add(tile, values, blocks_in(tile))
        for tile in row:
            assert (blend.levels(tile) == np.rint(value * np.float32(255))).all()


@settings(deadline=None, max_examples=30)
@given(shape=st.tuples(st.integers(16, 400), st.integers(16, 400)), overlap=st.floats(0, 0.75), seed=st.integers(0, 99))
def test_the_order_of_tiles_changes_no_bit(shape: tuple[int, int], overlap: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = tile_grid(shape, 96, 32, overlap)
    whole = Region.whole(shape)
    values = {
        tile: (rng.integers(0, PROBABILITY_STEPS + 1, (3, *grid.tile)) / PROBABILITY_STEPS).astype(np.float32)
        for row in grid.rows(whole)
        for tile in row
    }
    maps = []
    for tiles in (list(values), [list(values)[n] for n in rng.permutation(len(values))]):
        blend = OpenBlocks(grid, whole, None, 3)
        for tile in tiles:
            blend.add(tile, values[tile], blocks_in(tile))
        maps.append(blend.levels(whole))
    np.testing.assert_array_equal(*maps)


def test_only_open_blocks_take_memory() -> None:
    grid = tile_grid((4096, 300), 256, 32, 0.5)
    blend = OpenBlocks(grid, Region.whole(grid.shape), None)
    values = np.ones((2, *grid.tile), np.float32)
    for row in grid.rows(Region.whole(grid.shape)):
        for tile in row:
            blend.add(tile, values, blocks_in(tile))
        for block in blocks_in(Region.whole(grid.shape)):
            if (block[0] + 1) * BLOCK <= row[0].y0 + grid.stride[0]:
                blend.discard(block)
        assert blend.nbytes <= 3 * 4 * 300 * 2 * BLOCK


def test_pixels_without_a_tile_are_zero() -> None:
    grid = tile_grid((64, 64), 32, 32, 0)
    blend = OpenBlocks(grid, Region.whole(grid.shape), None)
    blend.add(Region(0, 32, 32, 64), np.ones((2, 32, 32), np.float32), [(0, 0)])
    levels = blend.levels(Region.whole(grid.shape))
    assert (levels[:, :32, 32:] == 255).all()
    assert levels.sum() == 2 * 32 * 32 * 255


def test_a_tile_changes_only_the_blocks_that_wait_for_it() -> None:
    grid = tile_grid((512, 512), 256, 32, 0.5)
    blend = OpenBlocks(grid, Region.whole(grid.shape), None)
    blend.add(Region(128, 384, 128, 384), np.ones((2, 256, 256), np.float32), [(1, 1)])
    levels = blend.levels(Region.whole(grid.shape))
    assert (levels[:, 256:384, 256:384] == 255).all() and levels.sum() == 2 * 128 * 128 * 255
