"""The list of predictions without a window: nothing is lost by a run, and each can be used, renamed and restored."""

from unittest.mock import Mock

import numpy as np
import pytest

from napari_ink.errors import OutputError
from napari_ink.gui.layers.viewport import camera_of
from napari_ink.gui.models.predictions import details, title, unfinished
from napari_ink.gui.models.state import Step
from napari_ink.predict import PredictionFolder, open_prediction
from napari_ink.predict.storage.writer import PredictionWriter
from tests.gui.controllers.conftest import make_editable
from tests.gui.windowless import take_turns


def paths(run):
    return [row.path for row in run.session.state.predictions.rows]


def rows(run):
    return {row.path: row for row in run.session.state.predictions.rows}


@pytest.fixture
def two(run):
    """A whole prediction, and then one of another direction, which is in use."""
    run.begin()
    run.until_over()
    run.first = run.path
    run.begin(direction="reversed")
    run.until_over()
    run.second = run.path
    return run


def test_a_partial_rerun_takes_nothing_from_a_whole_prediction(strip_run, viewer_model):
    """The overlay showed the visible region only, and there was no way back to the whole prediction."""
    run = strip_run
    run.begin()
    run.until_over()
    whole, shown = run.path, run.shown().copy()
    assert shown.min() > 0
    camera = camera_of(viewer_model)
    camera.zoom, camera.center = 8, (0, 20, 640)
    take_turns()
    run.begin(where="visible")
    run.until_over()
    assert run.path != whole and run.shown()[:, :100].max() == 0
    assert [row.area for row in run.session.state.predictions.rows] == ["40 × 101 px", "whole segment"]
    run.session.predictions.use(whole)
    run.until_over()
    assert run.path == whole and np.array_equal(run.shown(), shown)
    assert run.shows_all_that_is_stored()


def test_a_cancelled_run_is_one_more_row_and_can_be_continued_later(stopped_run):
    run, stopped = stopped_run, stopped_run.path
    run.begin()
    run.until_over()
    whole = run.path
    assert paths(run) == [whole, stopped]
    assert not rows(run)[stopped].is_complete and rows(run)[whole].is_complete
    # Continue resumes the newest unfinished one, although a complete one is shown.
    assert run.session.state.can_continue and run.session.state.predictions.to_continue == stopped
    run.session.prediction.resume()
    run.until_over()
    assert run.path == stopped and run.stored.complete and run.shows_all_that_is_stored()
    assert not run.session.state.can_continue and open_prediction(whole).complete


def test_continue_resumes_the_one_in_use_rather_than_a_newer_one(stopped_run):
    run, older = stopped_run, stopped_run.path
    run.begin(tiles=30, direction="reversed")
    run.session.prediction.cancel()
    run.until_over()
    newer = run.path
    assert run.session.state.predictions.to_continue == newer
    run.session.predictions.use(older)
    run.until_over()
    assert run.session.state.predictions.to_continue == older
    run.session.prediction.resume()
    run.until_over()
    assert run.path == older and run.stored.complete and run.stored.provenance["direction"] == "as stored"
    assert run.session.state.predictions.to_continue == newer
    assert not open_prediction(newer).complete


def test_the_prediction_in_use_is_used_for_labels_and_export(two, tmp_path):
    run = two
    run.session.predictions.use(run.first)
    run.until_over()
    run.session.prediction.shown.set_thresholds({"ink": 0.3, "edge": 0.5})
    make_editable(run.session, run.jobs)
    ink = open_prediction(run.first).mask("ink", 0.3)
    assert np.array_equal(run.layer("Ink labels").data == 2, ink)
    run.session.export.export("ink", "prediction", tmp_path / "ink.npy")
    run.jobs.work()
    assert np.array_equal(np.load(tmp_path / "ink.npy") > 0, ink)
    assert run.session._finished_prediction() == run.first


