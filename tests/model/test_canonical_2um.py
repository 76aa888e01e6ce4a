"""The `ink_canonical_2um` family: a Lightning file without a configuration opens and equals its description."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_ink.errors import CheckpointError
from napari_ink.model import load_model, read_card
from napari_ink.predict import contribution
from tests.model import hecate_oracle
from tests.model.resnet_files import CANONICAL_LAYERS, SMALL, TILE, canonical_file, canonical_network
from tests.predict.stand_ins import make_stack


@pytest.mark.parametrize("wrapper", ["", "model.", "module.model."])
def test_a_lightning_file_loads_and_equals_the_description(tmp_path: Path, wrapper: str) -> None:
    made = canonical_network()
    path = canonical_file(tmp_path, made, wrapper)
    model, card = load_model(path), read_card(path)
    tiles = torch.rand(2, CANONICAL_LAYERS, TILE, TILE)
    weights = {**made.state_dict(), "depth_coordinate_scale": torch.zeros(())}
    with torch.inference_mode():
        found = model.network(tiles)[:, :1]
        expected = hecate_oracle.probabilities(weights, tiles, SMALL.blocks, 0, 4)
    torch.testing.assert_close(found, torch.logit(expected), atol=1e-4, rtol=1e-4)
    assert torch.logit(expected).std() > 0.01
    assert card.contract == model.contract and card.parameters == sum(one.numel() for one in made.parameters())
    assert model.provenance == {
        "format": "ink_canonical_2um checkpoint",
        "scaling": "grey values clipped at 200 and divided by 200, as in the authors' tool",
        "weights": "state_dict",
        "step": 113246,
    }


def test_the_contract_is_that_of_the_authors_published_maps(tmp_path: Path) -> None:
    contract = load_model(canonical_file(tmp_path, canonical_network())).contract
    window = contract.z_window(109)
    assert (window.start, window.stop) == (23, 85)
    assert (contract.voxel_size_um, contract.overlap, contract.tile_size) == (2.4, 0.5, TILE)
    greys = np.array([0, 100, 200, 255], np.uint8).reshape(1, 1, 4)
    np.testing.assert_allclose(contract.prepare(greys).ravel(), [0, 0.5, 1, 1], rtol=1e-6)


def test_a_contract_file_states_the_scaling_of_the_training_scripts(tmp_path: Path) -> None:
    path = canonical_file(tmp_path, canonical_network())
    other = load_model(path).contract.changed(std=1.0)
    (tmp_path / "r152.contract.json").write_text(json.dumps({"input": other.model_dump(mode="json")}))
    greys = np.array([200, 255], np.uint8).reshape(1, 1, 2)
    np.testing.assert_allclose(load_model(path).contract.prepare(greys).ravel(), [200 / 255] * 2, rtol=1e-6)


@pytest.mark.parametrize("size", [30, 34, 10**9, "256 px"])
def test_a_size_that_no_tile_has_is_refused(tmp_path: Path, size: object) -> None:
    with pytest.raises(CheckpointError, match=r"r152\.ckpt is of a network that is not known here \(size"):
        load_model(canonical_file(tmp_path, canonical_network(), hyper_parameters={"size": size}))


def test_missing_weights_are_named(tmp_path: Path) -> None:
    made = canonical_network()
    weights = {name.removeprefix("canonical."): one for name, one in made.state_dict().items()}
    del weights["decoder.logit.bias"]
    with pytest.raises(CheckpointError, match=r"like ink_canonical_2um \(missing: canonical\.decoder\.logit\.bias"):
        load_model(canonical_file(tmp_path, made, state_dict=weights))


def test_the_profile_shows_at_which_layers_the_model_saw_ink(tmp_path: Path) -> None:
    model = load_model(canonical_file(tmp_path, made := canonical_network()))
    stack = make_stack(tmp_path, (70, 40, 40), dtype=np.uint8)
    found = contribution(model, stack, 20, 20)
    tile = model.contract.prepare(np.load(tmp_path / "segment.npy")[4:66, 4:36, 4:36])
    with torch.inference_mode():
        parts = made.by_layer(torch.from_numpy(tile)[None])[0][:, 3:6, 3:6].mean(dim=(1, 2)).numpy()
    np.testing.assert_allclose(found[4:66], parts, atol=1e-5)
    assert not found[:4].any() and not found[66:].any()
