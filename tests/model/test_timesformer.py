"""Our TimeSformer compared with the Grand Prize's package, and checkpoints saved by Lightning."""

import argparse
import collections
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from napari_ink.errors import CheckpointError, ContractError
from napari_ink.model import InkModel, load_model, read_card
from napari_ink.model.lightning import GRAND_PRIZE_CONTRACT
from napari_ink.model.timesformer import GrandPrizeNetwork, TimeSformer, TimeSformerSizes
from napari_ink.predict import PredictionStarted, PredictRequest, open_prediction
from tests.predict.stand_ins import make_stack, run

SMALL = TimeSformerSizes(dim=24, depth=2, heads=2, dim_head=12, patch=16, grid=4)


def reference(sizes: TimeSformerSizes, frames: int) -> torch.nn.Module:
    """The network of the original package, with random weights."""
    from timesformer_pytorch import TimeSformer as Reference

    return Reference(
        dim=sizes.dim,
        num_frames=frames,
        num_classes=sizes.grid**2,
        image_size=sizes.tile,
        patch_size=sizes.patch,
        channels=1,
        depth=sizes.depth,
        heads=sizes.heads,
        dim_head=sizes.dim_head,
        attn_dropout=0.1,
        ff_dropout=0.1,
        rotary_emb=sizes.positions is None,
    ).eval()


def assert_same_logits(sizes: TimeSformerSizes, frames: int, batch: int) -> None:
    theirs, ours = reference(sizes, frames), TimeSformer(sizes).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    tile = torch.rand(batch, frames, sizes.tile, sizes.tile)
    with torch.inference_mode():
        expected = theirs(tile[:, :, None])
        torch.testing.assert_close(ours(tile), expected, atol=1e-5, rtol=1e-5)
    assert expected.std() > 1e-3


# The package contains `amt is 0`, for which newer Pythons warn during compilation.
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 99),
    heads=st.integers(1, 3),
    dim_head=st.sampled_from([4, 8, 10, 14]),
    depth=st.integers(1, 3),
    patch=st.sampled_from([2, 4, 5]),
    grid=st.integers(2, 4),
    frames=st.integers(1, 7),
    batch=st.integers(1, 3),
    is_rotary=st.booleans(),
)
def test_logits_equal_those_of_the_package(
    seed: int, heads: int, dim_head: int, depth: int, patch: int, grid: int, frames: int, batch: int, is_rotary: bool
) -> None:
    torch.manual_seed(seed)
    positions = None if is_rotary else frames * grid**2 + 1
    sizes = TimeSformerSizes(18, depth, heads, dim_head, patch, grid, positions=positions)
    assert_same_logits(sizes, frames, batch)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_logits_are_equal_at_the_size_of_the_grand_prize() -> None:
    torch.manual_seed(0)
    assert_same_logits(TimeSformerSizes(), frames=26, batch=1)


def lightning_file(folder: Path, weights: dict[str, torch.Tensor], **beside: Any) -> Path:
    """Save weights with everything that Lightning and the Grand Prize's training script store beside them."""
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    content = {
        "epoch": 12,
        "pytorch-lightning_version": "2.0.2",
        "state_dict": weights,
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [{"after_scheduler": scheduler}],
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5), "dirpath": "outputs"}},
        "hyper_parameters": {
            "pred_shape": (np.int64(8096), 7888),
            "size": 64,
            "enc": "",
            "options": argparse.Namespace(a=1),
            "counts": collections.defaultdict(list, {1: [2]}),
        },
        **beside,
    }
    path = folder / "timesformer_wild15.ckpt"
    torch.save(content, path)
    return path


def small_weights(sizes: TimeSformerSizes = SMALL) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return GrandPrizeNetwork(sizes).state_dict()


def test_a_lightning_checkpoint_loads_with_its_contract(tmp_path: Path) -> None:
    weights = small_weights()
    path = lightning_file(tmp_path, weights)
    model = load_model(path)
    assert model.contract == GRAND_PRIZE_CONTRACT
    assert model.contract.z_window(65) == slice(17, 43)
    assert not model.predicts_edges and model.config is None and len(model.sha256) == 64
    for name, tensor in model.network.state_dict().items():
        torch.testing.assert_close(tensor, weights[name])
    card = read_card(path)
    assert card.parameters == sum(tensor.numel() for tensor in weights.values())
    assert (card.contract, card.provenance, card.predicts_edges) == (model.contract, model.provenance, False)


def test_bare_weights_and_a_norm_in_front_are_loaded_too(tmp_path: Path) -> None:
    sizes = TimeSformerSizes(24, 1, 2, 12, 16, 4, has_norm=True)
    weights = {name: tensor.half() for name, tensor in small_weights(sizes).items()}
    torch.save(weights, tmp_path / "bare.ckpt")
    network = load_model(tmp_path / "bare.ckpt").network
    with torch.inference_mode():
        assert network(torch.rand(1, 26, 64, 64)).dtype == torch.float32


