"""Predictions of a model that scales each tile by its own grey values, compared with a loop over tiles in NumPy."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_ink.cli import main
from napari_ink.errors import BadInputError, ContractError, DeviceMemoryError
from napari_ink.model import InkModel, load_model
from napari_ink.model.crop_scaling import CropScaled
from napari_ink.predict import (
    PredictionEnded,
    PredictionNote,
    PredictionStarted,
    PredictRequest,
    ProbeEnded,
    ProbeRequest,
    TilePredicted,
    open_prediction,
    probe,
)
from napari_ink.region import Region
from napari_ink.typing import Float32Array
from tests.model import hybrid_oracle
from tests.model.hybrid_files import LAYERS, SMALL, TILE, network, pth_file
from tests.model.test_crop_scaling import described
from tests.predict.stand_ins import Hungry, ink_model, make_stack, run, run_until
from tests.predict.test_interruption import chunks

SHAPE = (21, 70, 90)


def request_in(folder: Path, **settings: object) -> PredictRequest:
    model = load_model(pth_file(folder, network()))
    return replace(PredictRequest(make_stack(folder, SHAPE), model, folder / "p.zarr", device="cpu"), **settings)


def starts(length: int) -> list[int]:
    return [*range(0, length - TILE, TILE // 2), length - TILE]


def predicted_in_a_loop(greys: np.ndarray) -> Float32Array:
    """Return ink probabilities of 17 layers: tiles that overlap by half, blended with a squared sine."""
    weights = network().state_dict()
    from_border = np.minimum(np.arange(TILE), np.arange(TILE)[::-1]) + 0.5
    ramp = np.sin(np.pi / 2 * np.minimum(from_border / (TILE / 2), 1)) ** 2
    # The blend knows 256 levels of weights, so that its sums are exact.
    blend = np.maximum(np.rint(np.outer(ramp, ramp) * 256), 1) / 256
    sums, counts = np.zeros(greys.shape[1:]), np.zeros(greys.shape[1:])
    for y, x in itertools.product(starts(greys.shape[1]), starts(greys.shape[2])):
        place = np.s_[y : y + TILE, x : x + TILE]
        tile = torch.from_numpy(described(greys[:, *place].astype(np.float64))).float()
        with torch.inference_mode():
            ink = hybrid_oracle.logits(weights, tile[None], SMALL.blocks).sigmoid()[0, 0].numpy()
        sums[place] += ink * blend
        counts[place] += blend
    return sums / counts


@pytest.mark.parametrize("direction", ["as stored", "reversed"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_map_equals_that_of_a_plain_loop(tmp_path: Path, batch_size: int, direction: str) -> None:
    request = request_in(tmp_path, batch_size=batch_size)
    if direction == "reversed":
        request = replace(request, model=request.model.reading(direction))
    started = run(request)[0]
    greys = np.load(tmp_path / "segment.npy")[2:19]
    expected = predicted_in_a_loop(greys[::-1] if direction == "reversed" else greys)
    prediction = open_prediction(request.out)
    assert np.abs(prediction.read("ink") / 255 - expected).max() < 1.2 / 255
    assert expected.std() > 0.02
    assert not prediction.read("edge").any() and not prediction.predicts_edges
    assert isinstance(started, PredictionStarted)
    assert started.notes == (
        f"Reads depth layers 2 to 18 of 21, {direction}.",
        "Each tile of 32 pixels is scaled by its own grey values, so values depend on it.",
        "The stack's voxel size is unknown; the model was trained at 9.6 µm.",
        *(("That is as asked; the model itself has the direction 'as stored'.",) if direction == "reversed" else ()),
        "This model predicts no edges.",
    )


def test_the_contract_and_the_files_own_words_are_recorded(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    run(request)
    record = open_prediction(request.out).provenance
    assert (record["tile"], record["overlap"]) == ([TILE, TILE], 0.5)
    assert record["contract"]["normalisation"] == "crop robust" and record["contract"]["overlap"] == 0.5
    assert record["model"]["sha256"] == request.model.sha256
    assert "scrolls 0139, Paris4" in json.dumps(record["model"])


def test_a_region_has_the_values_of_the_whole(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    run(request)
    part = replace(request, out=tmp_path / "part.zarr", region=Region(20, 61, 33, 80))
    run(part)
    whole, found = (open_prediction(one.out).read("ink") for one in (request, part))
    np.testing.assert_array_equal(found[20:61, 33:80], whole[20:61, 33:80])


def test_another_overlap_is_said_and_another_tile_size_is_refused(tmp_path: Path) -> None:
    request = request_in(tmp_path, overlap=0.25)
    started = run(request)[0]
    assert "Tiles overlap by 0.25 as asked; the model's own overlap is 0.5." in started.notes
    with pytest.raises(BadInputError, match="only tiles of 32 pixels, not of 64"):
        run(replace(request, out=tmp_path / "q.zarr", tile_size=64))


def test_too_few_layers_are_refused(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    with pytest.raises(ContractError, match="needs 17"):
        run(replace(request, stack=make_stack(tmp_path, (LAYERS - 1, 64, 64))))


def hungry(most: int) -> InkModel:
    """A model that scales each tile by itself, and runs out of memory above a number of pixels."""
    model = ink_model(Hungry(most), TILE, normalisation="crop robust")
    return replace(model, network=CropScaled(model.network, TILE))


def test_out_of_memory_means_fewer_tiles_at_once_and_never_smaller_ones(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, SHAPE)
    request = PredictRequest(stack, hungry(TILE * TILE), tmp_path / "p.zarr", device="cpu", batch_size=4)
    events = run(request)
    notes = [event.sentence for event in events if isinstance(event, PredictionNote)]
    assert [note.rsplit(": ", 1)[1] for note in notes if "continuing" in note] == [
        "continuing with 2 tiles at a time.",
        "continuing with 1 tile at a time.",
    ]
    assert open_prediction(request.out).provenance["tile"] == [TILE, TILE]
    with pytest.raises(DeviceMemoryError):
        run(replace(request, model=hungry(TILE * TILE - 1), out=tmp_path / "q.zarr"))


def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    model = load_model(pth_file(tmp_path, network()))
    stack = make_stack(tmp_path, (LAYERS, 300, 290))
    request = PredictRequest(stack, model, tmp_path / "p.zarr", device="cpu", batch_size=2)
    whole = replace(request, out=tmp_path / "whole.zarr")
    run(whole)
    run_until(request, lambda event: isinstance(event, TilePredicted) and event.done > 300)
    assert 0 < open_prediction(request.out).done_fraction < 1
    resumed = run(replace(request, resume=True, model=load_model(model.source)))
    assert isinstance(resumed[-1], PredictionEnded) and resumed[-1].complete
    assert chunks(request.out) == chunks(whole.out)


def test_the_probe_compares_both_directions(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    events = list(probe(ProbeRequest(request.stack, request.model, device="cpu", tiles=2, reach=1, step=1)))
    assert isinstance(events[-1], ProbeEnded)
    assert events[0].windows == 6


def test_the_commands_take_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pth_file(tmp_path, network())
    make_stack(tmp_path, SHAPE)
    assert main(["models", str(path)]) == 0
    assert "reads 17 depth layers (at least 17), as stored, in tiles of 32 pixels" in capsys.readouterr().out
    stack = str(tmp_path / "segment.npy")
    assert main(["probe", stack, "--model", str(path), "--tiles", "1", "--device", "cpu"]) == 0
    assert "reversed" in capsys.readouterr().out
    assert main(["predict", stack, "-o", str(tmp_path / "cli.zarr"), "--model", str(path), "--device", "cpu"]) == 0
    assert "predicts no edges" in (output := capsys.readouterr()).out + output.err
    assert open_prediction(tmp_path / "cli.zarr").read("ink").any()
