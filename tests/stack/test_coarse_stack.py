"""A stack of means of pixels: equal to means of the whole array, from stored levels where there are any."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.transform import resize_local_mean

from napari_ink.stack import DepthStack, Level, level_step, open_stack, plane_means, stack_of_array
from napari_ink.stack.ngff import read_multiscales


def noise(shape: tuple[int, int, int], dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(3).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def described(values: np.ndarray, side: int) -> np.ndarray:
    """Return means of whole squares, rounded after each halving, and half up as a pyramid rounds."""
    means = values.astype(np.float64)
    while side % 2 == 0:
        means, side = np.floor(squared(means, 2) + 0.5), side // 2
    return means if side == 1 else np.rint(squared(means, side))


def squared(values: np.ndarray, side: int) -> np.ndarray:
    z, y, x = values.shape
    return values.reshape(z, y // side, side, x // side, side).mean(axis=(2, 4))


@pytest.mark.parametrize("side", [2, 3, 4, 6])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_means_equal_those_of_the_whole_array(side: int, dtype: type) -> None:
    values = noise((11, 48, 60), dtype)
    coarse = plane_means(stack_of_array(values, "noise"), side)
    assert coarse.shape == (11, 48 // side, 60 // side) and coarse.dtype == dtype
    np.testing.assert_array_equal(coarse[:], described(values, side))
    np.testing.assert_array_equal(coarse[2:5, 3:7, 1:9], described(values, side)[2:5, 3:7, 1:9])


@pytest.mark.parametrize("side", [3, 4])
def test_a_border_that_no_whole_square_fits_has_the_means_of_a_pyramid(side: int) -> None:
    values = noise((2, 50, 61))
    coarse = plane_means(stack_of_array(values, "noise"), side)
    assert coarse.shape == (2, -(-50 // side), -(-61 // side))
    whole = [slice(0, 50 // side), slice(0, 61 // side)]
    inside = described(values[:, : 50 // side * side, : 61 // side * side], side)
    np.testing.assert_array_equal(coarse[:][:, *whole], inside)
    if side == 4:  # two rows are left: their mean, which the pyramid repeats
        pair = np.floor((values[:, 48:50, 0:60].reshape(2, 2, 30, 2).mean(axis=(1, 3))) + 0.5)
        np.testing.assert_array_equal(coarse[:][:, 12, :15], np.floor(pair.reshape(2, 15, 2).mean(axis=2) + 0.5))


def with_level(values: np.ndarray, level: np.ndarray, step: tuple[int, int, int]) -> DepthStack:
    stored = stack_of_array(level, "level")

    def fails(*_: object, **__: object) -> np.ndarray:
        raise AssertionError("the full resolution was read")

    stack = stack_of_array(values, "noise")
    return replace(stack, read_block=fails, levels=(Level(stored.shape, step, stored.read_block),))


def test_a_stored_level_is_read_instead_of_the_full_resolution() -> None:
    values, level = noise((5, 64, 64)), noise((5, 16, 16))
    stack = with_level(values, level, (1, 4, 4))
    assert level_step(stack, 4) == 4 and level_step(stack, 8) == 4 and level_step(stack, 6) == 1
    np.testing.assert_array_equal(plane_means(stack, 4)[:], level)
    np.testing.assert_array_equal(plane_means(stack, 8)[:], described(level, 2))
    # Levels that average layers too, or whose step does not divide the side, cannot be read.
    assert level_step(with_level(values, level[:2], (2, 4, 4)), 4) == 1


def test_a_level_that_lacks_its_last_row_repeats_the_row_before() -> None:
    stack = with_level(noise((2, 66, 66)), level := noise((2, 16, 16)), (1, 4, 4))
    coarse = plane_means(stack, 4)
    assert coarse.shape == (2, 17, 17)
    np.testing.assert_array_equal(coarse[:], np.pad(level, ((0, 0), (0, 1), (0, 1)), mode="edge"))
    np.testing.assert_array_equal(coarse[:, 16:17, 16:17][:, 0, 0], level[:, -1, -1])


def test_the_full_resolution_is_read_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "s.npy", values := noise((40, 256, 256)))
    monkeypatch.setattr("napari_ink.stack.coarse_stack._PART_BYTES", 2**16)
    stack, sizes = open_stack(tmp_path / "s.npy"), []

    def noted(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        sizes.append((z.stop - z.start) * (y.stop - y.start) * (x.stop - x.start))
        return stack.read_block(z, y, x, step)

    coarse = plane_means(replace(stack, read_block=noted), 4)
    np.testing.assert_array_equal(coarse[:], described(values, 4))
    assert max(sizes) <= 2**16


def test_voxels_become_larger_and_layers_stay() -> None:
    stack = replace(stack_of_array(noise((3, 8, 8)), "noise"), voxel_size_um=2.4)
    coarse = plane_means(stack, 4)
    assert (coarse.voxel_size_um, coarse.layer_step_um) == (pytest.approx(9.6), 2.4)
    assert plane_means(stack, 1) is stack


@pytest.mark.parametrize(
    ("z_unit", "scale", "expected"),
    [
        ("micrometer", [2.4, 9.6, 9.6], (9.6, 2.4)),
        ("micrometer", [9.6, 9.6, 9.6], (9.6, None)),
        ("millimeter", [0.0024, 9.6, 9.6], (9.6, 2.4)),
        (None, [2.4, 9.6, 9.6], (9.6, None)),
    ],
)
def test_the_step_of_layers_is_read_where_it_differs(
    z_unit: str | None, scale: list[float], expected: tuple[float, float | None]
) -> None:
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    axes[0]["unit"] = z_unit
    data = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    found = read_multiscales("here", {"multiscales": [{"axes": axes, "datasets": [data]}]})
    assert found is not None
    assert (found.voxel_size_um, found.layer_step_um) == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_means_of_no_whole_number_of_pixels_equal_local_means(dtype: type) -> None:
    values = noise((2, 50, 60), dtype)
    coarse = plane_means(stack_of_array(values, "noise"), 1.25)
    assert coarse.shape == (2, 40, 48) and coarse.dtype == dtype
    expected = [resize_local_mean(layer.astype(np.float64), (40, 48), preserve_range=True) for layer in values]
    assert np.abs(coarse[:] - np.array(expected)).max() < 0.51


@pytest.mark.parametrize("side", [1.2137, 3.2958])
def test_a_part_has_the_means_of_the_whole(side: float, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = stack_of_array(noise((9, 97, 131)), "noise")
    whole = plane_means(stack, side)[:]
    _, height, width = whole.shape
    assert (height, width) == (math.ceil(97 / side), math.ceil(131 / side))
    monkeypatch.setattr("napari_ink.stack.coarse_stack._PART_BYTES", 4000)  # a few rows at a time
    for y, x in ((0, 0), (1, 7), (13, 22), (height - 1, width - 1)):
        np.testing.assert_array_equal(plane_means(stack, side)[:, y:, x : x + 9], whole[:, y:, x : x + 9])


def test_strips_of_whole_rows_leave_no_column_apart() -> None:
    stack = replace(stack_of_array(noise((2, 40, 41)), "noise"), stored_px=(3, 41))
    assert plane_means(stack, 4).stored_px == (1, 11) and plane_means(stack, 2.5).stored_px == (2, 17)
