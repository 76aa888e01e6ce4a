"""Figures of the texture at places of a stack."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_ink.region import Region
from napari_ink.stack import (
    LOCAL_FIGURES,
    local_figures,
    open_stack,
    place_side,
    place_slices,
    sampled_figures,
    stack_of_array,
)

NAMES = {name: number for number, name in enumerate(LOCAL_FIGURES)}


def as_float(block: np.ndarray) -> np.ndarray:
    return block.astype(np.float32) / 255


def papyrus(shape: tuple[int, int, int], sigma: float = 2) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), (1, sigma, sigma))
    return (128 + 30 * noise / noise.std()).clip(1, 254).astype(np.uint8)


def test_each_figure_says_what_it_is_named_for() -> None:
    volume = papyrus((12, 256, 512))
    volume[:, :, 128:256] = np.minimum(volume[:, :, 128:256].astype(int) + 60, 254)
    volume[:, :, 256:384] = np.random.default_rng(1).integers(60, 190, (12, 256, 128))
    volume[:, :, 384:] = np.where(volume[:, :, 384:] > 140, 255, volume[:, :, 384:])
    rows = [*local_figures(stack_of_array(volume, "s"), slice(0, 12), as_float, Region(0, 256, 0, 512))]
    assert [len(row) for row in rows] == [4, 4]
    plain, brighter, noise, saturated = rows[0]
    assert brighter[NAMES["brightness"]] > plain[NAMES["brightness"]] + 0.2
    assert abs(noise[NAMES["grain"]]) < 0.05 < 0.5 < plain[NAMES["grain"]]
    assert saturated[NAMES["saturation"]] > plain[NAMES["saturation"]] + 0.5


def test_places_without_papyrus_are_not_measured() -> None:
    volume = papyrus((12, 128, 384))
    volume[:, :, :128] = 0
    (row,) = local_figures(
        stack_of_array(volume, "s"), slice(0, 12), as_float, Region(0, 128, 0, 384), lambda area: area.x0 < 256
    )
    assert np.isnan(row).all(axis=1).tolist() == [True, False, True]


@pytest.mark.parametrize(("height", "side"), [(100, 128), (8192, 128), (8193, 256), (100_000, 2048)])
def test_no_more_than_64_places_along_a_side(height: int, side: int) -> None:
    region = Region(0, height, 0, 50)
    assert place_side(region) == side
    rows, columns = place_slices(region, (height, 50))
    assert len(rows) <= 64 and columns == [slice(0, 50)] and all(row.stop - row.start == 64 for row in rows)


def test_a_region_has_the_places_of_its_own_squares() -> None:
    rows, columns = place_slices(Region(130, 380, 0, 100), (400, 400))
    assert rows == [slice(161, 225), slice(286, 350)] and columns == [slice(18, 82)]


def test_layers_that_are_compressed_as_a_whole_are_decoded_few_times(tmp_path: Path) -> None:
    volume, region = papyrus((12, 1280, 128)), Region(0, 1280, 0, 128)
    (tmp_path / "layers").mkdir()
    for z, layer in enumerate(volume):
        tifffile.imwrite(tmp_path / "layers" / f"{z:02}.tif", layer, compression="zlib", rowsperstrip=1280)
    stack, read = open_stack(tmp_path), []

    def counted(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        read.append(z.start)
        return stack.read_block(z, y, x, step)

    found = [*local_figures(replace(stack, read_block=counted), slice(0, 12), as_float, region, lambda a: a.y0 > 200)]
    wanted = [*local_figures(stack_of_array(volume, "s"), slice(0, 12), as_float, region, lambda a: a.y0 > 200)]
    assert len(read) == len(set(read)) == 8
    np.testing.assert_array_equal(found, wanted)


def test_a_stack_too_small_for_the_longest_distance_has_no_figures() -> None:
    volume = papyrus((4, 12, 12))
    (row,) = local_figures(stack_of_array(volume, "s"), slice(0, 4), as_float, Region(0, 12, 0, 12))
    assert np.isnan(row).all()
    assert len(sampled_figures(stack_of_array(volume, "s"), slice(0, 4), as_float)) == 0
