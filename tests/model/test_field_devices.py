"""Networks of published files on other devices and in reduced precision."""

from pathlib import Path

import pytest
import torch

from napari_ink.model import load_model
from napari_ink.model.inference import for_prediction, takes_reduced_precision
from tests.model.field_files import LAYOUTS


@pytest.mark.parametrize("name", LAYOUTS)
def test_bfloat16_changes_probabilities_little_and_gives_float32(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    network = load_model(layout.write(tmp_path, True)).network
    # With weights as training starts from, as random ones as large as those of the files amplify any rounding.
    for module in network.modules():
        if reset := getattr(module, "reset_parameters", None):
            reset()
    torch.manual_seed(0)
    tiles = torch.rand(2, layout.layers, layout.tile, layout.tile)
    assert takes_reduced_precision(network)
    with torch.inference_mode():
        full, fast = network(tiles), for_prediction(network, torch.bfloat16)(tiles)
    assert fast.dtype == torch.float32 and for_prediction(network).__class__ is network.__class__
    difference = (full[:, 0].sigmoid() - fast[:, 0].sigmoid()).abs()
    assert 0 < difference.max() < 0.03 and difference.mean() < 0.006
    assert not fast[:, 1].sigmoid().any()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_network_runs_on_another_device_as_a_whole(tmp_path: Path, name: str) -> None:
    """torch's device without memory stands for a GPU: a tensor that stays on the CPU raises there, too."""
    layout = LAYOUTS[name]
    network = for_prediction(load_model(layout.write(tmp_path, True)).network).to("meta")
    with torch.inference_mode():
        logits = network(torch.empty(2, layout.layers, layout.tile, layout.tile, device="meta"))
    assert logits.shape == (2, 2, layout.tile, layout.tile) and logits.device.type == "meta"
