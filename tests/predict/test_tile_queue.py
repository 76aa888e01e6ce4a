"""The order of batches: from the visible region outwards, or by rows if rows are read together; each once."""

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.predict.tile_queue import TileQueue
from napari_ink.predict.tiles import BLOCK, Batch, blocks_in, plan_tiles, tile_grid
from napari_ink.region import Region

SHAPE = (9 * BLOCK, 7 * BLOCK)


def batches_of(shape: tuple[int, int], batch_size: int = 1) -> tuple[Batch, ...]:
    grid, whole = tile_grid(shape, 128, 8, 0.25), Region.whole(shape)
    return plan_tiles(grid, whole, blocks_in(whole), batch_size, lambda _: True).batches


def order_of_blocks(queue: TileQueue) -> list[tuple[int, int]]:
    finished: list[tuple[int, int]] = []
    while (batch := queue.take()) is not None:
        finished += sorted(queue.finish(batch))
    return finished


@given(
    shape=st.tuples(st.integers(40, 1500), st.integers(40, 1500)),
    batch_size=st.integers(1, 3),
    in_rows=st.booleans(),
    view=st.none() | st.tuples(st.integers(0, 1500), st.integers(0, 1500), st.integers(1, 900), st.integers(1, 900)),
)
def test_each_batch_is_issued_once_and_each_block_finishes_once(
    shape: tuple[int, int], batch_size: int, in_rows: bool, view: tuple[int, int, int, int] | None
) -> None:
    batches = batches_of(shape, batch_size)
    seen = None if view is None else Region(view[0], view[0] + view[2], view[1], view[1] + view[3])
    queue = TileQueue(batches, lambda: seen, in_rows)
    assert sorted(order_of_blocks(queue)) == sorted(blocks_in(Region.whole(shape)))


def test_without_a_visible_region_the_order_is_row_by_row() -> None:
    rows = [row for row, _ in order_of_blocks(TileQueue(batches_of(SHAPE)))]
    assert rows == sorted(rows)


@pytest.mark.parametrize("middle", [(4, 3), (0, 0), (8, 6)])
def test_the_nearest_block_is_finished_first(middle: tuple[int, int]) -> None:
    y, x = (place * BLOCK + BLOCK // 2 for place in middle)
    order = order_of_blocks(TileQueue(batches_of(SHAPE), lambda: Region(y - 50, y + 50, x - 50, x + 50)))
    distances = [(row - middle[0]) ** 2 + (column - middle[1]) ** 2 for row, column in order]
    assert order[0] == middle and distances[-1] == max(distances)
    # A neighbour that finishes with a nearer block may be early, but none is late.
    nearest_left = [min(distances[n:]) for n in range(len(distances))]
    assert nearest_left == sorted(nearest_left)
    assert sum(distances[:9]) <= sum(sorted(distances)[:16])


def test_rows_that_are_read_together_are_finished_one_by_one() -> None:
    # The view ends between two rows of blocks, so that one above is as near as one below.
    view = Region(3 * BLOCK, 5 * BLOCK, 2 * BLOCK + 20, 3 * BLOCK)
    order = order_of_blocks(TileQueue(batches_of(SHAPE), lambda: view, in_rows=True))
    assert {*order[:4]} >= {(3, 2), (4, 2)}
    rows = [row for row, _ in order if row not in (3, 4)]
    assert len([*groupby(rows)]) == len({*rows})
    assert [row for row, _ in groupby(rows)] in ([5, 2, 6, 1, 7, 0, 8], [2, 5, 1, 6, 0, 7, 8])


def test_moving_the_view_changes_the_next_batch() -> None:
    looking = Region(0, 10, 0, 10)
    queue = TileQueue(batches_of(SHAPE), lambda: looking)
    batch = queue.take()
    assert batch is not None and (0, 0) in batch.blocks
    looking = Region(8 * BLOCK, 9 * BLOCK, 6 * BLOCK, 7 * BLOCK)
    batch = queue.take()
    assert batch is not None and (8, 6) in batch.blocks