def test_bare_safetensors_load_like_the_checkpoint(tmp_path: Path) -> None:
    weights = small_weights()
    save_file(weights, tmp_path / "timesformer.safetensors")
    model, card = load_model(tmp_path / "timesformer.safetensors"), read_card(tmp_path / "timesformer.safetensors")
    assert model.contract == card.contract == GRAND_PRIZE_CONTRACT
    same = load_model(lightning_file(tmp_path, weights))
    tile = torch.rand(1, 26, 64, 64)
    with torch.inference_mode():
        # Sums differ with how a file places its weights in memory.
        torch.testing.assert_close(model.network(tile), same.network(tile), atol=1e-5, rtol=1e-5)
    content = (tmp_path / "timesformer.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[:-8])
    with pytest.raises(CheckpointError):
        load_model(tmp_path / "cut.safetensors")


def test_grey_values_are_read_like_in_the_grand_prize() -> None:
    grey = np.random.default_rng(0).integers(0, 65535, (2, 9, 9), dtype=np.uint16, endpoint=True)
    as_read_by_opencv = np.clip((grey / 256).astype(np.uint8), 0, 200).astype(np.float32) / 255
    np.testing.assert_allclose(GRAND_PRIZE_CONTRACT.prepare(grey), as_read_by_opencv, atol=1e-6)


def constant_grand_prize(folder: Path, logit: float) -> InkModel:
    weights = small_weights()
    weights["backbone.to_out.1.weight"].zero_()
    weights["backbone.to_out.1.bias"].fill_(logit)
    return load_model(lightning_file(folder, weights))


@pytest.mark.parametrize(("overlap", "shape"), [(0.25, (130, 201)), (0.75, (70, 64)), (0.0, (40, 150))])
def test_a_constant_logit_gives_a_constant_map_without_edges(
    tmp_path: Path, overlap: float, shape: tuple[int, int]
) -> None:
    logit = 0.8472978603872034  # a probability of 0.7
    request = PredictRequest(
        make_stack(tmp_path, (65, *shape)),
        constant_grand_prize(tmp_path, logit),
        tmp_path / "p.zarr",
        device="cpu",
        overlap=overlap,
    )
    started = run(request)[0]
    prediction = open_prediction(request.out)
    assert np.unique(prediction.read("ink")).tolist() in ([178], [179])
    assert not prediction.read("edge").any() and not prediction.predicts_edges
    assert isinstance(started, PredictionStarted)
    assert started.notes[0] == "Reads depth layers 17 to 42 of 65, as stored."
    assert "This model predicts no edges." in started.notes
    assert prediction.provenance["tile"] == [64, 64]


def test_tiles_are_enlarged_as_probabilities(tmp_path: Path) -> None:
    network = load_model(lightning_file(tmp_path, small_weights())).network
    tile = torch.rand(2, 26, 64, 64)
    with torch.inference_mode():
        found = network(tile).sigmoid()
        coarse = network.backbone(tile).sigmoid().reshape(2, 1, 4, 4)
        expected = torch.nn.functional.interpolate(coarse, scale_factor=16, mode="bilinear")
    torch.testing.assert_close(found[:, :1], expected)
    assert not found[:, 1].any()


def test_a_stack_with_too_few_layers_is_refused(tmp_path: Path) -> None:
    model = load_model(lightning_file(tmp_path, small_weights()))
    with pytest.raises(ContractError, match="needs 26"):
        run(PredictRequest(make_stack(tmp_path, (21, 64, 64)), model, tmp_path / "p.zarr", device="cpu"))


class RunsCode:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("where", ["hyper_parameters", "state_dict", "lr_schedulers"])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, where: str) -> None:
    trap = tmp_path / "it ran"
    path = lightning_file(tmp_path, small_weights(), **{where: {"x": RunsCode(trap)}})
    for read in (load_model, read_card):
        with pytest.raises(CheckpointError, match="could run code") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    assert not trap.exists()


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    weights = small_weights()
    weights["backbone.layers.1.0.fn.odd.weight"] = torch.zeros(2)
    del weights["backbone.cls_token"]
    with pytest.raises(CheckpointError, match=r"cls_token.*odd\.weight"):
        load_model(lightning_file(tmp_path, weights))
    with pytest.raises(CheckpointError, match=r"no TimeSformer.*begins with encoder\.weight.*TorchScript"):
        load_model(lightning_file(tmp_path, {"encoder.weight": torch.zeros(2)}))


def test_files_without_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    for content in ([1, 2], {"state_dict": {}}, {"state_dict": {"a": 1}}, {"epoch": 3}):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match="holds no state_dict"):
            load_model(path)
    path.write_bytes(b"\x80\x02certainly no zip")
    with pytest.raises(CheckpointError, match="not a Lightning checkpoint"):
        load_model(path)


def test_weights_that_claim_more_than_the_file_holds_are_refused(tmp_path: Path) -> None:
    weights = small_weights()
    name = next(iter(weights))
    for claim in (torch.zeros(1).expand(10**12), torch.empty(10**12, device="meta")):
        with pytest.raises(CheckpointError, match="fewer bytes than the 4000000|holds no state_dict"):
            load_model(lightning_file(tmp_path, {**weights, name: claim}))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol", "ignore:.*TypedStorage")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_in_one_sentence(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = lightning_file(folder, {"backbone.cls_token": torch.zeros(1, 2)})
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(1, 5))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_a_contract_file_beside_a_checkpoint_replaces_the_contract(tmp_path: Path) -> None:
    path = lightning_file(tmp_path, small_weights())
    beside = path.with_name("timesformer_wild15.contract.json")
    wanted = GRAND_PRIZE_CONTRACT.changed(depth_layers=30, min_depth_layers=30, surface_offset=0)
    input_contract = wanted.model_dump(mode="json")
    beside.write_text(json.dumps({"input": input_contract, "provenance": {"data": "Scroll 1"}}))
    model = load_model(path)
    assert model.contract == wanted and model.provenance["data"] == "Scroll 1"
    beside.write_text(json.dumps({"input": input_contract, "ink": 1}))
    with pytest.raises(CheckpointError, match="input and provenance alone"):
        load_model(path)
    beside.write_text(json.dumps({"input": {**input_contract, "tile_size": 128}}))
    with pytest.raises(CheckpointError, match="tile_size of 64"):
        load_model(path)
