"""Runs say when a stack lies outside of what the model was trained on, and record it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_ink.model import InkModel
from napari_ink.phantom import sample_path
from napari_ink.predict import PredictionNote, PredictionStarted, PredictRequest, familiarity_notes, open_prediction
from napari_ink.stack import open_stack
from tests.predict.stand_ins import Constant, ink_model, make_stack, run


def model_of(ink: float, **trained_on: object) -> InkModel:
    made = ink_model(Constant(ink, 0), 64)
    return replace(made, provenance={**made.provenance, "trained_on": {"scans": 0, "phantoms": 9, **trained_on}})


def test_a_run_on_a_scan_says_so_and_records_it(tmp_path: Path) -> None:
    events = run(PredictRequest(make_stack(tmp_path, (3, 80, 80)), model_of(-1), tmp_path / "p.zarr", device="cpu"))
    (started,) = [event for event in events if isinstance(event, PredictionStarted)]
    (told,) = started.doubts
    assert "outside of what the model was trained on" in told and told not in started.notes
    stored = open_prediction(tmp_path / "p.zarr")
    assert stored.provenance["outside_of_training"] == [told]
    assert stored.doubts[0] == told


def test_nothing_is_said_of_a_phantom_or_with_scans_in_training(tmp_path: Path) -> None:
    phantom, scan = open_stack(sample_path()), make_stack(tmp_path, (3, 80, 80))
    shallow = model_of(-1)
    assert familiarity_notes(shallow, phantom) == () == familiarity_notes(model_of(-1, scans=2), scan)


def test_a_map_that_is_all_ink_is_told_at_the_end(tmp_path: Path) -> None:
    events = run(PredictRequest(make_stack(tmp_path, (3, 80, 80)), model_of(3), tmp_path / "p.zarr", device="cpu"))
    assert isinstance(events[-2], PredictionNote) and "100%" in events[-2].sentence and events[-2].is_doubt
    stored = open_prediction(tmp_path / "p.zarr")
    assert stored.provenance["doubts"] == [events[-2].sentence]
    # The sentence on the training first, as during the run.
    assert stored.doubts == (*stored.provenance["outside_of_training"], events[-2].sentence)


def test_only_the_papyrus_counts(tmp_path: Path) -> None:
    mask = np.zeros((80, 90), bool)
    mask[:, :70] = True
    request = PredictRequest(
        make_stack(tmp_path, (3, 80, 90)), model_of(3), tmp_path / "p.zarr", mask=mask, device="cpu"
    )
    assert "100%" in run(request)[-2].sentence
