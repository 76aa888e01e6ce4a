"""Reading in parts: the same values, each part read once, in any order of requests."""

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_ink.errors import StackError
from napari_ink.predict import PredictRequest, open_prediction
from napari_ink.predict.cells import CellGrid
from napari_ink.predict.grey_source import GreySource
from napari_ink.region import Region
from napari_ink.stack import DepthStack, open_stack
from tests.predict.stand_ins import Smear, ink_model, make_stack, run


def counted(stack: DepthStack, stored_px: tuple[int, int]) -> tuple[DepthStack, Counter[tuple[int, int]]]:
    """Return a stack stored in parts of that size, and a count of the reads that start at each position."""
    begins: Counter[tuple[int, int]] = Counter()

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        begins[y.start, x.start] += 1
        return stack.read_block(z, y, x, step)

    watched = replace(stack, read_block=read_block, stored_px=stored_px)
    watched.__dict__["_samples"] = stack._samples
    return watched, begins


@settings(max_examples=30, deadline=None)
@given(
    data=st.data(),
    stored=st.just((1, 1)) | st.tuples(st.integers(1, 500), st.integers(1, 800)),
    budget=st.sampled_from([0, 10**5, 10**9]),
    row_px=st.none() | st.integers(1, 400),
)
def test_windows_equal_those_of_the_stack(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    stored: tuple[int, int],
    budget: int,
    row_px: int | None,
) -> None:
    stack = make_stack(tmp_path_factory.mktemp("source"), (5, 330, 400))
    watched, begins = counted(stack, stored)
    source = GreySource(watched, slice(1, 4), row_px, budget)
    for _ in range(4):
        y0, x0 = data.draw(st.integers(0, 329)), data.draw(st.integers(0, 399))
        area = Region(y0, data.draw(st.integers(y0 + 1, 330)), x0, data.draw(st.integers(x0 + 1, 400)))
        np.testing.assert_array_equal(source.read(area), stack.read(slice(1, 4), *area.slices))
    if budget == 10**9:
        assert set(begins.values()) <= {1}


@example(height=291, width=6474, stored=(29, 6474), layers=65, row_px=None)
@example(height=174, width=3572, stored=(174, 1786), layers=27, row_px=1537)
@example(height=9000, width=9000, stored=(1024, 1024), layers=26, row_px=9000)
@example(height=529, width=2608, stored=(264, 2608), layers=65, row_px=None)
@given(
    height=st.integers(1, 50_000),
    width=st.integers(1, 50_000),
    stored=st.tuples(st.integers(1, 3000), st.integers(1, 50_000)),
    layers=st.integers(1, 65),
    row_px=st.none() | st.integers(1, 50_000),
)
def test_parts_are_whole_strips_and_a_row_of_blocks_fits(
    height: int, width: int, stored: tuple[int, int], layers: int, row_px: int | None
) -> None:
    stack = SimpleNamespace(shape=(65, height, width), stored_px=stored, dtype=np.dtype(np.uint16))
    source = GreySource(cast(DepthStack, stack), slice(0, layers), row_px)
    tall, wide = source._unit
    strip, chunk = min(stored[0], height), min(stored[1], width)
    assert tall % strip == 0 and (wide % chunk == 0 or wide == width)
    part_bytes = tall * wide * layers * 2
    least = min(math.ceil(512 / chunk) * chunk, width)  # the least width of a part
    assert part_bytes <= max(32 * 2**20, strip * least * layers * 2)
    touched = (256 + 8 - 2) // tall + 2  # most parts touched by a block and the stem's halo, at any position
    assert source._cache.most_bytes >= touched * part_bytes


def test_threads_that_need_the_same_part_wait_for_one_read(tmp_path: Path) -> None:
    watched, begins = counted(make_stack(tmp_path, (5, 600, 600)), (300, 600))
    source = GreySource(watched, slice(0, 5))
    with ThreadPoolExecutor(8) as threads:
        areas = [Region(y, y + 50, 0, 600) for y in range(0, 600, 50)] * 3
        list(threads.map(source.read, areas))
    assert begins == {(0, 0): 1, (300, 0): 1}


