"""TorchScript and ONNX models with a contract file: run as their contract states, or refused in one sentence."""

import json
import os
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_ink.errors import BadInputError, CheckpointError, OutputError
from napari_ink.export import export_source
from napari_ink.model import InkEdgeConfig, InkModel, load_model, read_card
from napari_ink.model.foreign import ForeignContract
from napari_ink.model.lightning import GRAND_PRIZE_CONTRACT
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.onnx import export_onnx
from napari_ink.predict import PredictRequest, open_prediction
from tests.predict.stand_ins import ink_model, make_stack, run

INPUT = {"depth_layers": 5, "min_depth_layers": 5, "mean": 0.0, "std": 1.0, "voxel_size_um": None, "tile_size": 32}


class MeanOfLayers(nn.Module):
    """Probabilities: ink is the mean grey, edges its complement, in channels 2 and 0."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=1)
        return torch.stack([1 - mean, mean * 0, mean], dim=1)


class Coarse(nn.Module):
    """Logits ``(b, y/4, x/4)`` of volumes ``(b, 1, z, y, x)``."""

    def forward(self, x: Tensor) -> Tensor:
        return 8 * nn.functional.avg_pool2d(x[:, 0].mean(dim=1, keepdim=True), 4)[:, 0] - 4


def save_torchscript(network: nn.Module, path: Path, example: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, example).save(str(path))


def save_onnx(network: nn.Module, path: Path, example: Tensor) -> None:
    axes = {example.ndim - 2: "y", example.ndim - 1: "x", **({0: "b"} if len(example) > 1 else {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["in"],
            dynamic_axes={"in": axes},
        )


SAVERS = {".pt": save_torchscript, ".onnx": save_onnx}


def save(folder: Path, suffix: str, network: nn.Module, example: Tensor | None = None, **contract: Any) -> Path:
    path = folder / f"theirs{suffix}"
    SAVERS[suffix](network.eval(), path, torch.rand(2, 5, 32, 32) if example is None else example)
    (folder / "theirs.contract.json").write_text(json.dumps({"input": INPUT, **contract}))
    return path


def predict(folder: Path, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean grey of a stack, and a model's maps of its ink and edges, all 0…1."""
    stack = make_stack(folder, (5, 70, 90))
    run(PredictRequest(stack, load_model(path), folder / "p.zarr", device="cpu"))
    prediction = open_prediction(folder / "p.zarr")
    grey = stack.read(slice(0, 5), slice(0, 70), slice(0, 90)).mean(axis=0) / 65535
    return grey, prediction.read("ink") / 255, prediction.read("edge") / 255


@pytest.mark.parametrize("suffix", SAVERS)
def test_channels_and_probabilities_are_read_by_the_contract(tmp_path: Path, suffix: str) -> None:
    contract = {"ink": 2, "edge": 0, "values": "probabilities", "provenance": {"thresholds": {"ink": 0.4}}}
    path = save(tmp_path, suffix, MeanOfLayers(), **contract)
    grey, ink, edge = predict(tmp_path, path)
    assert np.abs(ink - grey).max() < 0.003 and np.abs(edge - (1 - grey)).max() < 0.003
    card, model = read_card(path), load_model(path)
    assert card.name == model.name == "theirs" and card.predicts_edges and model.predicts_edges
    assert card.contract == model.contract and card.config is None and card.parameters is None
    prediction = open_prediction(tmp_path / "p.zarr")
    assert prediction.recommended_threshold("ink") == 0.4
    assert prediction.provenance["model"]["sha256"] == model.sha256


@pytest.mark.parametrize("suffix", SAVERS)
def test_a_coarse_model_of_volumes_without_edges(tmp_path: Path, suffix: str) -> None:
    example = torch.rand(2, 1, 5, 32, 32)
    path = save(tmp_path, suffix, Coarse(), example, layout="bczyx", output_stride=4, size_divisor=4)
    grey, ink, edge = predict(tmp_path, path)
    assert not edge.any() and 0.2 < ink.mean() < 0.8
    coarse = nn.functional.avg_pool2d(torch.from_numpy(grey)[None, None, :68, :88], 4)
    smooth = nn.functional.interpolate(8 * coarse - 4, size=(68, 88), mode="bilinear").sigmoid()[0, 0].numpy()
    inner = (slice(2, 16), slice(2, 16))  # the part of the first tile that no other tile touches
    np.testing.assert_allclose(ink[inner], smooth[inner], atol=0.004)
    with pytest.raises(BadInputError, match="predicts no edges"):
        export_source(tmp_path / "p.zarr", tmp_path / "edges.png", "edges")


