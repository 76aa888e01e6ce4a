"""The `v8-in` family: safetensors with settings beside them open, and equal functions of the description."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from napari_ink.errors import CheckpointError
from napari_ink.model import load_model, read_card
from napari_ink.model.resnet3d_planes import PlaneNetwork, sizes_of
from napari_ink.predict import PredictRequest, open_prediction
from tests.model import hecate_oracle
from tests.model.resnet_files import (
    PLANE_DEPTH,
    PLANE_LAYERS,
    PLANE_SIZES,
    PUBLISHED_PLANE_SIZES,
    TILE,
    plane_file,
    plane_network,
)
from tests.predict.stand_ins import make_stack, run


def described(weights: Mapping[str, Tensor], grey: Tensor) -> Tensor:
    """Map ``(b, z, y, x)`` to logits ``(b, 1, y, x)``."""
    mean, var = grey.mean(dim=(1, 2, 3), keepdim=True), grey.var(dim=(1, 2, 3), correction=0, keepdim=True)
    normed = (grey - mean) / (var + 1e-5).sqrt() * weights["normalization.weight"] + weights["normalization.bias"]
    size = (PLANE_DEPTH, 4 * TILE, 4 * TILE)
    volume = F.interpolate(normed[:, None], size=size, mode="trilinear", align_corners=False)
    backbone = {f"canonical.{name}": one for name, one in weights.items() if name.startswith("backbone.")}
    planes = [one.max(dim=2).values for one in hecate_oracle.encoded(backbone, volume, PLANE_SIZES.blocks, 4)]
    x = planes[3]
    for at in (2, 1, 0):
        name = f"decoder.convs.{at}"
        joined = torch.cat([planes[at], F.interpolate(x, scale_factor=2.0, mode="bilinear")], 1)
        x = F.conv2d(joined, weights[f"{name}.0.weight"], padding=1)
        mean, var, scale, shift = (
            weights[f"{name}.1.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = ((x - mean) / (var + 1e-5).sqrt() * scale + shift).clamp(min=0)
    return F.conv2d(x, weights["decoder.logit.weight"], weights["decoder.logit.bias"])


def test_a_published_file_loads_and_equals_the_description(tmp_path: Path) -> None:
    made = plane_network()
    path = plane_file(tmp_path, made)
    model, card = load_model(path), read_card(path)
    tiles = torch.rand(2, PLANE_LAYERS, TILE, TILE)
    with torch.inference_mode():
        found, expected = model.network(tiles), described(made.state_dict(), tiles)
    torch.testing.assert_close(found[:, :1], expected, atol=1e-4, rtol=1e-4)
    assert expected.std() > 0.01 and not found[:, 1].sigmoid().any()
    assert card.contract == model.contract and card.parameters == sum(one.numel() for one in made.parameters())


def test_the_contract_is_that_of_the_settings(tmp_path: Path) -> None:
    contract = load_model(plane_file(tmp_path, plane_network())).contract
    assert (contract.depth_layers, contract.min_depth_layers, contract.tile_size) == (PLANE_LAYERS, PLANE_LAYERS, TILE)
    assert (contract.direction, contract.voxel_size_um) == ("as stored", 8.0)
    assert TILE - round(TILE * contract.overlap) == TILE // 3
    greys = np.array([0, 51, 200, 255], np.uint8).reshape(1, 1, 4)
    np.testing.assert_allclose(contract.prepare(greys).ravel(), [0, 0.2, 200 / 255, 200 / 255], rtol=1e-6)
    assert load_model(plane_file(tmp_path, plane_network(), reverse_layers=True)).contract.direction == "reversed"


def test_without_settings_the_published_ones_hold(tmp_path: Path) -> None:
    contract = load_model(plane_file(tmp_path, plane_network(), beside=False)).contract
    window = contract.z_window(28)
    assert (window.start, window.stop, contract.tile_size) == (2, 26, 64)
    assert 64 - round(64 * contract.overlap) == 21


def test_settings_that_are_no_object_are_refused_instead_of_ignored(tmp_path: Path) -> None:
    path = plane_file(tmp_path, plane_network(), beside=False)
    (tmp_path / "config.json").write_text("[24, 64]")
    with pytest.raises(CheckpointError, match="no dict of plain values; write it as one object, in braces"):
        load_model(path)


def test_the_published_sizes_are_those_of_a_resnet_50() -> None:
    with torch.device("meta"):
        made = PlaneNetwork(PUBLISHED_PLANE_SIZES, 64, (96, 256, 256))
    assert sizes_of({name: tuple(one.shape) for name, one in made.state_dict().items()}) == PUBLISHED_PLANE_SIZES


def test_a_blank_tile_has_no_ink_and_a_stack_is_predicted(tmp_path: Path) -> None:
    made = plane_network()
    blank = torch.full((1, PLANE_LAYERS, TILE, TILE), 0.3)
    with torch.inference_mode():
        assert not made(blank).sigmoid().any()
    stack = make_stack(tmp_path, (PLANE_LAYERS + 2, 40, 50), dtype=np.uint8)
    run(PredictRequest(stack, load_model(plane_file(tmp_path, made)), tmp_path / "p.zarr", device="cpu"))
    prediction = open_prediction(tmp_path / "p.zarr")
    assert prediction.read("ink").std() > 0
    assert prediction.provenance["batch_size"] == 1  # a tile is small, but the network's volume is not


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"input_upsample_hw": 64}, "enlarged to 64"),
        ({"tile_size": 40, "input_upsample_hw": 160}, ""),
        ({"tile_size": 36, "input_upsample_hw": 144}, "a multiple of 8"),
        ({"stride": 100}, "gaps"),
        ({"clip_max": 300}, "clip_max"),
        ({"in_depth": "x"}, "in_depth"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    path = plane_file(tmp_path, plane_network(), **change)
    if not named:
        assert load_model(path).contract.tile_size == 40
        return
    with pytest.raises(CheckpointError, match=named):
        load_model(path)
