"""Files of the `ink_9um` family: what they say is read, what does not fit is refused, and no code is run."""

import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.errors import CheckpointError
from napari_ink.model import InputContract, load_model, read_card
from napari_ink.model.crop_scaling import scaled_by_crop
from napari_ink.model.hybrid import HybridNetwork
from tests.model import hybrid_oracle
from tests.model.hybrid_files import (
    LAYERS,
    SMALL,
    TILE,
    config,
    network,
    pth_file,
    published_names,
    safetensors_file,
)

CONTRACT = InputContract(
    depth_layers=LAYERS,
    min_depth_layers=LAYERS,
    mean=0.0,
    std=1.0,
    normalisation="crop robust",
    voxel_size_um=9.6,
    tile_size=TILE,
    overlap=0.5,
)


def assert_predicts_like(path: Path, made: HybridNetwork) -> None:
    model = load_model(path)
    tiles = torch.rand(2, LAYERS, TILE, TILE)
    with torch.inference_mode():
        found = model.network(tiles)[:, :1]
        expected = hybrid_oracle.logits(made.state_dict(), scaled_by_crop(tiles), SMALL.blocks)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("entry", ["ema_model", "state_dict", "model_state_dict", "model"])
def test_a_published_file_loads_with_its_contract(tmp_path: Path, entry: str) -> None:
    made = network()
    path = pth_file(tmp_path, made, entry)
    model, card = load_model(path), read_card(path)
    assert model.contract == card.contract == CONTRACT
    assert not model.predicts_edges and not card.predicts_edges and model.config is None
    assert card.parameters == sum(weight.numel() for weight in made.parameters())
    assert model.provenance == card.provenance
    assert model.provenance == {
        "format": "ink_9um checkpoint",
        "weights": entry,
        "step": 75000,
        "data": "scrolls 0139, Paris4",
    }
    assert_predicts_like(path, made)


def test_averaged_weights_are_preferred(tmp_path: Path) -> None:
    made, averaged = network(), network(seed=1)
    path = pth_file(tmp_path, made, ema_model=published_names(averaged.state_dict()))
    assert_predicts_like(path, averaged)
    assert load_model(path).provenance["weights"] == "ema_model"


@pytest.mark.parametrize("beside", ["soup.json", "config.json", "train_config.json"])
def test_bare_safetensors_load_with_the_configuration_beside_them(tmp_path: Path, beside: str) -> None:
    made = network()
    path = safetensors_file(tmp_path, made, beside)
    assert load_model(path).contract == read_card(path).contract == CONTRACT
    assert_predicts_like(path, made)
    # What the configuration says decides about predictions, so another one makes another model.
    before = load_model(path).sha256
    (tmp_path / beside).write_text(json.dumps({**config(crop_size=[19, TILE, TILE]), "learning_rate": 1}))
    assert load_model(path).sha256 != before and load_model(path).contract.depth_layers == 19


def test_safetensors_without_a_configuration_say_what_they_need(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"begins with depth_fusion.*soup\.json or config\.json"):
        load_model(safetensors_file(tmp_path, network(), None))


def test_bare_weights_in_a_pth_file_load_with_a_configuration_beside_them(tmp_path: Path) -> None:
    made = network()
    torch.save({f"module.{name}": weight for name, weight in made.state_dict().items()}, tmp_path / "bare.pth")
    (tmp_path / "bare.json").write_text(json.dumps({"config": {**config(), "learning_rate": 1}}))
    assert_predicts_like(tmp_path / "bare.pth", made)


def test_half_precision_weights_compute_in_float32(tmp_path: Path) -> None:
    made = network().half()
    assert_predicts_like(pth_file(tmp_path, made), made.float())


def test_the_window_of_a_jittered_crop_is_what_is_read(tmp_path: Path) -> None:
    changed = config(crop_size=None, patch_size=[21, 32, 32], flat_z_window_jitter={"window_depth": np.int64(17)})
    assert load_model(pth_file(tmp_path, network(), config=changed)).contract.depth_layers == 17


