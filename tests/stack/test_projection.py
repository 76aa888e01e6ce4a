"""Projections: equal to NumPy over the whole window, at every level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_ink.stack import open_stack, project_layers, projected_levels

LAYERS = arrays(np.uint16, st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5)))


@given(LAYERS)
def test_projections_equal_numpy(block: np.ndarray) -> None:
    np.testing.assert_array_equal(project_layers(iter(block), "max"), block.max(axis=0))
    np.testing.assert_array_equal(project_layers(iter(block), "min"), block.min(axis=0))
    np.testing.assert_allclose(project_layers(iter(block), "mean"), block.mean(axis=0), rtol=1e-5)


@given(LAYERS, st.integers(0, 30000), st.integers(30001, 65535))
def test_the_composite_equals_a_brute_force(block: np.ndarray, low: int, high: int) -> None:
    truth = np.zeros(block.shape[1:])
    for y, x in np.ndindex(truth.shape):
        light = 1.0
        for grey in block[:, y, x].astype(float):
            opacity = min(max((grey - low) / (high - low), 0), 1)
            truth[y, x] += light * opacity * grey
            light *= 1 - opacity
    np.testing.assert_allclose(project_layers(iter(block), "alpha", (low, high)), truth, rtol=1e-3, atol=1)


def test_the_nearest_opaque_layer_hides_those_behind_it() -> None:
    block = np.array([0, 60000, 30000], np.uint16).reshape(3, 1, 1)
    assert project_layers(iter(block), "alpha", (0, 50000))[0, 0] == 60000
    assert project_layers(iter(block[::-1]), "alpha", (0, 30000))[0, 0] == 30000


@pytest.mark.parametrize("how", ["max", "mean", "min", "alpha"])
def test_every_level_is_a_projection_of_its_layers(tmp_path, how) -> None:
    volume = np.random.default_rng(0).integers(0, 65535, (20, 1100, 1300), dtype=np.uint16)
    np.save(tmp_path / "seg.npy", volume)
    levels = projected_levels(open_stack(tmp_path / "seg.npy"), slice(3, 18), how, (0, 65535))
    assert [level.shape for level in levels] == [(1, 1100, 1300), (1, 550, 650)]
    for level in levels:
        step = level.step[1]
        got = level.read(slice(0, 1), slice(10, 40), slice(20, 90))[0]
        part = volume[3:18, ::step, ::step][:, 10:40, 20:90]
        truth = project_layers(iter(part), how, (0, 65535))
        np.testing.assert_array_equal(got, np.rint(truth).astype(np.uint16))
    with pytest.raises(ValueError, match="not a window"):
        projected_levels(open_stack(tmp_path / "seg.npy"), slice(5, 30), how, (0, 1))