def test_each_prediction_comes_back_with_its_threshold(two):
    run = two
    run.session.prediction.shown.set_threshold("ink", 0.8)
    run.session.predictions.use(run.first)
    run.until_over()
    assert run.session.state.ink_threshold == 0.5  # what its model recommends
    run.session.prediction.shown.set_threshold("ink", 0.3)
    run.session.predictions.use(run.second)
    run.until_over()
    assert run.session.state.ink_threshold == 0.8
    run.session.predictions.use(run.first)
    run.until_over()
    assert run.session.state.ink_threshold == 0.3
    assert run.layer().contrast_limits == [76, 77]


def test_the_threshold_of_another_model_waits_for_its_run(two):
    """Otherwise a map would be cut at the threshold of a model that did not make it."""
    run = two
    run.session.prediction.shown.set_threshold("ink", 0.8)
    run.session.prediction.choose_model(Mock(thresholds=(0.9, 0.6)))
    assert run.session.state.ink_threshold == 0.8
    run.begin()
    run.until_over()
    assert run.session.state.ink_threshold == 0.9
    run.session.predictions.use(run.second)
    run.until_over()
    assert run.session.state.ink_threshold == 0.8


def test_a_used_prediction_is_shown_although_there_are_labels(two):
    run = two
    make_editable(run.session, run.jobs)
    assert not run.layer().visible
    run.session.predictions.use(run.first)
    run.until_over()
    assert run.layer().visible and run.shows_all_that_is_stored()


def test_the_prediction_in_use_is_used_again_when_the_project_is_opened(two, segment):
    run = two
    make_editable(run.session, run.jobs)
    run.session.predictions.use(run.first)
    run.until_over()
    run.session.open_stack(segment)
    run.jobs.work()
    take_turns()
    assert run.path == run.first and run.shows_all_that_is_stored()
    assert paths(run) == [run.second, run.first]


def test_no_other_prediction_is_shown_during_a_run(two, messages):
    run = two
    run.begin(tiles=2)
    third = run.path
    run.session.predictions.use(run.first)
    assert "wait for this one or cancel it" in messages[-1] and run.path == third
    run.until_over()
    assert run.path == third and len(paths(run)) == 3


def test_a_prediction_that_cannot_be_read_is_reported_and_leaves_the_other(two, errors):
    run = two
    (run.first / "zarr.json").write_text("{")
    run.session.predictions.use(run.first)
    run.until_over()
    assert len(errors) == 1 and run.first.name in errors[0]
    assert run.session.state.message(Step.PREDICT) == errors[0]
    assert run.path == run.second and run.shows_all_that_is_stored()
    run.session.predictions.refresh()
    run.until_over()
    assert paths(run) == [run.second] and run.first.name in run.session.state.predictions.faults[0]


def test_a_name_is_kept(two):
    run = two
    run.session.predictions.rename(run.first, "  the first ")
    run.until_over()
    assert rows(run)[run.first].name == "the first"
    assert title(rows(run)[run.first], run.session.state.predictions.rows) == "the first"
    assert PredictionFolder(run.first.parents[1]).read().rows[1].name == "the first"


def test_a_name_that_is_refused_is_reported(two, errors):
    run = two
    run.session.predictions.rename(run.first, "x" * 200)
    run.until_over()
    assert "cannot name a prediction" in errors[0] and rows(run)[run.first].name == "random"


def test_deleting_another_prediction_leaves_the_one_in_use(two):
    run = two
    shown = run.shown().copy()
    run.session.predictions.discard(run.first)
    run.until_over()
    assert paths(run) == [run.second] and run.path == run.second and np.array_equal(run.shown(), shown)
    assert len(run.session.state.predictions.trash) == 1 and not run.first.exists()


def test_undo_restores_the_deleted_prediction_and_uses_it_again(two):
    run = two
    shown = run.shown().copy()
    run.session.predictions.discard(run.second)
    run.until_over()
    assert run.path == run.first and run.shows_all_that_is_stored() and not np.array_equal(run.shown(), shown)
    run.session.predictions.restore()
    run.until_over()
    assert run.path == run.second and np.array_equal(run.shown(), shown)
    assert paths(run) == [run.second, run.first] and run.session.state.predictions.trash == ()


