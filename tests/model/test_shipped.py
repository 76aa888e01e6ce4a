"""The shipped checkpoint on the sample, which is no training data: results must not depend on how it is read."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_ink.evaluation import ink_scores
from napari_ink.model import InkModel, load_model, recommended_thresholds
from napari_ink.phantom import PhantomConfig, make_phantom, sample_path
from napari_ink.predict import PredictRequest, open_prediction, predict
from napari_ink.stack import DepthStack, open_stack, stack_of_array

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
    block = model.contract.with_greys_of(stack).prepare(stack.read(window, slice(y, y + SIDE), slice(x, x + SIDE)))
    with torch.inference_mode():
        return torch.sigmoid(model.network(torch.from_numpy(block.copy())[None]))[0].numpy()


@pytest.fixture(scope="module")
def here(model: InkModel, stack: DepthStack) -> Probabilities:
    return predicted(model, stack, Y, X)


@pytest.mark.parametrize(("down", "right"), [(64, 32), (37, 11), (1, 2), (-90, 51)])
def test_a_prediction_hardly_depends_on_the_position_of_the_tile(
    model: InkModel, stack: DepthStack, here: Probabilities, down: int, right: int
) -> None:
    moved = predicted(model, stack, Y + down, X + right)
    inner = (
        slice(max(0, down) + MARGIN, SIDE + min(0, down) - MARGIN),
        slice(max(0, right) + MARGIN, SIDE + min(0, right) - MARGIN),
    )
    same = slice(inner[0].start - down, inner[0].stop - down), slice(inner[1].start - right, inner[1].stop - right)
    difference = np.abs(here[(slice(None), *inner)] - moved[(slice(None), *same)]).mean(axis=(1, 2))
    assert difference[0] < 0.04 and difference[1] < 0.1
    cut = recommended_thresholds(model.provenance)
    for plane, what in enumerate(("ink", "edge")):
        assert ((here[plane][inner] > cut[what]) == (moved[plane][same] > cut[what])).mean() > 0.95


@pytest.mark.parametrize("deeper", [-8.0, -4.0, 4.0, 8.0])
def test_ink_is_found_with_the_surface_eight_layers_off(model: InkModel, deeper: float) -> None:
    scores = []
    for offset in (0.0, deeper):
        phantom = make_phantom(
            PhantomConfig(seed=3000, height=SIDE, width=SIDE, surface_wander=0, surface_offset=offset)
        )
        contract = model.contract.with_greys_of(stack_of_array(phantom.volume, "phantom"))
        block = contract.prepare(phantom.volume[contract.z_window(len(phantom.volume))])
        with torch.inference_mode():
            found = torch.sigmoid(model.network(torch.from_numpy(block.copy())[None]))[0, 0].numpy()
        scores.append(ink_scores(found, phantom.ink, phantom.mask).f0_5)
    assert scores[1] > scores[0] - 0.08 and scores[0] > 0.8


def whole_map(stack: npt.NDArray[np.uint16], model: InkModel, folder: Path) -> npt.NDArray[np.int64]:
    np.save(folder / "stack.npy", stack)
    for _ in predict(PredictRequest(open_stack(folder / "stack.npy"), model, folder / "p.zarr", device="cpu")):
        pass
    stored = open_prediction(folder / "p.zarr")
    return np.stack([stored.read("ink"), stored.read("edge")]).astype(int)


def test_a_stack_that_is_constant_in_the_plane_gives_a_map_without_a_grid(
    model: InkModel, stack: DepthStack, tmp_path: Path
) -> None:
    column = stack.read(slice(None), slice(250, 251), slice(250, 251))
    found = whole_map(np.broadcast_to(column, (len(column), 700, 1100)).copy(), model, tmp_path)
    assert np.ptp(found, axis=(1, 2)).max() <= 3


def test_a_map_does_not_depend_on_the_positions_of_tiles(model: InkModel, tmp_path: Path) -> None:
    volume = np.random.default_rng(0).normal(25000, 9000, (65, 640, 704)).clip(0, 65535).astype(np.uint16)
    (tmp_path / "cut").mkdir()
    whole = whole_map(volume, model, tmp_path)
    cut = whole_map(volume[:, 96:, 64:], model, tmp_path / "cut")
    away = model.contract.context_px
    difference = np.abs(whole[:, 96:, 64:] - cut)[:, away:, away:]
    assert (difference <= 3).mean() >= 0.995 and difference.max() <= 12