def test_a_failed_read_is_retried(tmp_path: Path) -> None:
    stack, fails = make_stack(tmp_path, (5, 300, 300)), [True]

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        if fails.pop() if fails else False:
            raise StackError("not now")
        return stack.read_block(z, y, x, step)

    source = GreySource(replace(stack, read_block=read_block, stored_px=(64, 300)), slice(0, 5))
    with pytest.raises(StackError, match="not now"):
        source.read(Region(0, 10, 0, 10))
    assert source.read(Region(0, 10, 0, 10)).shape == (5, 10, 10)


@pytest.mark.parametrize("stored", [(1, 1), (64, 600)])
def test_each_part_is_read_once_in_a_run(tmp_path: Path, stored: tuple[int, int]) -> None:
    stack = make_stack(tmp_path, (5, 700, 600))
    watched, begins = counted(stack, stored)
    run(PredictRequest(watched, ink_model(Smear(), 96), tmp_path / "p.zarr", device="cpu", overlap=0.5))
    assert begins and set(begins.values()) == {1}


@pytest.mark.parametrize("kind", ["strips", "tiles", "zarr", "plain"])
def test_stacks_report_their_storage(tmp_path: Path, kind: str) -> None:
    grey = np.random.default_rng(0).integers(0, 65535, (5, 160, 200), dtype=np.uint16)
    place = tmp_path / "seg" / "layers"
    if kind == "zarr":
        zarr.create_array(tmp_path / "seg.zarr", data=grey, chunks=(2, 64, 80))
        place = tmp_path / "seg.zarr"
    else:
        place.mkdir(parents=True)
        stored = {
            "strips": {"compression": "zlib", "rowsperstrip": 32},
            "tiles": {"compression": "zlib", "tile": (64, 48)},
        }.get(kind, {})
        for z, layer in enumerate(grey):
            tifffile.imwrite(place / f"{z:02}.tif", layer, **stored)
    stack = open_stack(place)
    assert stack.stored_px == {"strips": (32, 200), "tiles": (64, 48), "zarr": (64, 80), "plain": (1, 1)}[kind]
    out = tmp_path / "p.zarr"
    run(PredictRequest(stack, ink_model(Smear(), 96), out, device="cpu"))
    np.save(tmp_path / "plain.npy", grey)
    run(PredictRequest(open_stack(tmp_path / "plain.npy"), ink_model(Smear(), 96), tmp_path / "q.zarr", device="cpu"))
    np.testing.assert_array_equal(*(open_prediction(one).read("ink") for one in (out, tmp_path / "q.zarr")))


def test_layers_that_no_reader_needs_are_released(tmp_path: Path) -> None:
    watched, begins = counted(make_stack(tmp_path, (5, 600, 400)), (100, 400))
    source, areas = GreySource(watched, slice(0, 5)), [Region(0, 260, 0, 400), Region(240, 600, 0, 400)]
    source.expect(areas)
    source.read(areas[0])
    assert set(source._cache._values) == {(1, 0)}  # rows 200 to 400, where the other area begins
    source.read(areas[1])
    assert not source._cache._values and source._cache.nbytes == 0 and set(begins.values()) == {1}
    source.read(areas[0])  # once more, like a part dropped for lack of memory
    assert source._cache._values


def test_panning_reads_hardly_any_part_twice(tmp_path: Path) -> None:
    watched, _ = counted(make_stack(tmp_path, (3, 1300, 2600)), (1, 1))
    read = 0

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        nonlocal read
        read += (y.stop - y.start) * (x.stop - x.start)
        return watched.read_block(z, y, x, step)

    stack = replace(watched, read_block=read_block)
    stack.__dict__["_samples"] = watched._samples
    grid = CellGrid((1300, 2600), 256)
    middles = sorted(
        ((y, x) for y in range(5) for x in range(10)), key=lambda cell: (cell[0] - 2) ** 2 + (cell[1] - 7) ** 2
    )
    for row_px, at_most in ((None, 2.5), (2600, 20)):
        read, source = 0, GreySource(stack, slice(0, 3), row_px, 3 * 2**21)  # less than four blocks high
        for cell in middles:
            source.read(grid.area(cell))
        assert read < at_most * 1300 * 2600
        if row_px is None:
            outwards = read
    assert outwards < read