def test_a_model_that_takes_one_tile_at_a_time(tmp_path: Path) -> None:
    one = torch.rand(1, 5, 32, 32)
    path = save(tmp_path, ".onnx", MeanOfLayers(), one, ink=2, values="probabilities", one_by_one=True, fixed_tile=True)
    model = load_model(path)
    assert model.network.size_divisor == 32
    tiles = torch.rand(3, 5, 32, 32)
    torch.testing.assert_close(model.network(tiles)[:, 0].sigmoid(), tiles.mean(dim=1), atol=1e-5, rtol=0)


def refused(path: Path, match: str, do: Callable[[Path], Any] = load_model) -> None:
    with pytest.raises(CheckpointError, match=match) as caught:
        do(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", SAVERS)
@pytest.mark.parametrize(
    ("contract", "match"),
    [
        ({"ink": 3}, r"gives \(2, 3, 32, 32\) where its contract file promises \(2, at least 4, 32, 32\)"),
        ({"ink": 1, "edge": 5}, "at least 6"),
        ({"output_stride": 4, "size_divisor": 4}, r"promises \(2, at least 1, 8, 8\)"),
        ({"layout": "bczyx"}, "where its contract file promises|cannot be read"),
    ],
)
def test_unsuitable_outputs_are_refused(tmp_path: Path, suffix: str, contract: dict[str, Any], match: str) -> None:
    network = load_model(save(tmp_path, suffix, MeanOfLayers(), **contract)).network
    refused(tmp_path, match, lambda _: network(torch.rand(2, 5, 32, 32)))


def test_several_outputs_and_unsuitable_tiles_are_refused(tmp_path: Path) -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x[:, :1] * 2, x[:, 1:] * 3

    for suffix in SAVERS:
        network = load_model(save(tmp_path, suffix, Pair())).network
        refused(tmp_path, "one array", lambda _, network=network: network(torch.rand(2, 5, 32, 32)))
    fixed = load_model(save(tmp_path, ".onnx", nn.Conv2d(5, 1, 3, padding=1))).network
    refused(tmp_path, r"Tiles of \(2, 4, 32, 32\) given to .*cannot be read", lambda _: fixed(torch.rand(2, 4, 32, 32)))
    scripted = load_model(save(tmp_path, ".pt", nn.Conv2d(5, 1, 3, padding=1))).network
    refused(tmp_path, r"cannot read tiles of \(2, 4, 32, 32\)", lambda _: scripted(torch.rand(2, 4, 32, 32)))


class OfNoShape(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum()


class OfComplexNumbers(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.complex(x[:, :1], x[:, :1])


class OfNoSuchLayer(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.select(1, 99)[:, None]


class OfDifferentSizes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :1] if bool(x.sum() > 0) else x[:, :1, :5]


class ThatRaises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert bool(x.sum() > 1e9), "too dark\x1b[31m"
        return x[:, :1]


@pytest.mark.parametrize(
    ("network", "match"),
    [
        (OfNoShape(), r"gives \(\) where its contract file promises \(2, at least 1, 32, 32\)"),
        (OfComplexNumbers(), "gives complex numbers"),
        (OfNoSuchLayer(), r"cannot read tiles of .*out of range"),
        (OfDifferentSizes(), "where its contract file promises"),
        (ThatRaises(), r"cannot read tiles of .*too dark\?\[31m"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*is deprecated")
def test_odd_outputs_and_failures_of_programs_are_told_in_one_sentence(
    tmp_path: Path, network: nn.Module, match: str
) -> None:
    torch.jit.script(network).save(str(tmp_path / "theirs.pt"))
    (tmp_path / "theirs.contract.json").write_text(json.dumps({"input": INPUT, "one_by_one": True}))
    loaded = load_model(tmp_path / "theirs.pt").network
    tiles = torch.stack([torch.rand(5, 32, 32), -torch.rand(5, 32, 32)])
    refused(tmp_path, match, lambda _: loaded(tiles))


@pytest.mark.parametrize("suffix", SAVERS)
def test_a_missing_contract_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"theirs{suffix}"
    path.write_bytes(b"x")
    for read in (load_model, read_card):
        refused(path, "put a contract file theirs.contract.json beside it", read)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "not a contract file: Invalid JSON"),
        ("[]", "not a contract file"),
        ("{}", "input: Field required"),
        ({"input": {**INPUT, "colour": 1}}, "input.colour: Extra inputs"),
        ({"input": INPUT, "gamma": 1}, "gamma: Extra inputs"),
        ({"input": {**INPUT, "depth_layers": 0}}, "input.depth_layers"),
        ({"input": INPUT, "size_divisor": 24}, "tile_size 32 is not a multiple"),
        ({"input": INPUT, "output_stride": 4}, "not a multiple of output_stride"),
        ({"input": INPUT, "ink": -1}, "ink: "),
        ({"input": {**INPUT, "tile_size": 10**9}}, "input.tile_size"),
        ({"input": INPUT, "size_divisor": 10**30}, "size_divisor"),
        ({"input": {**INPUT, "mean": float("nan")}}, "input.mean"),
        ("[" * 100_000, "not a contract file"),
    ],
)
def test_invalid_contract_files_are_refused(tmp_path: Path, text: str | dict[str, Any], match: str) -> None:
    path = tmp_path / "theirs.onnx"
    path.write_bytes(b"x")
    (tmp_path / "theirs.contract.json").write_text(text if isinstance(text, str) else json.dumps(text))
    refused(path, match, read_card)


def test_a_name_in_onnx_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, ".onnx", MeanOfLayers())
    content = path.read_bytes()
    name = load_model(path).network.network._input.encode()
    assert name in content
    path.write_bytes(content.replace(name, b"\xff" * len(name)))
    refused(path, "cannot be read")


def test_an_archive_that_claims_more_than_it_contains_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, ".pt", MeanOfLayers())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(2**29))
    assert path.stat().st_size < 2**20
    refused(path, "claims to hold 536870912 bytes")
    pickled = path.rename(tmp_path / "x.ckpt")
    (tmp_path / "theirs.contract.json").unlink()
    refused(pickled, "claims to hold 536870912 bytes")