def test_greys_divided_by_255_are_scaled_alike_everywhere(tmp_path: Path) -> None:
    changed = config(image_normalization={"mode": "divide", "divisor": 255.0})
    contract = load_model(pth_file(tmp_path, network(), config=changed)).contract
    assert contract == CONTRACT.changed(normalisation="fixed")
    assert contract.prepare(np.full((1, 1, 1), 51, np.uint8)).item() == pytest.approx(0.2)


@pytest.mark.parametrize("odd", [[], {}, [1, 2], 3, None, "", "x" * 50, "\x1b[2J"])
def test_odd_names_of_scrolls_are_left_out(tmp_path: Path, odd: object) -> None:
    changed = config(datasets=[{"sampling_scroll": odd}, {"sampling_scroll": "0139"}])
    assert load_model(pth_file(tmp_path, network(), config=changed)).provenance["data"] == "scrolls 0139"


def test_a_contract_file_beside_a_checkpoint_replaces_the_contract(tmp_path: Path) -> None:
    path = pth_file(tmp_path, network())
    beside = path.with_name("step-075000.contract.json")
    wanted = CONTRACT.changed(surface_offset=2, voxel_size_um=9.362)
    beside.write_text(json.dumps({"input": wanted.model_dump(mode="json"), "provenance": {"data": "Scroll 1"}}))
    model = load_model(path)
    assert model.contract == wanted and model.provenance["data"] == "Scroll 1"
    beside.write_text(json.dumps({"input": wanted.changed(tile_size=64).model_dump(mode="json")}))
    with pytest.raises(CheckpointError, match="tile_size of 32"):
        load_model(path)


class RunsCode:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("entry", ["config", "model", "rng", "step", "optimizer"])
def test_code_in_a_file_is_not_run(tmp_path: Path, entry: str) -> None:
    trap = tmp_path / "it ran"
    path = pth_file(tmp_path, network(), **{entry: {"x": RunsCode(trap)}})
    for read in (load_model, read_card):
        with pytest.raises(CheckpointError, match=r"holds (io|_io)\.open beside its weights.*could run code") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    assert not trap.exists()


def test_missing_and_unknown_weights_and_those_of_other_sizes_are_named(tmp_path: Path) -> None:
    weights = published_names(network().state_dict())
    for change, named in (
        ({"network.task_heads.other.weight": torch.zeros(1)}, r"task_heads\.other"),
        ({"network.task_heads.ink.weight": torch.zeros(2, 4, 1, 1)}, r"task_heads\.ink\.weight"),
        ({"network.shared_encoder.stages.7.blocks.0.odd": torch.zeros(1)}, r"looked for.*stages\.3"),
        ({"network.shared_decoder.transpconvs.0.weight": torch.zeros(6, 6, 3, 3)}, r"can divide by \(6, 6\)"),
    ):
        with pytest.raises(CheckpointError, match=named):
            load_model(pth_file(tmp_path, network(), model={**weights, **change}))
    del weights["depth_fusion.attention_logits.bias"]
    with pytest.raises(CheckpointError, match=r"attention_logits\.bias"):
        load_model(pth_file(tmp_path, network(), model=weights))
    with pytest.raises(CheckpointError, match=r"no network of the family ink_9um.*begins with backbone\.x"):
        load_model(pth_file(tmp_path, network(), model={"backbone.x": torch.zeros(1)}))


