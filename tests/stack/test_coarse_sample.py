"""Coarse pictures from sampled chunks: means of read chunks, interpolated between them, only where that is faster."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_ink.errors import StackError
from napari_ink.stack import coarse_sample, open_stack, stack_of_array
from napari_ink.stack.coarse_sample import CoarseSample, sample_of
from napari_ink.stack.depth_stack import DepthStack
from napari_ink.stack.tiles import Tiles, viewing_levels

# Grey values that rise evenly along y and x, and differ from layer to layer: interpolation is exact between chunks.
_Y, _X = np.mgrid[0:2048, 0:1536]
VOLUME = (np.arange(5)[:, None, None] * 1000 + 4 * _Y + 8 * _X).astype(np.uint16)
CHUNK = 64


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so low that a small stack is sampled: every fourth chunk along both axes."""
    monkeypatch.setattr(coarse_sample, "_MOST_CHUNKS", 48)
    monkeypatch.setattr(coarse_sample, "_WORTH_BYTES", 0)


@pytest.fixture
def deep(few: None) -> DepthStack:
    """A stack whose chunks hold all layers."""
    return replace(stack_of_array(VOLUME, "deep"), stored_px=(CHUNK, CHUNK), layers_together=5)


def _until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_only_stacks_that_take_much_longer_than_a_sample_are_sampled(tmp_path: Path) -> None:
    def sampled(shape: tuple[int, int, int], chunk: tuple[int, int, int], source: str | Path = tmp_path) -> bool:
        stack = DepthStack(
            source, "", shape, np.dtype("uint16"), None, "", lambda *_: 1 / 0, stored_px=chunk[1:],
            layers_together=min(chunk[0], 16),
        )  # fmt: skip
        return sample_of(stack) is not None

    assert sampled((65, 8192, 8192), (65, 128, 128))
    assert not sampled((65, 2048, 2048), (65, 128, 128))
    assert not sampled((65, 8192, 8192), (1, 1024, 1024))
    assert sampled((65, 8192, 8192), (8, 256, 256), "https://server/a.zarr")
    assert not sampled((65, 2048, 2048), (8, 256, 256), "https://server/a.zarr")
    assert not sampled((65, 30000, 30000), (1, 1, 1))  # any part can be read directly


def test_a_stack_with_levels_is_not_sampled(few: None, tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("0", data=VOLUME, chunks=(5, CHUNK, CHUNK))
    assert sample_of(open_stack(tmp_path / "a.zarr")) is not None
    group.create_array("1", data=VOLUME[:, ::2, ::2], chunks=(5, CHUNK, CHUNK))
    assert sample_of(open_stack(tmp_path / "a.zarr")) is None


def test_a_picture_has_the_means_of_chunks_and_values_between_them(deep: DepthStack) -> None:
    reads: list[tuple[int, int]] = []
    lock = threading.Lock()

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        with lock:
            reads.append((y.start, x.start))
        return deep.read_block(z, y, x, step)

    sample = CoarseSample(replace(deep, read_block=read_block))
    rounds: list[int] = []
    sample.on_round = lambda: rounds.append(len(reads))
    rows, columns = np.arange(200, 1700, 8, dtype=np.float32), np.arange(200, 1200, 8, dtype=np.float32)
    assert sample.picture(3, rows, columns) is None
    sample.read(3)
    # A picture after each of three rounds, the last of every fourth chunk; no chunk is read twice.
    assert len(rounds) == 3 and rounds[-1] == len(set(reads)) == len(reads) == 48
    got = sample.picture(3, rows, columns)
    # The centre of the pixel (y, x) is half a pixel further.
    expected = 3000 + 4 * (rows[:, None] - 0.5) + 8 * (columns - 0.5)
    np.testing.assert_allclose(got, expected, atol=1)
    # Beyond the outer chunks their means are repeated.
    corner = VOLUME[1, 128:192, 128:192].mean()
    np.testing.assert_allclose(sample.picture(1, rows[:1] * 0, columns[:1] * 0), corner, atol=1)
    sample.read(0)
    assert len(reads) == 48  # a chunk contains all layers
    sample.close()


def test_tiles_show_the_sample_until_they_are_read(deep: DepthStack) -> None:
    gate = threading.Event()

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        if y.stop - y.start > CHUNK:
            gate.wait(10)
        return deep.read_block(z, y, x, step)

    stack = replace(deep, read_block=read_block)
    levels = viewing_levels(stack)
    tiles = Tiles(levels, stack.dtype, sample=sample_of(stack))
    arrived: list[int] = []
    tiles.on_arrival = lambda: arrived.append(1)
    _, height, width = levels[-1].shape
    whole = len(levels) - 1, 2, slice(0, height), slice(0, width)
    shown = tiles.window(*whole, wait_s=0)
    assert not shown.is_whole
    _until(lambda: len(arrived) >= 3)
    shown = tiles.window(*whole, wait_s=0)
    assert shown.is_sampled and not shown.is_whole
    expected = VOLUME[2, ::2, ::2]
    inner = slice(100, -150), slice(100, -150)
    np.testing.assert_allclose(shown.values[inner].astype(int), expected[inner].astype(int), atol=8)
    gate.set()
    shown = tiles.window(*whole, wait_s=10)
    _until(lambda: tiles.window(*whole, wait_s=1).is_whole)
    shown = tiles.window(*whole, wait_s=1)
    assert not shown.is_sampled
    np.testing.assert_array_equal(shown.values, expected)
    tiles.close()


def test_a_chunk_that_cannot_be_read_ends_the_sample_and_is_reported_once(deep: DepthStack) -> None:
    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        raise StackError("The disk is away.")

    stack = replace(deep, read_block=read_block)
    levels = viewing_levels(stack)
    tiles = Tiles(levels, stack.dtype, sample=sample_of(stack))
    messages: list[str] = []
    tiles.on_failure = messages.append
    shown = tiles.window(len(levels) - 1, 0, slice(0, 400), slice(0, 400), wait_s=10)
    assert not shown.is_sampled and not shown.values.any()
    _until(lambda: messages)
    assert set(messages) == {"The disk is away."}
    tiles.close()


def test_closing_ends_a_sample_that_waits(deep: DepthStack) -> None:
    gate = threading.Event()

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        gate.wait(10)
        return deep.read_block(z, y, x, step)

    sample = CoarseSample(replace(deep, read_block=read_block))
    reader = threading.Thread(target=sample.read, args=(0,))
    reader.start()
    sample.close()
    gate.set()
    reader.join(5)
    assert not reader.is_alive()
