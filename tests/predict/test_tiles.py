"""Tile geometry: properties that hold for every size, and a plan that finishes every block once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.errors import BadInputError
from napari_ink.predict.tiles import BLOCK, TileGrid, block_area, blocks_in, plan_tiles, tile_grid, tile_starts
from napari_ink.region import Region

sizes = st.integers(16, 900)


@st.composite
def grids(draw: st.DrawFn) -> TileGrid:
    shape = draw(sizes), draw(sizes)
    divisor = draw(st.sampled_from([1, 8, 32]))
    return tile_grid(shape, draw(st.integers(32, 300)), divisor, draw(st.floats(0, 0.75)))


@st.composite
def regions_in(draw: st.DrawFn, shape: tuple[int, int]) -> Region:
    y0, x0 = (draw(st.integers(0, n - 1)) for n in shape)
    return Region(y0, draw(st.integers(y0 + 1, shape[0])), x0, draw(st.integers(x0 + 1, shape[1])))


@given(length=st.integers(1, 5000), tile=st.integers(1, 600), data=st.data())
def test_tiles_cover_an_axis_and_stay_inside_it(length: int, tile: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(max(1, tile // 4), tile))
    starts = tile_starts(length, tile, stride)
    assert starts[0] == 0
    assert max(starts[-1] + tile, length) == max(tile, length)
    assert all(0 < after - before <= stride for before, after in zip(starts, starts[1:], strict=False))


@given(grid=grids())
def test_tiles_have_sizes_that_the_network_can_read(grid: TileGrid) -> None:
    for row in grid.rows(Region.whole(grid.shape)):
        for tile in row:
            assert tile.within(Region.whole(grid.shape)) == tile
            for side, length, whole in zip(tile.shape, grid.shape, grid.tile, strict=True):
                assert side == min(whole, length)


@given(tile_size=st.integers(32, 300), divisor=st.sampled_from([1, 8, 32]), length=sizes)
def test_tiles_are_multiples_of_the_divisor_and_pad_only_small_segments(
    tile_size: int, divisor: int, length: int
) -> None:
    side = tile_grid((length, length), tile_size, divisor, 0.5).tile[0]
    assert side % divisor == 0
    assert side <= tile_size
    assert side - length < divisor


@given(data=st.data(), grid=grids())
def test_a_region_uses_the_tiles_of_the_whole_grid_that_touch_it(data: st.DataObject, grid: TileGrid) -> None:
    region = data.draw(regions_in(grid.shape))
    everywhere = [tile for row in grid.rows(Region.whole(grid.shape)) for tile in row]
    assert [tile for row in grid.rows(region) for tile in row] == [tile for tile in everywhere if tile.touches(region)]


@given(data=st.data(), grid=grids(), batch_size=st.integers(1, 5))
def test_batches_list_the_pending_blocks_that_they_touch(data: st.DataObject, grid: TileGrid, batch_size: int) -> None:
    region = data.draw(regions_in(grid.shape))
    dropped = data.draw(st.integers(1, 4))
    pending = data.draw(st.sets(st.sampled_from(blocks_in(region))))
    plan = plan_tiles(grid, region, pending, batch_size, lambda tile: (tile.y0 + tile.x0) % dropped == 0)
    for batch in plan.batches:
        assert len(batch.tiles) <= batch_size and len({tile.y0 for tile in batch.tiles}) == 1
        touched = {block for tile in batch.tiles for block in blocks_in(tile.within(region))}
        assert set(batch.blocks) == touched & pending and batch.blocks, "no block waits for this batch"
    waiting = {block for batch in plan.batches for block in batch.blocks}
    assert waiting | set(plan.untouched) == pending and not waiting & set(plan.untouched)
    assert plan.tiles == sum(len(batch.tiles) for batch in plan.batches)


@given(length=st.integers(1, 5000), tile=st.integers(1, 600), step=st.sampled_from([1, 2, 4]), data=st.data())
def test_tiles_begin_at_multiples_of_a_step(length: int, tile: int, step: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, tile)) * step
    tile = tile * step
    starts = tile_starts(length, tile, stride, step)
    assert starts[0] == 0 and all(start % step == 0 for start in starts)
    assert 0 <= max(starts[-1] + tile, length) - max(tile, length) < step
    assert all(0 < after - before <= stride for before, after in zip(starts, starts[1:], strict=False))


@given(data=st.data(), grid=grids(), batch_size=st.integers(1, 5))
def test_the_remaining_tiles_form_the_same_batches(data: st.DataObject, grid: TileGrid, batch_size: int) -> None:
    region = data.draw(regions_in(grid.shape))
    blocks = blocks_in(region)
    left = data.draw(st.sets(st.sampled_from(blocks)))
    whole, rest = (plan_tiles(grid, region, some, batch_size, lambda _: True) for some in (blocks, left))
    everything = [batch.tiles for batch in whole.batches]
    assert [batch.tiles for batch in rest.batches] == [tiles for tiles in everything if _touch(tiles, region, left)]


def _touch(tiles: tuple[Region, ...], region: Region, blocks: set[tuple[int, int]]) -> bool:
    return any(block_area(block, region).touches(tile) for tile in tiles for block in blocks)


@given(data=st.data(), shape=st.tuples(sizes, sizes))
def test_blocks_cover_a_region_once(data: st.DataObject, shape: tuple[int, int]) -> None:
    region = data.draw(regions_in(shape))
    count = np.zeros(shape, int)
    for block in blocks_in(region):
        area = block_area(block, region)
        assert (area.y0 // BLOCK, area.x0 // BLOCK) == block
        count[area.slices] += 1
    assert count.sum() == count[region.slices].sum() == region.height * region.width
    assert count.max() == 1


@pytest.mark.parametrize("overlap", [-0.1, 0.76, 1.0, float("nan")])
def test_an_invalid_overlap_is_refused(overlap: float) -> None:
    with pytest.raises(BadInputError, match="between 0 and 0.75"):
        tile_grid((100, 100), 64, 32, overlap)
