"""The Hecate family: its network compared with functions of its description, and its files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_ink.errors import CheckpointError, ContractError
from napari_ink.model import Direction, load_model, read_card
from napari_ink.model.hecate import HecateConfig
from napari_ink.model.resnet3d import HecateNetwork, ResNetSizes, sizes_of
from napari_ink.predict import PredictRequest, contribution, open_prediction
from tests.model import hecate_oracle
from tests.model.resnet_files import COARSE, FINE, PUBLISHED, SMALL, TILE, config, hecate_file, network, unused
from tests.predict.stand_ins import make_stack, run


def test_the_published_sizes_give_the_published_number_of_weights() -> None:
    with torch.device("meta"):
        made = HecateNetwork(PUBLISHED, 256, 1, 4)
        beside = unused(PUBLISHED)
    assert sum(one.numel() for one in (*made.parameters(), *beside.values())) == 130_433_494
    assert sizes_of({name: tuple(one.shape) for name, one in made.state_dict().items()}) == PUBLISHED


@pytest.mark.parametrize("layout", [FINE, COARSE])
@pytest.mark.parametrize("has_norm", [True, False])
def test_probabilities_equal_those_of_the_description(layout: dict[str, int], has_norm: bool) -> None:
    made = network(**layout, sizes=ResNetSizes(3, (2, 3, 4, 5), (6, 8, 9, 10), (1, 2, 1, 2), (4, 5, 6, 7), has_norm))
    tiles = torch.rand(2, layout["layers"], TILE, TILE)
    with torch.inference_mode():
        found = made(tiles)
        expected = hecate_oracle.probabilities(
            made.state_dict(), tiles, SMALL.blocks, layout["margin"], layout["xy_stride"]
        )
    torch.testing.assert_close(found[:, :1], torch.logit(expected), atol=1e-4, rtol=1e-4)
    assert torch.logit(expected).std() > 0.01
    assert not found[:, 1].sigmoid().any()


@pytest.mark.parametrize("layout", [FINE, COARSE])
def test_a_published_file_loads_and_predicts(tmp_path: Path, layout: dict[str, int]) -> None:
    made = network(**layout)
    path = hecate_file(tmp_path, made, layout)
    model, card = load_model(path), read_card(path)
    contract = model.contract
    assert card.contract == contract and card.parameters == sum(one.numel() for one in made.parameters())
    assert (contract.depth_layers, contract.min_depth_layers, contract.tile_size) == (layout["layers"],) * 2 + (TILE,)
    assert (contract.voxel_size_um, contract.overlap) == (2.4 if layout["xy_stride"] == 4 else 9.6, 0.5)
    greys = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    np.testing.assert_allclose(contract.prepare(greys), greys / (200 if layout["xy_stride"] == 4 else 255), rtol=1e-6)
    assert model.provenance == {"format": "Hecate checkpoint", "weights": "ema_model"}
    tiles = torch.rand(1, layout["layers"], TILE, TILE)
    with torch.inference_mode():
        torch.testing.assert_close(model.network(tiles), made(tiles))
    stack = make_stack(tmp_path, (layout["layers"] + 2, 40, 50), dtype=np.uint8)
    request = PredictRequest(stack, model, tmp_path / "p.zarr", device="cpu")
    run(request)
    prediction = open_prediction(request.out)
    assert prediction.read("ink").std() > 0 and not prediction.predicts_edges
    with pytest.raises(ContractError, match=f"needs {layout['layers']}"):
        run(PredictRequest(make_stack(tmp_path, (5, 40, 50)), model, tmp_path / "q.zarr", device="cpu"))


def test_the_published_configurations_are_known() -> None:
    for depth, margin, tile, stride, divisor in ((64, 1, 256, 4, 200.0), (16, 0, 64, 1, 255.0)):
        stated = config(depth, margin, stride)
        stated |= {"patch_size": [depth, tile, tile], "image_normalization": {"mode": "divide", "divisor": divisor}}
        assert HecateConfig.model_validate(stated).patch_size == (depth, tile, tile)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"projection": {"kind": "max"}}, "projection.kind"),
        ({"image_normalization": {"mode": "robust_mad"}}, "image_normalization.mode"),
        ({"patch_size": [12, 32, 64]}, "32 × 64"),
        ({"patch_size": [13, 32, 32]}, "input_depth of 12"),
        ({"model_config": {"canonical": {"native_refinement": True}}}, "native_refinement"),
        ({"model_config": None}, "model_config"),
    ],
)
def test_settings_that_are_not_known_are_refused_by_name(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    path = hecate_file(tmp_path, network(**FINE), FINE, config={**config(**FINE), **change})
    with pytest.raises(CheckpointError, match=named):
        load_model(path)


def test_missing_and_unknown_weights_are_named(tmp_path: Path) -> None:
    weights = network(**FINE).state_dict()
    with pytest.raises(CheckpointError, match=r"not laid out like Hecate \(unknown: canonical\.decoder\.odd"):
        load_model(
            hecate_file(
                tmp_path,
                network(**FINE),
                FINE,
                ema_model={"canonical.decoder.odd": weights["depth_coordinate_scale"], **weights},
            )
        )
    del weights["depth_coordinate_scale"]
    with pytest.raises(CheckpointError, match="depth_coordinate_scale"):
        load_model(hecate_file(tmp_path, network(**FINE), FINE, ema_model=weights))
    with pytest.raises(CheckpointError, match=r"no network of the family Hecate.*conv1\.weight"):
        load_model(hecate_file(tmp_path, network(**FINE), FINE, ema_model={"x": torch.zeros(1)}))
    # The first convolution of the other sampling is of another size.
    with pytest.raises(CheckpointError, match=r"backbone\.conv1\.weight"):
        load_model(hecate_file(tmp_path, network(**COARSE), FINE))


@pytest.mark.parametrize("layout", [FINE, COARSE])
@pytest.mark.parametrize("direction", ["as stored", "reversed"])
def test_contributions_are_the_layers_parts_of_the_logit(
    tmp_path: Path, layout: dict[str, int], direction: Direction
) -> None:
    made = network(**layout)
    model = load_model(hecate_file(tmp_path, made, layout)).reading(direction)
    stack = make_stack(tmp_path, (layout["layers"] + 4, 70, 90), dtype=np.uint8)
    found = contribution(model, stack, 41, 53)
    # The tile around the pixel, and the means over the coarse pixels that its 9 x 9 neighbours lie in.
    greys = np.load(tmp_path / "segment.npy")[:, 41 - 16 : 41 + 16, 53 - 16 : 53 + 16]
    window = model.contract.z_window(len(greys))
    tile = torch.from_numpy(np.ascontiguousarray(model.contract.prepare(greys[window])))[None]
    step = layout["xy_stride"]
    with torch.inference_mode():
        place = np.s_[12 // step : 20 // step + 1]
        parts = made.by_layer(tile)[0][:, place, place].mean(dim=(1, 2)).numpy()
        coarse = hecate_oracle.probabilities(made.state_dict(), tile, SMALL.blocks, layout["margin"], step)
    assert not parts[: layout["margin"]].any() and parts[layout["margin"]] != 0
    expected = np.zeros(len(greys), np.float32)
    expected[window] = parts[::-1] if direction == "reversed" else parts
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if step == 1:
        logits = torch.logit(coarse)[0, 0, place, place]
        assert found.sum() == pytest.approx(logits.mean().item(), abs=1e-4)