def test_two_names_of_a_weight_must_agree(tmp_path: Path) -> None:
    weights = published_names(network().state_dict())
    name = "network.shared_encoder.stem.convs.0.all_modules.0.weight"
    weights[name] = weights[name] + 1
    with pytest.raises(CheckpointError, match=r"two different weights for .*stem\.convs\.0\.conv\.weight"):
        load_model(pth_file(tmp_path, network(), model=weights))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "vesuvius_unet"}, "model_type"),
        ({"model_type": "\x1b[2J"}, r"model_type is \?\[2J,"),
        ({"mode": "full_3d"}, "mode"),
        ({"crop_size": [17, 32]}, "crop_size"),
        ({"crop_size": [17, 32, 64]}, "32 × 64"),
        ({"crop_size": [17, 16, 16]}, "16 × 16"),
        ({"crop_size": [17, 34, 34]}, r"can divide by \(4, 4\)"),
        ({"crop_size": [10**9, 32, 32]}, "crop_size"),
        ({"image_normalization": "minmax"}, "image_normalization.mode"),
        ({"image_normalization": {"percentile_lower": 2}}, "percentile_lower"),
        ({"model_config": {"nonlin": "nn.ReLU"}}, "nonlin"),
        ({"model_config": {"nonlin_kwargs": {"negative_slope": 0.2}}}, "negative_slope"),
        ({"model_config": {"norm_op": torch.zeros(2)}}, "norm_op"),
        ({"targets": {"ink": {"activation": "sigmoid"}}}, "activation"),
    ],
)
def test_settings_that_are_not_known_are_refused_by_name(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    path = pth_file(tmp_path, network(), config=config(**changes))
    with pytest.raises(CheckpointError, match=named) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_values_nested_too_deeply_to_be_printed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pth_file(tmp_path, network())
    content = torch.load(path, weights_only=False)
    nested: tuple[Any, ...] = ()
    for _ in range(2 * sys.getrecursionlimit()):
        nested = (nested,)
    for changes, named in (
        ({"config": {**content["config"], "model_type": nested}}, "model_type is tuple"),
        ({"model": {nested: torch.zeros(1)}}, "holds no weights"),
        ({nested: 1, "model": 1}, "holds no weights"),
    ):
        # Python's pickle cannot write such values, but a file can hold them.
        monkeypatch.setattr("napari_ink.model.published.read_pickled", lambda *_, of=changes: {**content, **of})
        with pytest.raises(CheckpointError, match=named):
            load_model(path)


def test_files_without_weights_or_plain_configuration_are_refused(tmp_path: Path) -> None:
    for content, named in (
        ([1, 2], "holds no weights"),
        ({"model": {}, "config": config()}, "holds no weights"),
        ({"epoch": 3}, r"holds no weights.*but epoch"),
        ({"model": {"a": 1}}, "holds no weights"),
        ({"model": network().state_dict(), "config": "a config"}, "no dict of plain values"),
    ):
        torch.save(content, tmp_path / "x.pth")
        with pytest.raises(CheckpointError, match=named):
            load_model(tmp_path / "x.pth")
    (tmp_path / "x.pth").write_bytes(b"\x80\x02certainly no zip")
    with pytest.raises(CheckpointError, match="not a model file that torch saved"):
        load_model(tmp_path / "x.pth")
    # The end of a zip archive of several disks.
    end = b"PK\x06\x07" + struct.pack("<IQI", 0, 0, 2) + b"PK\x05\x06" + bytes(18)
    (tmp_path / "x.pth").write_bytes(end)
    with pytest.raises(CheckpointError, match="cannot be read.*disks"):
        load_model(tmp_path / "x.pth")


def test_weights_that_claim_more_than_the_file_holds_are_refused(tmp_path: Path) -> None:
    weights = network().state_dict()
    for claim in (torch.zeros(1).expand(10**12), torch.empty(10**12, device="meta")):
        with pytest.raises(CheckpointError, match="fewer bytes|holds no weights"):
            load_model(pth_file(tmp_path, network(), model={**weights, "network.task_heads.ink.bias": claim}))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol", "ignore:.*TypedStorage")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_in_one_sentence(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "x.pth"
    torch.save({"model": {"depth_fusion.attention_logits.bias": torch.zeros(1)}, "config": config()}, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
