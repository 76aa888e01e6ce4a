"""Masks of predictions, cut at the given threshold, or otherwise at the recommended one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_ink.errors import BadInputError
from napari_ink.export import export_source
from napari_ink.model import InkEdgeConfig, InputContract, load_model, save_checkpoint
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.predict import PredictRequest, open_prediction, predict
from napari_ink.stack import open_stack


@pytest.fixture
def prediction(tmp_path: Path) -> Path:
    np.save(tmp_path / "stack.npy", np.random.default_rng(0).integers(0, 60000, (8, 70, 90), dtype=np.uint16))
    torch.manual_seed(0)
    config = InkEdgeConfig(stem_channels=(2, 2), dims=4, heads=1, num_layers=1, decoder_dim=8)
    network = InkEdgeNetwork(config)
    torch.nn.init.normal_(network.heads.weight, std=3.0)
    contract = InputContract(depth_layers=8, min_depth_layers=2, mean=0.5, std=0.3, voxel_size_um=None, tile_size=64)
    provenance = {"thresholds": {"ink": 0.2, "edge": 0.3}}
    model = load_model(save_checkpoint(tmp_path / "m.safetensors", network, config, contract, provenance))
    for _ in predict(PredictRequest(stack=open_stack(tmp_path / "stack.npy"), model=model, out=tmp_path / "p.zarr")):
        pass
    return tmp_path / "p.zarr"


@pytest.mark.parametrize(("what", "plane", "recommended"), [("ink", "ink", 0.2), ("edges", "edge", 0.3)])
@pytest.mark.parametrize("threshold", [None, 0.0, 0.15, 1.0])
def test_a_mask_is_the_map_cut_at_the_threshold(
    prediction: Path, what: str, plane: str, recommended: float, threshold: float | None
) -> None:
    out = export_source(prediction, prediction.with_name("mask.png"), what, threshold)  # type: ignore[arg-type]
    levels = open_prediction(prediction).read(plane)  # type: ignore[arg-type]
    cut = recommended if threshold is None else threshold
    np.testing.assert_array_equal(np.asarray(Image.open(out)) > 0, levels / 255 >= cut)
    assert levels.shape == (70, 90)


@pytest.mark.parametrize("what", ["labels", "supervision"])
def test_a_prediction_contains_no_labels(prediction: Path, what: str) -> None:
    with pytest.raises(BadInputError, match=what):
        export_source(prediction, prediction.with_name("mask.png"), what)  # type: ignore[arg-type]
