"""Checkpoints: a saved one loads unchanged, and other files are refused in one sentence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_ink.errors import CheckpointError, ContractError, OutputError
from napari_ink.model import (
    DEFAULT_MODEL,
    InkEdgeConfig,
    InputContract,
    load_model,
    read_card,
    recommended_thresholds,
    save_checkpoint,
    shipped_models,
)
from napari_ink.model.network import InkEdgeNetwork

CONFIG = InkEdgeConfig(stem_channels=(2, 2), dims=4, heads=1, num_layers=1, decoder_dim=4)
CONTRACT = InputContract(depth_layers=8, min_depth_layers=2, mean=0.3, std=0.2, voxel_size_um=7.91, tile_size=64)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return save_checkpoint(tmp_path / "mine.safetensors", InkEdgeNetwork(CONFIG), CONFIG, CONTRACT, {"seed": 0})


def test_a_saved_checkpoint_loads_unchanged(saved: Path) -> None:
    torch.manual_seed(0)
    before = InkEdgeNetwork(CONFIG).eval()
    model = load_model(saved)
    assert (model.name, model.config, model.contract, model.provenance) == ("mine", CONFIG, CONTRACT, {"seed": 0})
    assert len(model.sha256) == 64
    stack = torch.randn(1, 8, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(model.network(stack), before(stack))
    assert list(saved.parent.iterdir()) == [saved]


def test_the_greys_of_a_stack_are_not_kept_for_other_stacks(tmp_path: Path) -> None:
    curve = CONTRACT.changed(normalisation="stack curve")
    fitted = curve.changed(stack_greys=(10, 150, 200))
    path = save_checkpoint(tmp_path / "fitted.safetensors", InkEdgeNetwork(CONFIG), CONFIG, fitted, {})
    with safe_open(path, "pt") as file:
        stored = dict(file.metadata())
    assert "stack_greys" not in stored["contract"]
    stored["contract"] = fitted.model_dump_json()
    save_file(load_file(path), path, stored)
    assert load_model(path).contract == curve == read_card(str(path)).contract


def test_the_shipped_model_is_small_and_has_provenance() -> None:
    card = {card.name: card for card in shipped_models()}[DEFAULT_MODEL]
    assert card.path.stat().st_size < 15e6
    assert "phantoms" in card.provenance["data"]
    model = load_model()
    assert sum(p.numel() for p in model.network.parameters()) <= card.parameters
    assert not model.network.training


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x80\x04 certainly no weights")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        read_card(path)


def test_safetensors_of_another_program_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="not made by napari-ink"):
        load_model(path)


@pytest.mark.parametrize("sizes", [{"stem_channels": (10**13, 2)}, {"decoder_dim": -5}])
def test_a_config_with_impossible_sizes_is_refused(tmp_path: Path, sizes: dict[str, object]) -> None:
    path = tmp_path / "x.safetensors"
    config = CONFIG.model_copy(update=sizes)
    metadata = {"format": "napari-ink/1", "config": config.model_dump_json(), "contract": CONTRACT.model_dump_json()}
    save_file({"w": torch.zeros(2)}, path, {**metadata, "provenance": "{}"})
    with pytest.raises(CheckpointError, match="do not fit its config"):
        load_model(path)


@pytest.mark.parametrize(
    "sizes",
    [
        {"decoder_dim": 60_000},  # 10.7 GB, which the file does not have
        {"dims": 2**40, "heads": 1},
        {"num_layers": 10**9},
        {"ff_expansion": 10**6},
        {"reduction_ratio": 2**30},
    ],
)
def test_a_config_that_claims_more_than_the_file_holds_takes_no_memory(tmp_path: Path, sizes: dict[str, int]) -> None:
    config = CONFIG.model_copy(update=sizes)
    path = save_checkpoint(tmp_path / "x.safetensors", InkEdgeNetwork(CONFIG), config, CONTRACT, {})
    program = (
        "import resource, sys; from napari_ink.cli import main; import torch\n"
        "used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "code = main(['predict', 'nothing', '-o', 'out.zarr', '--model', sys.argv[1]])\n"
        "assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 300_000, 'too much memory'\n"
        "sys.exit(code)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "do not fit its config" in ended.stderr and len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"provenance": "[]"},
        {"provenance": "[" * 100_000},
        {"contract": "[" * 100_000},
        {"contract": CONTRACT.model_dump_json().replace("0.3", "NaN")},
        {"contract": CONTRACT.model_dump_json().replace("64", "1" * 400)},
        {"contract": CONTRACT.model_dump_json().replace('"depth_layers":8', '"depth_layers":1000000000')},
    ],
)
def test_an_invalid_header_is_reported_in_one_sentence(tmp_path: Path, fields: dict[str, str]) -> None:
    path = tmp_path / "x.safetensors"
    good = {"config": CONFIG.model_dump_json(), "contract": CONTRACT.model_dump_json(), "provenance": "{}"}
    save_file(InkEdgeNetwork(CONFIG).state_dict(), path, {"format": "napari-ink/1", **good, **fields})
    with pytest.raises(CheckpointError, match="header that cannot be read") as caught:
        load_model(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    metadata = {"format": "napari-ink/1", "config": CONFIG.model_dump_json(), "contract": CONTRACT.model_dump_json()}
    save_file({"odd.key": torch.zeros(2)}, path, metadata | {"provenance": json.dumps({})})
    with pytest.raises(CheckpointError, match="odd.key"):
        load_model(path)


def test_a_broken_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"w": torch.zeros(2)}, path, {"format": "napari-ink/1", "config": "{}"})
    with pytest.raises(CheckpointError, match="header"):
        load_model(path)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match=DEFAULT_MODEL):
        load_model("no-such-model")


def test_a_checkpoint_needs_its_suffix(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="safetensors"):
        save_checkpoint(tmp_path / "x.pt", InkEdgeNetwork(CONFIG), CONFIG, CONTRACT, {})
    with pytest.raises(OutputError):
        save_checkpoint(tmp_path / "no" / "x.safetensors", InkEdgeNetwork(CONFIG), CONFIG, CONTRACT, {})


def test_thresholds_come_from_the_checkpoint() -> None:
    assert recommended_thresholds({"thresholds": {"ink": 0.62, "edge": 0.88}}) == {"ink": 0.62, "edge": 0.88}
    for nonsense in ({}, {"thresholds": None}, {"thresholds": {"ink": "high", "edge": 7}}):
        assert recommended_thresholds(nonsense) == {"ink": 0.5, "edge": 0.5}


def test_another_direction_or_window_is_checked_and_reported(saved: Path) -> None:
    model = load_model(saved)
    assert model.reading() is model and model.notes() == ()
    other = model.reading("reversed", -4)
    assert (other.contract.direction, other.contract.surface_offset) == ("reversed", -4)
    assert other.contract.changed(direction="as stored", surface_offset=0) == model.contract
    assert other.notes() == (
        "That is as asked; the model itself has the direction 'as stored' and an offset of 0 layers.",
    )
    again = other.reading(surface_offset=2)
    assert again.asked == {"direction": "as stored", "surface_offset": 0}
    with pytest.raises(ContractError, match="direction"):
        model.contract.changed(direction="sideways")
