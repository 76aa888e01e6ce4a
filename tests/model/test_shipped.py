"""The shipped checkpoint on the sample, which is no training data: results must not depend on how it is read."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_ink.evaluation import ink_scores
from napari_ink.model import InkModel, load_model, recommended_thresholds
from napari_ink.phantom import PhantomConfig, make_phantom, sample_path
from napari_ink.stack import DepthStack, open_stack

SIDE, MARGIN, Y, X = 256, 32, 100, 150
Probabilities = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> InkModel:
    return load_model()


@pytest.fixture(scope="module")
def stack() -> DepthStack:
    return open_stack(sample_path())


def predicted(model: InkModel, stack: DepthStack, y: int, x: int) -> Probabilities:
    window = model.contract.z_window(stack.shape[0])
    block = model.contract.prepare(stack.read(window, slice(y, y + SIDE), slice(x, x + SIDE)))
    with torch.inference_mode():
        return torch.sigmoid(model.network(torch.from_numpy(block.copy())[None]))[0].numpy()


@pytest.fixture(scope="module")
def here(model: InkModel, stack: DepthStack) -> Probabilities:
    return predicted(model, stack, Y, X)


@pytest.mark.parametrize(("down", "right"), [(64, 32), (37, 11), (1, 2), (-90, 51)])
def test_a_prediction_hardly_depends_on_where_the_tile_lies(
    model: InkModel, stack: DepthStack, here: Probabilities, down: int, right: int
) -> None:
    moved = predicted(model, stack, Y + down, X + right)
    inner = (
        slice(max(0, down) + MARGIN, SIDE + min(0, down) - MARGIN),
        slice(max(0, right) + MARGIN, SIDE + min(0, right) - MARGIN),
    )
    same = slice(inner[0].start - down, inner[0].stop - down), slice(inner[1].start - right, inner[1].stop - right)
    difference = np.abs(here[(slice(None), *inner)] - moved[(slice(None), *same)]).mean(axis=(1, 2))
    assert difference[0] < 0.03 and difference[1] < 0.1
    cut = recommended_thresholds(model.provenance)
    for plane, what in enumerate(("ink", "edge")):
        assert ((here[plane][inner] > cut[what]) == (moved[plane][same] > cut[what])).mean() > 0.97


@pytest.mark.parametrize("deeper", [-8.0, -4.0, 4.0, 8.0])
def test_the_surface_may_lie_eight_layers_off(model: InkModel, deeper: float) -> None:
    scores = []
    for offset in (0.0, deeper):
        phantom = make_phantom(
            PhantomConfig(seed=3000, height=SIDE, width=SIDE, surface_wander=0, surface_offset=offset)
        )
        block = model.contract.prepare(phantom.volume[model.contract.z_window(len(phantom.volume))])
        with torch.inference_mode():
            found = torch.sigmoid(model.network(torch.from_numpy(block.copy())[None]))[0, 0].numpy()
        scores.append(ink_scores(found, phantom.ink, phantom.mask).f0_5)
    assert scores[1] > scores[0] - 0.08 and scores[0] > 0.8
