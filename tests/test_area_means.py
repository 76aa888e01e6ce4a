"""Means of voxels whose number need not be whole, against sums over parts of voxels."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.area_means import mean_weights, voxels_of
from napari_ink.mean_factor import factor_of

factors = st.integers(10_000, 90_000).map(lambda parts: factor_of(parts / 10_000))


def summed_parts(number: int, factor: Fraction, length: int) -> np.ndarray:
    """Return the weight of each voxel in the mean of this number, one voxel at a time."""
    weights = np.zeros(length)
    begin, end = number * factor, (number + 1) * factor
    for voxel in range(math.floor(begin), math.ceil(end)):
        weights[min(voxel, length - 1)] += float((min(end, voxel + 1) - max(begin, voxel)) / factor)
    return weights


@given(factors, st.integers(1, 400), st.data())
def test_a_mean_weighs_voxels_by_their_parts_wherever_reading_begins(
    factor: Fraction, length: int, data: st.DataObject
) -> None:
    number = math.ceil(length / factor)
    first = data.draw(st.integers(0, number - 1))
    last = data.draw(st.integers(first + 1, min(number, first + 12)))
    read = voxels_of(first, last, factor, length)
    found = mean_weights(first, last, factor, length).toarray()
    expected = np.array([summed_parts(one, factor, length) for one in range(first, last)])
    assert not expected[:, : read.start].any() and not expected[:, read.stop :].any()
    np.testing.assert_allclose(found, expected[:, read], atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
