"""Reading: any window of any file format equals the same NumPy slice of the whole volume."""

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.phantom import PhantomConfig, make_phantom
from napari_ink.stack import DepthStack, open_stack, stack_of_array

STORAGE = (
    {},
    {"byteorder": ">"},
    {"rowsperstrip": 7},
    {"compression": "zlib"},
    {"compression": "zlib", "predictor": True, "rowsperstrip": 16},
    {"compression": "lzw", "rowsperstrip": 5},
    {"compression": "zstd", "tile": (16, 32)},
    {"tile": (32, 16)},
    {"compression": "zlib", "tile": (16, 16), "predictor": True, "byteorder": ">"},
)


@st.composite
def windows(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[slice, ...]:
    ends = [sorted((draw(st.integers(0, n)), draw(st.integers(0, n)))) for n in shape]
    return tuple(slice(a, b) for a, b in ends)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), storage=st.sampled_from(STORAGE), dtype=st.sampled_from([np.uint8, np.uint16]))
def test_any_window_of_any_tiff_equals_the_slice(data: st.DataObject, storage: dict[str, object], dtype: type) -> None:
    # At least 2 pixels, since tifffile writes a plane of one pixel differently.
    shape = (3, data.draw(st.integers(2, 70)), data.draw(st.integers(2, 70)))
    volume = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    window = data.draw(windows(shape))
    with TemporaryDirectory() as folder:
        tifffile.imwrite(Path(folder) / "stack.tif", volume, photometric="minisblack", **storage)
        stack = open_stack(Path(folder) / "stack.tif")
        got = stack.read(*window)
        assert got.dtype == dtype and got.dtype.isnative
        np.testing.assert_array_equal(got, volume[window])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> DepthStack:
    volume = np.random.default_rng(2).integers(100, 60000, (9, 40, 50), dtype=np.uint16)
    path = tmp_path_factory.mktemp("stack") / "a.npy"
    np.save(path, volume)
    return open_stack(path)


@pytest.fixture(scope="module")
def volume(stack: DepthStack) -> np.ndarray:
    return np.load(stack.source)


INDICES = [4, -1, (2, slice(3, 9)), (slice(None), 5), (slice(None, None, 2), slice(4, None), -3), (1, 2, 3), (..., 7)]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_a_stack_is_indexed_like_an_array(stack: DepthStack, volume: np.ndarray, index: object) -> None:
    np.testing.assert_array_equal(stack[index], volume[index])  # type: ignore[index]


def test_a_stack_has_the_attributes_of_an_array(stack: DepthStack, volume: np.ndarray) -> None:
    assert (stack.ndim, stack.size, len(stack)) == (3, volume.size, 9)
    np.testing.assert_array_equal(np.asarray(stack), volume)
    for wrong in ((9,), (0, 0, 0, 0)):
        with pytest.raises(IndexError):
            stack[wrong]


@pytest.mark.parametrize("window", [slice(-1, 3), slice(0, 10), slice(3, 2), slice(0, 4, 2)])
def test_a_window_outside_is_refused(stack: DepthStack, window: slice) -> None:
    with pytest.raises(ValueError, match="range"):
        stack.read(window, slice(0, 1), slice(0, 1))


def test_projections_equal_numpy(stack: DepthStack, volume: np.ndarray) -> None:
    window, y, x = slice(2, 7), slice(5, 30), slice(0, 9)
    for how, reference in (("max", np.max), ("min", np.min), ("mean", np.mean)):
        got = stack.project(window, how, y, x)  # type: ignore[arg-type]
        np.testing.assert_allclose(got, reference(volume[window, y, x], axis=0), rtol=1e-6)
    assert stack.project(window, "max").dtype == np.uint16 and stack.project(window, "mean").dtype == np.float32
    with pytest.raises(ValueError, match="empty"):
        stack.project(slice(3, 3), "max")


