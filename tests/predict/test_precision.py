"""The fast precision: requested, recorded, repeated, never mixed, and float32 with a note where it is unavailable."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_ink.cli.reproduce import command_again
from napari_ink.errors import OutputError
from napari_ink.model import load_model
from napari_ink.model.bfloat16 import has_bfloat16
from napari_ink.predict import PredictionStarted, PredictRequest, engine, open_prediction, predict
from napari_ink.predict.ensemble import EnsembleMember
from napari_ink.predict.precision import choose_format
from tests.predict.stand_ins import make_stack


@pytest.fixture
def request_fast(tmp_path: Path) -> PredictRequest:
    model = load_model()
    small = replace(model, contract=model.contract.changed(tile_size=128, context_px=32))
    stack = make_stack(tmp_path, (40, 96, 160))
    return PredictRequest(stack, small, tmp_path / "fast.zarr", device="cpu", precision="fast")


def test_a_fast_run_is_recorded_repeated_and_nearly_the_same(
    request_fast: PredictRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "has_bfloat16", lambda device: True)  # processors without it emulate it
    full = replace(request_fast, out=tmp_path / "full.zarr", precision="float32")
    for request in (request_fast, full):
        assert not any("precision" in note for event in predict(request) for note in getattr(event, "notes", ()))
    fast, expected = open_prediction(request_fast.out), open_prediction(full.out)
    for what in ("ink", "edge"):
        difference = np.abs(fast.read(what).astype(int) - expected.read(what))
        assert 0 < difference.max() <= 25 and difference.mean() < 2  # of 255
    assert [store.provenance["precision"] for store in (fast, expected)] == ["bfloat16", "float32"]
    commands = [command_again(store.provenance) for store in (fast, expected)]
    assert ["--precision fast" in str(command) for command in commands] == [True, False]
    with pytest.raises(OutputError, match="begun with another precision"):
        list(predict(replace(full, out=request_fast.out, resume=True)))
    with pytest.raises(OutputError, match="begun with another precision"):
        list(predict(replace(request_fast, out=full.out, resume=True)))


def test_without_bfloat16_a_run_computes_in_float32_with_a_note(
    request_fast: PredictRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "has_bfloat16", lambda device: False)
    started = next(event for event in predict(request_fast) if isinstance(event, PredictionStarted))
    assert any(note.endswith("so this run computes in float32.") for note in started.notes)
    assert open_prediction(request_fast.out).provenance["precision"] == "float32"


def test_only_our_own_network_runs_in_bfloat16() -> None:
    model = load_model()
    ours = EnsembleMember(model.network, model.contract)
    others = [ours, EnsembleMember(nn.Identity(), model.contract)]
    cpu = torch.device("cpu")
    assert choose_format("fast", [ours], cpu, True) == ("bfloat16", None)
    assert choose_format("float32", [ours], cpu, True) == ("float32", None)
    number_format, note = choose_format("fast", others, cpu, True)
    assert number_format == "float32" and note is not None and "own network" in note


@pytest.mark.parametrize("feature", ["_is_amx_tile_supported", "_is_avx512_bf16_supported"])
def test_bfloat16_is_detected_from_the_processor(feature: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert not has_bfloat16(torch.device("cpu"))
    monkeypatch.setattr(torch.cpu, feature, lambda: True, raising=False)
    assert has_bfloat16(torch.device("cpu"))
    assert not has_bfloat16(torch.device("mps"))