def test_nothing_is_shown_after_the_last_prediction_was_deleted(run):
    run.begin()
    run.until_over()
    only = run.path
    run.session.predictions.discard(only)
    run.until_over()
    state = run.session.state
    assert state.prediction is None and not state.has_prediction and not state.can_continue
    assert [layer.name for layer in run.session._viewer.layers] == ["seg-1"]
    run.session.predictions.restore()
    run.until_over()
    assert run.path == only and run.shows_all_that_is_stored()


def test_the_running_prediction_cannot_be_deleted_but_others_can(two, messages):
    run = two
    run.begin(tiles=2)
    run.session.predictions.discard(run.path)
    assert messages[-1] == "Cancel this prediction before you delete it."
    run.session.predictions.discard(run.first)
    run.until_over()
    assert paths(run) == [run.path, run.second] and run.stored.complete


def test_several_changes_in_a_row_are_all_made(two):
    run = two
    run.session.predictions.rename(run.first, "one")
    run.session.predictions.rename(run.second, "two")
    run.session.predictions.discard(run.first)
    run.session.predictions.rename(run.second, "three")
    run.session.predictions.restore()
    run.until_over()
    assert rows(run)[run.second].name == "three"
    run.session.predictions.restore()
    run.until_over()
    assert [row.name for row in run.session.state.predictions.rows] == ["three", "one"]


def test_the_trash_is_emptied(two):
    run = two
    run.session.predictions.discard(run.first)
    run.until_over()
    run.session.predictions.empty_trash()
    run.until_over()
    assert run.session.state.predictions.trash == () and paths(run) == [run.second]


def test_a_failed_change_is_reported_and_the_list_is_read_again(two, errors, monkeypatch):
    run = two

    def fail(_folder, _path):
        raise OutputError("The disk is gone; find it.")

    with monkeypatch.context() as patch:
        patch.setattr(PredictionFolder, "discard", fail)
        run.session.predictions.discard(run.first)
        run.session.predictions.rename(run.first, "still here")
        run.until_over()
    assert errors == ["The disk is gone; find it."]
    assert rows(run)[run.first].name == "still here" and not run.jobs.waiting


def test_a_run_that_fails_at_once_gives_back_the_prediction_before(two, monkeypatch, errors):
    run = two
    shown = run.shown().copy()
    with monkeypatch.context() as patch:
        patch.setattr(PredictionWriter, "store", lambda *_: (_ for _ in ()).throw(OutputError("The disk is full.")))
        run.begin()
        run.until_over()
    assert errors == ["The disk is full."]
    assert run.path == run.second and np.array_equal(run.shown(), shown) and len(paths(run)) == 2


def test_the_disagreement_is_measured_after_the_run(run):
    run.begin(augment=("flips",))
    run.until_over()
    (row,) = run.session.state.predictions.rows
    plane, ink = run.stored.read("disagreement"), run.stored.read("ink")
    assert ink.any() and row.mean_disagreement == pytest.approx(plane.mean() / 255, abs=1e-4)
    assert f"disagreement {row.mean_disagreement:.1%}" in details(row, False)


def test_another_segment_has_a_list_of_its_own(two, strip, segment):
    run = two
    run.session.open_stack(strip)
    run.jobs.work()
    take_turns()
    assert paths(run) == [] and run.path is None
    run.session.open_stack(segment)
    run.jobs.work()
    take_turns()
    assert paths(run) == [run.second, run.first]


def test_unfinished_predictions_that_cannot_be_resumed_are_not_offered(stopped_run):
    run = stopped_run
    (row,) = run.session.state.predictions.rows
    assert unfinished((row,), None) is row and unfinished((row,), row.path) is row
    assert unfinished((row,), None, {row.path}) is None and unfinished((), None) is None