def test_contrast_covers_the_existing_values(tmp_path: Path) -> None:
    grey = np.zeros((65, 64, 64), np.uint16)
    grey[:, 20:] = np.random.default_rng(0).normal(20000, 1000, (65, 44, 64))
    np.save(tmp_path / "a.npy", grey)
    low, high = open_stack(tmp_path / "a.npy").contrast_limits()
    assert 15000 < low < 18500 and 21500 < high < 25000
    np.save(tmp_path / "b.npy", np.zeros((3, 8, 8), np.uint8))
    assert open_stack(tmp_path / "b.npy").contrast_limits() == (0.0, 1.0)


def test_a_copy_has_the_same_fingerprint(stack: DepthStack, volume: np.ndarray, tmp_path: Path) -> None:
    shutil.copy(stack.source, tmp_path / "copy.npy")
    tifffile.imwrite(tmp_path / "copy.tif", volume, compression="zlib", photometric="minisblack")
    for copy in ("copy.npy", "copy.tif"):
        assert open_stack(tmp_path / copy).fingerprint() == stack.fingerprint()
    volume = volume.copy()
    volume[0, 0, 0] += 1
    np.save(tmp_path / "other.npy", volume)
    assert open_stack(tmp_path / "other.npy").fingerprint() != stack.fingerprint()


def test_a_sample_is_independent_of_strips_and_decodes_each_band_once() -> None:
    values = np.random.default_rng(0).integers(0, 65535, (5, 300, 400), dtype=np.uint16)
    plain, reads = stack_of_array(values, "s"), []

    def read(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        reads.append((z.start, y.start))
        return plain.read_block(z, y, x, step)

    in_strips = replace(plain, by_layer=True, read_block=read)
    assert in_strips.fingerprint() == plain.fingerprint()
    assert in_strips.contrast_limits() == plain.contrast_limits()
    assert len(reads) == len(set(reads)) == 12


def test_quantiles_of_a_window_leave_out_its_empty_voxels_and_other_layers() -> None:
    volume = np.zeros((9, 40, 40), np.uint8)
    volume[2:6, :, 20:] = np.arange(100, 104, dtype=np.uint8)[:, None, None]
    volume[7:] = 250
    assert stack_of_array(volume, "window").window_quantiles(slice(2, 6), (0.0, 0.5, 1.0)) == (100, 101.5, 103)


@settings(max_examples=60)
@given(depth=st.integers(1, 90), data=st.data())
def test_a_window_of_a_reversed_stack_has_the_same_quantiles(depth: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, depth - 1))
    stop = data.draw(st.integers(start + 1, depth))
    volume = np.random.default_rng(depth).integers(1, 60000, (depth, 6, 7), dtype=np.uint16)
    shares = (0.05, 0.5, 0.95)
    forwards = stack_of_array(volume, "s").window_quantiles(slice(start, stop), shares)
    backwards = stack_of_array(volume[::-1], "s").window_quantiles(slice(depth - stop, depth - start), shares)
    assert forwards == backwards


def test_a_cut_hardly_moves_the_quantiles_of_a_window() -> None:
    volume = make_phantom(PhantomConfig(seed=10, height=640, width=640)).volume
    whole, cut = (
        stack_of_array(one, "s").window_quantiles(slice(16, 48), (0.05, 0.95)) for one in (volume, volume[:, 96:, 64:])
    )
    np.testing.assert_allclose(cut, whole, rtol=0.01)


def test_layers_of_a_window_that_are_stored_together_are_read_once() -> None:
    values = np.random.default_rng(0).integers(1, 65535, (65, 130, 200), dtype=np.uint16)
    plain, reads = stack_of_array(values, "s"), []

    def read(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        reads.append((z.start // 16, y.start, x.start))
        return plain.read_block(z, y, x, step)

    in_chunks = replace(plain, stored_px=(64, 64), layers_together=16, read_block=read)
    window = slice(10, 42)
    assert in_chunks.window_quantiles(window, (0.1, 0.9)) == plain.window_quantiles(window, (0.1, 0.9))
    np.testing.assert_array_equal(in_chunks.window_blocks(window), plain.window_blocks(window))
    assert len(reads) == len(set(reads)) == 3 * 2 * 3  # rows of chunks, times places
