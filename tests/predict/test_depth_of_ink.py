"""The depth at which a model saw ink, for networks whose logit is a sum over layers: stored, named, and resumed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from napari_ink.model import InkModel, load_model
from napari_ink.predict import PredictionStarted, PredictRequest, TilePredicted, open_prediction
from napari_ink.predict.ensemble import stack_place
from tests.model.resnet_files import COARSE, FINE, TILE, hecate_file, network
from tests.predict.stand_ins import make_stack, run, run_until


def model(folder: Path, layout: dict[str, int] = FINE) -> InkModel:
    return load_model(hecate_file(folder, network(**layout), layout))


@pytest.mark.parametrize("layout", [FINE, COARSE])
@pytest.mark.parametrize("direction", ["as stored", "reversed"])
def test_the_mean_layer_that_speaks_for_ink_is_stored(tmp_path: Path, layout: dict[str, int], direction: str) -> None:
    depth, layers = layout["layers"] + 5, layout["layers"]
    stack = make_stack(tmp_path, (depth, TILE, TILE), dtype=np.uint8)
    made = model(tmp_path, layout).reading(direction)  # type: ignore[arg-type]
    started = run(PredictRequest(stack, made, tmp_path / "p.zarr", device="cpu"))[0]
    prediction = open_prediction(tmp_path / "p.zarr")
    assert prediction.provenance["planes"] == ["ink", "edge", "depth"] and started.third == "depth"
    assert "The model says at which depth it saw ink, which is stored too." in started.notes
    assert prediction.disagreement is None and prediction.depth is not None
    window = made.contract.z_window(depth)
    grey = made.contract.prepare(np.load(tmp_path / "segment.npy")[window])
    with torch.inference_mode():
        parts = network(**layout).by_layer(torch.from_numpy(np.ascontiguousarray(grey))[None])[0].clamp(min=0).numpy()
    z = np.arange(window.start, window.stop)
    z = (z[::-1] if direction == "reversed" else z)[:, None, None]
    total = parts.sum(axis=0)
    middle = (window.start + window.stop - 1) / 2
    mean = np.where(total > 1e-6, (parts * z).sum(axis=0) / np.maximum(total, 1e-6), middle)
    fine = F.interpolate(torch.from_numpy(mean)[None, None].float(), size=(TILE, TILE), mode="bilinear")[0, 0].numpy()
    found = prediction.depth[:, :] / 255 * (depth - 1)
    assert np.abs(found - fine).max() < 0.6 * (depth - 1) / 255 + 1e-3
    assert fine.std() > 0.05 and layers > 2
    # Ink is what it is without the depth.
    with torch.inference_mode():
        ink = network(**layout)(torch.from_numpy(np.ascontiguousarray(grey))[None])[0, 0].sigmoid().numpy()
    assert np.abs(prediction.read("ink") / 255 - ink).max() < 0.7 / 255


def test_means_of_layers_lie_in_the_middle_of_their_groups(tmp_path: Path) -> None:
    contract = model(tmp_path).contract.changed(mean_of=(4, 4))
    window = contract.z_window(60)
    places = stack_place(contract, 60, torch.tensor([0.0, 1.0])) * 59
    assert places.tolist() == pytest.approx([window.start + 1.5, window.stop - 2.5])
    back = stack_place(contract.changed(direction="reversed"), 60, torch.tensor([0.0, 1.0])) * 59
    assert back.tolist() == pytest.approx([59 - places[0].item(), 59 - places[1].item()])


def test_averaged_predictions_store_their_disagreement_instead(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, (17, TILE, TILE), dtype=np.uint8)
    started = run(PredictRequest(stack, model(tmp_path), tmp_path / "p.zarr", device="cpu", augment=("flips",)))[0]
    prediction = open_prediction(tmp_path / "p.zarr")
    assert started.third == "disagreement" and prediction.depth is None and prediction.disagreement is not None
    assert "planes" not in prediction.provenance


def test_a_store_without_depth_is_continued_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = PredictRequest(
        make_stack(tmp_path, (12, 300, 560), dtype=np.uint8), model(tmp_path), tmp_path / "p.zarr", device="cpu"
    )
    with monkeypatch.context() as before:  # as a version that knew no depth began it
        before.setattr("napari_ink.predict.engine.gives_depth", lambda _: False)
        run_until(request, lambda event: isinstance(event, TilePredicted) and event.done > 0.9 * event.total)
    assert open_prediction(request.out).channels == 2
    events = run(replace(request, resume=True))
    assert isinstance(events[0], PredictionStarted) and events[0].third is None
    assert open_prediction(request.out).complete and open_prediction(request.out).channels == 2


def test_bfloat16_keeps_the_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_ink.predict.engine.has_bfloat16", lambda device: True)
    stack = make_stack(tmp_path, (17, TILE, TILE), dtype=np.uint8)
    request = PredictRequest(stack, model(tmp_path), tmp_path / "p.zarr", device="cpu")
    run(request)
    run(fast := replace(request, out=tmp_path / "fast.zarr", precision="fast"))
    full, found = (open_prediction(one.out).read("depth").astype(int) for one in (request, fast))
    assert np.abs(full - found).mean() < 3
