from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis.extra import numpy as hnp
from skimage.measure import block_reduce

from napari_ink.halving import halved_by_maximum, halved_by_mean

PLANES = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7))


@given(PLANES)
def test_halving_by_maximum_keeps_the_maximum_of_each_square(plane: npt.NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(halved_by_maximum(plane), block_reduce(plane, (2, 2), np.max))


@given(PLANES)
def test_halving_by_mean_rounds_and_counts_an_odd_end_twice(plane: npt.NDArray[np.uint8]) -> None:
    even = np.pad(plane, [(0, side % 2) for side in plane.shape], mode="edge")
    means = np.floor(block_reduce(even.astype(float), (2, 2), np.mean) + 0.5)
    np.testing.assert_array_equal(halved_by_mean(plane[None])[0], means)