@pytest.mark.parametrize("suffix", [".onnx", ".pt", ".ckpt", ".safetensors"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"theirs{suffix}"
    os.mkfifo(path)
    refused(path, "no checkpoint at")


@pytest.mark.parametrize("suffix", SAVERS)
def test_other_and_truncated_files_are_refused(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path, suffix, MeanOfLayers())
    whole = path.read_bytes()
    for content in (b"", b"rubbish", whole[: len(whole) // 2]):
        path.write_bytes(content)
        refused(path, "is not a TorchScript file" if suffix == ".pt" else "cannot be read .*export it again")
    torch.save({"weights": torch.zeros(3)}, path)
    refused(path, "export it")


def test_a_pickle_with_code_is_refused_as_torchscript(tmp_path: Path) -> None:
    class RunsCode:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(tmp_path / "it ran"), "w"))

    path = save(tmp_path, ".pt", MeanOfLayers())
    torch.save(RunsCode(), path)
    refused(path, "export it whole")
    assert not (tmp_path / "it ran").exists()


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, ".onnx", MeanOfLayers())
    for package in ("onnxruntime", "onnx"):
        monkeypatch.setitem(sys.modules, package, None)
    refused(path, r"onnxruntime.*pip install napari-ink\[onnx\]")
    refused(path, r"pip install napari-ink\[onnx\]", lambda path: export_onnx(own_model(), path))


def own_model() -> InkModel:
    torch.manual_seed(0)
    config = InkEdgeConfig(stem_channels=(2, 2), dims=4, heads=1, num_layers=1, decoder_dim=4)
    network = InkEdgeNetwork(config)
    nn.init.normal_(network.heads.weight, std=10.0)
    return ink_model(network, 64, divisor=network.size_divisor)


def test_our_networks_give_the_same_outputs_as_onnx(tmp_path: Path) -> None:
    model = own_model()
    path = export_onnx(model, tmp_path / "ours.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["ours.onnx"]
    contract = {"input": model.contract.model_dump(mode="json"), "edge": 1, "size_divisor": 32}
    (tmp_path / "ours.contract.json").write_text(json.dumps(contract))
    again = load_model(path).network
    for shape in ((1, 5, 64, 64), (3, 5, 32, 96)):
        stack = torch.randn(shape)
        with torch.inference_mode():
            expected = model.network(stack).sigmoid()
            assert (again(stack).sigmoid() - expected).abs().max() < 1e-4
        assert expected.std() > 0.01


def test_an_onnx_file_needs_its_suffix_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.onnx"):
        export_onnx(own_model(), tmp_path / "x.pt")
    with pytest.raises(OutputError, match="Could not write"):
        export_onnx(own_model(), tmp_path / "no" / "x.onnx")


def test_the_contract_file_in_the_manual_is_valid() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    shown = ForeignContract.model_validate_json(manual.partition("```json")[2].partition("```")[0])
    ours = GRAND_PRIZE_CONTRACT.model_dump()
    assert shown.input.model_dump() == {**ours, "clip": pytest.approx(ours["clip"])}
    assert shown.divisor == 64
