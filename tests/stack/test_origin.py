"""Whether a stack is a phantom, and figures of its texture."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_ink.phantom import sample_path
from napari_ink.stack import DepthStack, is_phantom, open_stack, stack_of_array, texture_figures

NOISE = np.random.default_rng(0).normal(size=(16, 256, 256))


def smooth(sigma: tuple[float, float, float]) -> DepthStack:
    volume = ndimage.gaussian_filter(NOISE, sigma)
    return stack_of_array(np.clip(128 + 30 * volume / volume.std(), 1, 255).astype(np.uint8), "noise")


def figures(stack: DepthStack) -> dict[str, float]:
    return texture_figures(stack, slice(0, 16), lambda block: block.astype(np.float32))


def test_only_a_stack_that_says_so_is_a_phantom(tmp_path: Path) -> None:
    assert is_phantom(open_stack(sample_path()))
    np.save(tmp_path / "scan.npy", np.ones((3, 4, 4), np.uint8))
    assert not is_phantom(open_stack(tmp_path / "scan.npy"))
    for meta in ("[]", "{", '{"phantom": true}', '{"voxelsize": 7.91}'):
        (tmp_path / "meta.json").write_text(meta)
        assert not is_phantom(open_stack(tmp_path / "scan.npy"))
    assert not is_phantom(smooth((0, 1, 1)))


def test_figures_tell_noise_from_texture_stripes_and_depth() -> None:
    noise, blobs = figures(smooth((0, 0, 0))), figures(smooth((0, 3, 3)))
    stripes, deep = figures(smooth((0, 1, 20))), figures(smooth((3, 1, 1)))
    assert noise["grain"] == pytest.approx(0, abs=0.05) and blobs["grain"] > 0.9
    assert blobs["texture"] == pytest.approx(np.exp(-16 / 36), abs=0.08)  # a bell's autocorrelation
    assert stripes["coarse texture"] > 0.6 > 0.2 > blobs["coarse texture"]
    assert deep["layers"] > noise["layers"] + 0.3


def test_empty_and_small_stacks_have_no_figures() -> None:
    assert figures(stack_of_array(np.zeros((16, 256, 256), np.uint8), "empty")) == {}
    assert figures(stack_of_array(np.ones((16, 12, 200), np.uint8), "narrow")) == {}
    assert figures(stack_of_array(np.full((16, 256, 256), 9, np.uint8), "flat"))["grain"] == 0
