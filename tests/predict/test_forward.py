"""Running the network: memory is released, and outputs stay the same."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import napari_ink.predict.forward as forward_module
from napari_ink.memory import memory_kept
from napari_ink.model import load_model
from napari_ink.predict import PredictRequest, open_prediction
from napari_ink.region import Region
from tests.predict.stand_ins import make_stack, run


def test_memory_is_always_released() -> None:
    with pytest.raises(KeyError), memory_kept():
        blocks = [np.ones(2**18) for _ in range(16)]
        assert len(blocks) == 16
        raise KeyError


def test_memory_settings_stay_without_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with memory_kept():
        pass


def test_tf32_of_cudnn_is_disabled_and_restored() -> None:
    before = torch.backends.cudnn.allow_tf32
    with forward_module._full_float32(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32 and torch.backends.cudnn.enabled
    assert torch.backends.cudnn.allow_tf32 is before


def test_a_prediction_agrees_with_the_plain_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model()
    request = PredictRequest(
        make_stack(tmp_path, (40, 200, 180)),
        replace(model, contract=model.contract.changed(tile_size=128, context_px=32)),
        tmp_path / "fast.zarr",
        region=Region(0, 150, 0, 180),
        device="cpu",
    )
    run(request)
    plain = replace(request, out=tmp_path / "plain.zarr")
    monkeypatch.setattr(forward_module, "for_prediction", lambda network, dtype: network)
    run(plain)
    for what in ("ink", "edge"):
        fast, expected = (open_prediction(r.out).read(what).astype(int) for r in (request, plain))
        assert np.abs(fast - expected).max() <= 1  # of 255, since values may be between two levels
    assert open_prediction(request.out).provenance["precision"] == "float32"
