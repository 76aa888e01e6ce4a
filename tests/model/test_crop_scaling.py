"""Scaling of tiles by their own grey values, compared with NumPy's percentiles and medians."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from napari_ink.model.crop_scaling import CropScaled, scaled_by_crop
from napari_ink.typing import Float32Array


def described(crop: Float32Array) -> Float32Array:
    """Scale one crop as the published description says."""
    clipped = np.clip(crop, *np.percentile(crop, [1, 99]))
    middle = np.median(clipped)
    spread = 1.4826 * np.median(np.abs(clipped - middle))
    if spread < 1e-6:
        others = (np.std(crop), (np.percentile(crop, 99) - np.percentile(crop, 1)) / 2, 1.0)
        spread = next(other for other in others if other >= 1e-6)
    return (clipped - middle) / spread


@settings(max_examples=150, deadline=None)
@given(
    st_numpy.arrays(
        np.uint8,
        st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
        elements=st.integers(0, 255) | st.sampled_from([0, 7]),
    )
)
@pytest.mark.parametrize("has_gradient", [False, True])
def test_crops_are_scaled_as_described(has_gradient: bool, greys: np.ndarray) -> None:
    values = (greys / 255).astype(np.float32)
    found = scaled_by_crop(torch.from_numpy(values).requires_grad_(has_gradient)).detach().numpy()
    expected = np.stack([described(crop.astype(np.float64)) for crop in values])
    np.testing.assert_allclose(found, expected, atol=2e-4, rtol=2e-4)


def test_brightness_and_contrast_change_nothing() -> None:
    tiles = torch.rand(2, 5, 32, 32)
    torch.testing.assert_close(scaled_by_crop(tiles * 37 + 11), scaled_by_crop(tiles), atol=1e-3, rtol=1e-3)


def test_each_tile_of_a_batch_is_scaled_by_itself() -> None:
    tiles = torch.rand(3, 5, 32, 32) * torch.tensor([1.0, 5.0, 0.2]).reshape(3, 1, 1, 1)
    one_by_one = torch.cat([scaled_by_crop(tile[None]) for tile in tiles])
    torch.testing.assert_close(scaled_by_crop(tiles), one_by_one, atol=0, rtol=0)


def test_the_wrapped_network_sees_scaled_tiles_of_one_size() -> None:
    wrapped = CropScaled(torch.nn.Identity(), 64)
    tile = torch.rand(1, 2, 64, 64)
    torch.testing.assert_close(wrapped(tile), scaled_by_crop(tile))
    assert wrapped.size_divisor == wrapped.fixed_tile == 64


def test_a_blank_tile_has_neither_ink_nor_edges() -> None:
    tiles = torch.rand(3, 2, 32, 32)
    tiles[1] = 0
    found = CropScaled(torch.nn.Identity(), 32)(tiles)
    assert not found[1].sigmoid().any()
    torch.testing.assert_close(found[[0, 2]], scaled_by_crop(tiles[[0, 2]]))
