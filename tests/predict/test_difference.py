"""Differences of two predictions: values, parts that are not final in both, and coarser levels."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.errors import BadInputError
from napari_ink.predict import SAME, PredictionDifference, coarse, open_prediction
from napari_ink.region import Region
from tests.predict.stored_predictions import SHAPE, noise, write_prediction

WHOLE = slice(0, SHAPE[0]), slice(0, SHAPE[1])


def difference(folder: Path, first: np.ndarray, second: np.ndarray, **of_second: object) -> PredictionDifference:
    write_prediction(folder / "first.zarr", first)
    write_prediction(folder / "second.zarr", second, **of_second)  # type: ignore[arg-type]
    return PredictionDifference(open_prediction(folder / "first.zarr"), open_prediction(folder / "second.zarr"))


def test_the_sign_says_which_prediction_has_more_ink(tmp_path: Path) -> None:
    first, second = noise(1), noise(2)
    first[0, 0, :6], second[0, 0, :6] = (255, 100, 7, 8, 0, 50), (0, 100, 8, 7, 255, 20)
    values = difference(tmp_path, first, second).read(*WHOLE)
    assert values[0, :6].tolist() == [255, SAME, SAME - 1, SAME + 1, 0, SAME + 15]
    both = first[0].astype(int) - second[0]
    assert np.array_equal(np.sign(values.astype(int) - SAME), np.sign(both))
    assert np.abs((values.astype(int) - SAME) * 2 - both).max() <= 1


def test_pixels_that_are_not_final_in_both_do_not_differ(tmp_path: Path) -> None:
    region = Region(10, 300, 20, 500)
    values = difference(tmp_path, noise(1), noise(2), region=region, blocks=2).read(*WHOLE)
    inside = np.zeros(SHAPE, bool)
    inside[10:256, 20:500] = True  # the first row of blocks has three, of which two are final
    inside[:, 512:] = False
    assert (values[~inside] == SAME).all()
    assert (values[inside] != SAME).mean() > 0.9


def test_segments_of_two_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="300 × 520 and 300 × 400 pixels"):
        difference(tmp_path, noise(1), noise(2)[:, :, :400])


@given(
    y=st.tuples(st.integers(0, 299), st.integers(1, 300)),
    x=st.tuples(st.integers(0, 519), st.integers(1, 520)),
    step=st.sampled_from([1, 2, 8, 64]),
)
@settings(max_examples=40, deadline=None)
def test_a_part_of_a_coarser_level_is_the_part_of_the_whole(y: tuple[int, int], x: tuple[int, int], step: int) -> None:
    plane = noise(3, 1)[0]
    read = coarse(lambda rows, columns: plane[rows, columns], SHAPE, step)
    height, width = (-(-length // step) for length in SHAPE)
    whole = read(slice(0, height), slice(0, width))
    top, left = min(y[0] // step, height - 1), min(x[0] // step, width - 1)
    bottom, right = max(-(-y[1] // step), top + 1), max(-(-x[1] // step), left + 1)
    assert np.array_equal(read(slice(top, bottom), slice(left, right)), whole[top:bottom, left:right])
    square = plane[top * step : (top + 1) * step, left * step : (left + 1) * step]
    assert abs(float(whole[top, left]) - square.mean()) <= 0.5


def test_a_coarse_level_reads_bounded_parts() -> None:
    largest = 0

    def read(y: slice, x: slice) -> np.ndarray:
        nonlocal largest
        largest = max(largest, (y.stop - y.start) * (x.stop - x.start))
        return np.zeros((y.stop - y.start, x.stop - x.start), np.uint8)

    side = 2**14
    values = coarse(read, (side, side), 64)(slice(0, 256), slice(0, 256))
    assert values.shape == (256, 256) and largest == 512 * side
