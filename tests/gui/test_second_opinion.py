"""The review queue compares the shown prediction with one by another model, where both are final."""

import shutil

import numpy as np
import pytest
import torch

from napari_ink.annotation import create_project
from napari_ink.gui.jobs.review import SecondOpinion, score_job
from napari_ink.model import load_model, save_checkpoint
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.predict import PredictRequest, open_prediction, predict
from napari_ink.region import Region
from napari_ink.stack import open_stack
from tests.training.small import CONFIG, CONTRACT

SIDE = 300  # two by two regions


@pytest.fixture
def stores(tmp_path):
    """A stack, and two predictions of it: one of everything, and one by a model without ink, of the left only."""
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 255, (12, SIDE, SIDE)).astype(np.uint8))
    stack = open_stack(tmp_path / "a.npy")
    for name, bias, region in (("first", 5.0, None), ("second", -5.0, Region(0, SIDE, 0, 256))):
        network = InkEdgeNetwork(CONFIG).eval()
        torch.nn.init.zeros_(network.heads.weight)
        torch.nn.init.constant_(network.heads.bias, bias)
        model = load_model(save_checkpoint(tmp_path / f"{name}.safetensors", network, CONFIG, CONTRACT, {}))
        list(predict(PredictRequest(stack, model, tmp_path / f"{name}.zarr", region=region)))
    return tmp_path


def scored(home, shown):
    project = create_project(home / "a.ink", open_stack(home / "a.npy"), "someone")
    plane = open_prediction(shown).read("ink")
    *_, last = score_job(project.annotation, (plane, np.zeros_like(plane)), (0.5, 0.5), shown)
    project.close()
    return {score.region: score.between_models for score in last.scores}


def test_regions_count_where_both_models_predicted(stores):
    assert scored(stores, stores / "first.zarr") == {(0, 0): 1, (1, 0): 1, (0, 1): 0, (1, 1): 0}


def test_the_second_opinion_is_by_another_model_of_the_same_segment(stores):
    first = stores / "first.zarr"
    assert SecondOpinion.beside(first).prediction.path == stores / "second.zarr"
    assert SecondOpinion.beside(stores / "second.zarr").prediction.path == first
    shutil.rmtree(stores / "second.zarr")
    shutil.copytree(first, stores / "again.zarr")
    (stores / "damaged.zarr").mkdir()
    assert SecondOpinion.beside(first) is None
    assert SecondOpinion.beside(stores / "none.zarr") is None
