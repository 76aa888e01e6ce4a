"""Patches, the tasks of a cluster: the blocks that workers finish, equal to those of a run on one machine."""

import numpy as np
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.predict.answers import Answer, bad_tiles
from napari_ink.predict.blending import PROBABILITY_STEPS, OpenBlocks
from napari_ink.predict.cluster.patches import BlendedPatch, in_patches, unpacked, with_own_blocks
from napari_ink.predict.storage.encoding import BlockCodec
from napari_ink.predict.tile_queue import TileQueue
from napari_ink.predict.tiles import block_area, blocks_in, plan_tiles, tile_grid
from napari_ink.region import Region
from napari_ink.typing import Float32Array

CODEC = BlockCodec(0, False)


def outputs(count: int, side: int, seed: int, with_nan: bool) -> Float32Array:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, PROBABILITY_STEPS + 1, (count, 2, side, side)) / PROBABILITY_STEPS
    if with_nan:
        values[rng.integers(count), 0, 3, 3] = np.nan
    return values.astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(300, 900), st.integers(300, 900)),
    overlap=st.sampled_from([0.0, 0.25, 0.5]),
    most=st.integers(1, 9),
    batch_size=st.integers(1, 3),
    every=st.integers(2, 9),
)
def test_blocks_of_workers_and_of_the_writer_equal_those_of_one_machine(
    shape: tuple[int, int], overlap: float, most: int, batch_size: int, every: int
) -> None:
    grid, region = tile_grid(shape, 128, 8, overlap), Region(0, shape[0], 20, shape[1])
    batches = plan_tiles(grid, region, blocks_in(region), batch_size, lambda _: True).batches
    values = {b: outputs(len(b.tiles), max(grid.tile), n, n % every == 0) for n, b in enumerate(batches)}
    whole, here, queue = OpenBlocks(grid, region, None), OpenBlocks(grid, region, None), TileQueue(batches)
    touched = {block: sum(block in b.blocks for b in batches) for block in blocks_in(region)}
    cut = set(blocks_in(region)[::5])  # like blocks cut by a mask
    finished = {}
    for patch in (with_own_blocks(one, touched, lambda b: b not in cut) for one in in_patches(batches, grid, most)):
        made = BlendedPatch(patch, grid, region, CODEC)
        for batch in patch.batches:
            made.add(batch, values[batch])
        assert set(made.answer.finished) == patch.own_blocks and not cut & patch.own_blocks
        for batch, steps, bad in zip(patch.batches, made.answer.probabilities, made.answer.bad, strict=True):
            assert bad == bad_tiles(batch, values[batch])
            answer = Answer(batch, None if steps is None else unpacked(steps), bad, made.answer.finished)
            assert (answer.probabilities is None) == (not answer.open_blocks)
            for n, tile in enumerate(batch.tiles):
                if tile in bad:
                    continue
                whole.add(tile, values[batch][n], batch.blocks)
                if answer.probabilities is not None:
                    here.add(tile, answer.probabilities[n], answer.open_blocks)
            queue.finish(batch)
        finished.update(made.answer.finished)
    for block in blocks_in(region):
        area = block_area(block, region)
        expected = CODEC.encode(block, area, whole.levels(area))
        assert finished.get(block, CODEC.encode(block, area, here.levels(area))) == expected


def test_only_blocks_that_other_patches_touch_are_sent_as_probabilities() -> None:
    shape = (1024, 1024)
    grid, region = tile_grid(shape, 768, 32, 0.0, 32, 128), Region.whole(shape)
    batches = plan_tiles(grid, region, blocks_in(region), 1, lambda _: True).batches
    touched = {block: sum(block in b.blocks for b in batches) for block in blocks_in(region)}
    for one in in_patches(batches, grid, 1):
        made = BlendedPatch(with_own_blocks(one, touched, lambda _: True), grid, region, CODEC)
        for batch in one:
            made.add(batch, np.zeros((1, 2, *grid.kept), np.float32))
        assert made.answer.probabilities == [None] * len(one)


def test_a_store_of_another_form_gets_probabilities_only() -> None:
    shape = (300, 300)
    grid, region = tile_grid(shape, 128, 8, 0.25), Region.whole(shape)
    batches = plan_tiles(grid, region, blocks_in(region), 1, lambda _: True).batches
    other = zarr.create_array(zarr.storage.MemoryStore(), shape=(2, *shape), chunks=(1, 100, 100), dtype="uint8")
    assert BlockCodec.of(other) is None
    assert not with_own_blocks(batches, {}, None).own_blocks


@given(
    shape=st.tuples(st.integers(64, 1500), st.integers(64, 1500)), most=st.integers(1, 50), batch_size=st.integers(1, 4)
)
def test_patches_contain_every_batch_once(shape: tuple[int, int], most: int, batch_size: int) -> None:
    grid, whole = tile_grid(shape, 64, 8, 0.25), Region.whole(shape)
    batches = plan_tiles(grid, whole, blocks_in(whole), batch_size, lambda _: True).batches
    patches = list(in_patches(batches, grid, most))
    assert sorted(b.tiles[0].slices[0].start for p in patches for b in p) == sorted(b.tiles[0].y0 for b in batches)
    assert {id(batch) for patch in patches for batch in patch} == {id(batch) for batch in batches}
    assert all(patch for patch in patches)
    tops = [min(batch.tiles[0].y0 for batch in patch) for patch in patches]
    assert tops == sorted(tops)


def test_missing_values_unpack_to_nan() -> None:
    np.testing.assert_array_equal(unpacked(np.array([0, 1024, 2048, 65535], np.uint16)), [0, 0.5, 1, np.nan])
