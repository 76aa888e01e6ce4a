"""What painted ink does to papyrus: each change is what its name says, of any crop, and a seed decides it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from napari_ink.training import ink_changes
from napari_ink.training.ink_changes import CHANGES, blurred, noise

Change = Callable[[np.random.Generator, Tensor], Tensor]
seeds = st.integers(0, 2**32 - 1)


def _papyrus(depth: int = 6, height: int = 40, width: int = 48) -> Tensor:
    return noise(np.random.default_rng(5), (depth, height, width), 3.0)


@pytest.mark.parametrize("change", CHANGES)
@given(seed=seeds, depth=st.integers(1, 7), height=st.integers(16, 40), width=st.integers(16, 40))
def test_any_crop_keeps_its_shape_and_finite_greys(
    change: Change, seed: int, depth: int, height: int, width: int
) -> None:
    values = _papyrus(depth, height, width)
    before = values.clone()
    first, second = (change(np.random.default_rng(seed), values) for _ in range(2))
    assert first.shape == values.shape and first.dtype == torch.float32 and first.isfinite().all()
    assert torch.equal(first, second) and torch.equal(values, before)


@pytest.mark.parametrize("change", CHANGES)
def test_even_papyrus_gives_finite_greys(change: Change) -> None:
    for seed in range(8):
        assert change(np.random.default_rng(seed), torch.full((4, 32, 32), 0.7)).isfinite().all()


@given(seed=seeds)
def test_filling_narrows_the_greys_from_one_side(seed: int) -> None:
    values = _papyrus()
    moved = ink_changes.filled(np.random.default_rng(seed), values) - values
    assert (moved >= -1e-6).all() or (moved <= 1e-6).all()
    from_dark = bool(moved.max() > 1e-6)
    kept = values > values.median() + 1.5 if from_dark else values < values.median() - 1.5
    assert kept.any() and moved[kept].abs().max() <= 1e-6


def test_swelling_is_the_dilation_or_erosion_of_scipy_but_for_a_constant() -> None:
    values = _papyrus()
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        moved = ink_changes.swollen(rng, values) - values
        again = np.random.default_rng(seed)
        is_bright, side = again.random() < 0.5, int(again.choice([3, 3, 5]))
        of_scipy = ndimage.grey_dilation if is_bright else ndimage.grey_erosion
        thick = torch.from_numpy(of_scipy(values.numpy(), (1, side, side), mode="nearest")) - values
        # Blended with what was there, and shifted: the correlation stays that of the dilation.
        found += np.corrcoef(moved.flatten(), thick.flatten())[0, 1] > 0.999
    assert found == 40


@given(seed=seeds)
def test_papyrus_from_elsewhere_has_the_same_greys_at_other_places(seed: int) -> None:
    values = _papyrus(height=40, width=40)
    moved = ink_changes.replaced(np.random.default_rng(seed), values)
    assert torch.equal(moved.flatten(1).sort().values, values.flatten(1).sort().values)
    assert (moved != values).float().mean() > 0.9


@given(seed=seeds)
def test_strewn_grains_are_of_one_sign_and_rare(seed: int) -> None:
    values = _papyrus()
    moved = ink_changes.strewn(np.random.default_rng(seed), values) - values
    assert (moved >= -1e-5).all() or (moved <= 1e-5).all()
    assert 0 < (moved.abs() > 0.2).float().mean() < 0.5


@given(seed=seeds)
def test_a_random_filter_keeps_what_changes_slowly(seed: int) -> None:
    slow = torch.linspace(0, 40, 64).expand(4, 64, 64)
    values = slow + 0.5 * _papyrus(4, 64, 64)
    found = ink_changes.filtered(np.random.default_rng(seed), values)
    inner = (slice(None), slice(16, -16), slice(16, -16))
    assert (blurred(found, 6) - slow)[inner].abs().mean() < 1.0


def test_blurring_is_about_that_of_scipy() -> None:
    values = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(2))
    for sigma in (1.0, 2.5, 4.0, 6.0):
        other = ndimage.gaussian_filter(values.numpy(), (0, sigma, sigma), mode="nearest")
        found = blurred(values, sigma)
        assert np.corrcoef(found.flatten(), other.flatten())[0, 1] > 0.9
        assert 0.6 < float(found.std()) / other.std() < 1.4
