"""Tiles: complete windows equal the stored values, memory stays bounded, and errors are reported."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.errors import StackError
from napari_ink.stack import Level, open_stack
from napari_ink.stack.tiles import TILE_PX, Tiles, viewing_levels

VOLUME = np.random.default_rng(0).integers(1, 65535, (9, 1300, 2500), dtype=np.uint16)
ALL = slice(0, 1300), slice(0, 2500)


@pytest.fixture
def stack(tmp_path: Path):
    np.save(tmp_path / "seg.npy", VOLUME)
    return open_stack(tmp_path / "seg.npy")


def test_levels_go_down_to_the_size_of_a_screen(stack) -> None:
    levels = viewing_levels(stack)
    assert [level.step for level in levels] == [(1, 1, 1), (1, 2, 2), (1, 4, 4)]
    for level in levels[1:]:
        step = level.step[1]
        np.testing.assert_array_equal(
            level.read(slice(2, 4), slice(3, 200), slice(5, 301)), VOLUME[2:4, ::step, ::step][:, 3:200, 5:301]
        )


@settings(max_examples=30, deadline=None)
@given(data=st.data(), by_layer=st.booleans(), together=st.integers(1, 4))
def test_a_complete_window_equals_the_stored_values(data: st.DataObject, by_layer: bool, together: int) -> None:
    def read(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        return VOLUME[z, y, x]

    tiles = Tiles([Level(VOLUME.shape, (1, 1, 1), read, together)], VOLUME.dtype, by_layer)
    for _ in range(3):
        z = data.draw(st.integers(0, 8))
        y, x = (
            slice(start := data.draw(st.integers(0, length - 1)), data.draw(st.integers(start + 1, length)))
            for length in VOLUME.shape[1:]
        )
        shown = tiles.window(0, z, y, x, wait_s=10)
        assert shown.is_whole
        np.testing.assert_array_equal(shown.values, VOLUME[z, y, x])
    tiles.close()


class Gate:
    """Reads a volume once it is opened, and records the reads."""

    def __init__(self) -> None:
        self.open, self.reads = threading.Event(), []

    def __call__(self, z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        self.open.wait(10)
        self.reads.append((z.start, y.start, x.start))
        return VOLUME[z, y, x]


def _until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_missing_tiles_are_shown_coarsely_until_they_arrive(stack) -> None:
    fine, arrived = Gate(), []
    coarse = viewing_levels(stack)[2]
    tiles = Tiles([Level(VOLUME.shape, (1, 1, 1), fine), coarse], VOLUME.dtype)
    tiles.on_arrival = lambda: arrived.append(1)
    _, height, width = coarse.shape
    assert tiles.window(1, 4, slice(0, height), slice(0, width), 10).is_whole
    begun = time.monotonic()
    shown = tiles.window(0, 4, *ALL, wait_s=0.02)
    assert not shown.is_whole
    assert time.monotonic() - begun < 1
    np.testing.assert_array_equal(shown.values, np.repeat(np.repeat(VOLUME[4, ::4, ::4], 4, 0), 4, 1)[:1300, :2500])
    before = len(arrived)
    fine.open.set()
    _until(lambda: len(arrived) > before + 10)
    np.testing.assert_array_equal(tiles.window(0, 4, *ALL, wait_s=10).values, VOLUME[4])
    tiles.close()


def test_fast_scrolling_reads_the_final_layer_first(stack) -> None:
    gate = Gate()
    tiles = Tiles([Level(VOLUME.shape, (1, 1, 1), gate)], VOLUME.dtype)
    here = slice(0, TILE_PX), slice(0, TILE_PX)
    for z in range(8):
        tiles.window(0, z, *here, wait_s=0)
    gate.open.set()
    assert tiles.window(0, 7, *here, wait_s=10).is_whole
    # Two readers had started on the first layers; no layer in between was read before the last one.
    assert [z for z, _, _ in gate.reads][:4].index(7) <= 2
    tiles.close()


def test_the_next_layers_are_read_ahead_in_the_direction_of_travel(stack) -> None:
    gate = Gate()
    gate.open.set()
    tiles = Tiles([Level(VOLUME.shape, (1, 1, 1), gate)], VOLUME.dtype)
    here = slice(0, TILE_PX), slice(0, TILE_PX)
    tiles.window(0, 6, *here, wait_s=10)
    tiles.window(0, 5, *here, wait_s=10)
    _until(lambda: {z for z, _, _ in gate.reads} >= {5, 4, 3, 2})
    assert tiles.window(0, 4, *here, wait_s=0).is_whole
    tiles.close()


def test_memory_is_bounded(stack) -> None:
    tiles = Tiles(viewing_levels(stack), VOLUME.dtype, kept_bytes=4 * 2**20)
    for z in range(9):
        tiles.window(0, z, *ALL, wait_s=10)
    _until(lambda: not tiles._coming)
    assert sum(tile.nbytes for tile in tiles._kept.values()) == tiles._bytes <= 4 * 2**20
    tiles.close()


def test_an_error_is_reported_and_retried(stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_ink.stack.tiles._RETRY_S", 0.0)
    messages, broken = [], [True]

    def read(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        if broken[0]:
            raise StackError("The disk is away.")
        return VOLUME[z, y, x]

    tiles = Tiles(viewing_levels(replace(stack, read_block=read)), VOLUME.dtype)
    tiles.on_failure = messages.append
    here = slice(0, 100), slice(0, 100)
    shown = tiles.window(0, 3, *here, wait_s=10)
    assert not shown.is_whole and not shown.values.any() and "The disk is away." in messages
    broken[0] = False
    assert tiles.window(0, 3, *here, wait_s=10).is_whole
    tiles.close()
