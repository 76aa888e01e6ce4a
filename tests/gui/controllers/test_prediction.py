"""Predictions from Run to their end, without a window: started, stopped, changed, continued and reported."""

import copy
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from napari.layers import Image

from napari_ink.errors import BadInputError, OutputError
from napari_ink.gui.layers.stack_layer import stack_layer_data
from napari_ink.gui.layers.viewport import camera_of
from napari_ink.gui.models.prediction import RunSettings, model_entry
from napari_ink.gui.models.predictions import details
from napari_ink.gui.models.state import Step, cut_level
from napari_ink.model import load_model, save_checkpoint
from napari_ink.predict import engine, open_prediction
from napari_ink.predict.storage.writer import PredictionWriter
from napari_ink.region import Region
from napari_ink.stack import open_stack
from tests.gui.controllers.conftest import make_editable
from tests.gui.controllers.runs import Driver
from tests.gui.windowless import take_turns
from tests.model.hybrid_files import network, pth_file

ROI = "Region of interest"


def _absent_device() -> str:
    return "cuda" if not torch.cuda.is_available() else "mps"


def test_a_run_reports_its_device_its_layers_and_its_outcome(run):
    run.begin()
    run.until_over()
    state = run.session.state
    assert state.outcome.startswith("Predicted 20 tiles in ")
    assert state.device_line == "Runs on the CPU."
    assert "depth layers" in state.notes[0]
    assert state.has_prediction and not state.can_continue
    assert state.current_step is Step.CORRECT
    assert run.stored.complete


def test_why_a_map_may_be_wrong_is_shown_while_it_is_made_and_when_it_is_opened_again(run, settings, tmp_path):
    model = load_model(settings.model.name_or_path)
    biased, provenance = copy.deepcopy(model.network), {"trained_on": {"scans": 0, "phantoms": 9}}
    torch.nn.init.constant_(biased.heads.bias, 9.0)  # so much ink that the end of the run adds a doubt
    path = save_checkpoint(tmp_path / "doubted.safetensors", biased, model.config, model.contract, provenance)
    run.begin(tiles=2, model=model_entry(path))
    (outside,) = run.session.state.doubts
    assert "outside of what the model was trained on" in outside and outside not in run.session.state.notes
    run.until_over()
    said, doubted = run.session.state.doubts, run.path
    assert said[0] == outside and "much of it may be no ink" in said[1]
    run.begin()
    assert run.session.state.doubts == ()
    run.until_over()
    assert run.path != doubted and outside not in run.session.state.doubts  # this model's card tells nothing
    run.session.prediction.choose(doubted)
    run.until_over()
    assert run.path == doubted and run.session.state.doubts == said


def test_only_papyrus_is_predicted_unless_the_mask_is_switched_off(run):
    run.begin()
    run.until_over()
    assert run.shown()[:, :16].max() == 0 and run.shown()[:, 16:].min() > 0
    run.begin(use_mask=False)
    run.until_over()
    assert run.shown().min() > 0


def test_the_overlay_grows_tile_by_tile(run):
    counts, done = [], []
    run.begin()
    for tile in range(1, 6):
        run.until_tiles(tile)
        counts.append(np.count_nonzero(run.shown()))
        done.append(run.session.state.run.done)
    assert done == [1, 2, 3, 4, 5]
    assert counts == sorted(set(counts)) and counts[0] > 0
    assert run.session.state.run.total == 20 and run.session.state.run.seconds_left > 0


def test_cancel_keeps_finished_tiles_for_export(run, tmp_path):
    run.begin(tiles=6)
    run.session.prediction.cancel()
    assert run.session.state.run.cancelling
    run.until_over()
    state, ink = run.session.state, run.shown()
    assert state.outcome.startswith("Cancelled after 7 of 20 tiles")  # the current tile is the last
    assert 0 < np.count_nonzero(ink) < ink.size
    run.session.export.export("ink", "prediction", tmp_path / "ink.npy")
    run.jobs.work()
    assert np.array_equal(np.load(tmp_path / "ink.npy") > 0, ink >= cut_level(state.ink_threshold))


def test_a_second_run_does_not_start_during_a_run(run):
    run.begin(tiles=1)
    run.session.prediction.predict(run.settings)
    take_turns()
    assert run.jobs.names().count("predict_job") == 1


def test_no_other_stack_is_opened_during_a_run(run, segment, errors):
    run.begin(tiles=1)
    stack = run.session.state.stack
    run.session.open_stack(segment)
    assert run.jobs.names().count("predict_job") == 1
    assert "cancel" in errors[0] and run.session.state.message(Step.STACK) == errors[0]
    assert run.session.state.stack is stack


def test_a_stack_dropped_into_the_window_during_a_run_is_rejected(run, segment, viewer_model, errors):
    run.begin(tiles=1)
    before = [*viewer_model.layers]
    data, settings, _ = stack_layer_data(open_stack(segment), (0, 1))
    viewer_model.add_layer(Image(data, **settings))
    take_turns()
    assert [*viewer_model.layers] == before
    assert "cancel it before you open another stack" in errors[0]
    assert run.session.state.run is not None


def test_an_error_is_shown_in_full(run, monkeypatch, errors):
    message = "The disk is full: could not write a place with a long name; free some space and run again."
    monkeypatch.setattr(PredictionWriter, "store", Mock(side_effect=OutputError(message)))
    run.begin()
    run.until_over()
    state = run.session.state
    assert state.outcome.startswith("Stopped after ") and message in state.outcome
    assert errors == [message] and state.message(Step.PREDICT) == message
    assert state.prediction is None and not state.can_continue  # no block was finished


def test_a_fault_in_the_program_is_not_reported_as_cancelled(run, errors):
    run.begin(tiles=2)
    run.job.fail("The job stopped because of a fault in the program (ZeroDivisionError).")
    run.until_over()
    assert run.session.state.outcome.startswith("Stopped after 2 of 20 tiles: The job stopped because of a fault")
    assert "because of a fault in the program" in errors[-1]


def test_a_message_disappears_once_another_run_has_started(run, errors):
    run.begin(device=_absent_device())
    run.until_over()
    assert "not available" in run.session.state.message(Step.PREDICT)
    run.begin()
    assert run.session.state.message(Step.PREDICT)  # the new run may fail in the same way
    run.until_tiles(1)
    assert not run.session.state.message(Step.PREDICT)


def test_a_missing_device_is_reported(run, errors):
    run.begin(device=_absent_device())
    run.until_over()
    assert "not available" in errors[0]
    assert run.session.state.prediction is None and not run.session.state.has_prediction
    assert [layer.name for layer in run.session._viewer.layers] == ["seg-1"]


def test_too_few_depth_layers_give_one_clear_sentence_and_no_folder(session, held_jobs, settings, tmp_path, errors):
    np.save(tmp_path / "thin.npy", np.full((2, 64, 64), 9, np.uint8))
    session.open_stack(tmp_path / "thin.npy")
    held_jobs.work()
    session.prediction.predict(settings)
    take_turns()
    assert len(errors) == 1 and "too few depth layers" in errors[0]
    assert session.state.message(Step.PREDICT) == errors[0]
    assert session.state.run is None and not held_jobs.waiting
    assert len(session._viewer.layers) == 1
    assert not (tmp_path / "thin.ink").exists()


def test_a_second_prediction_replaces_the_first_overlay(run):
    run.begin()
    run.until_over()
    first, layer = run.path, run.layer()
    run.begin()
    run.until_over()
    assert [one.name for one in run.session._viewer.layers] == ["seg-1", "Ink (predicted)", "Edges (predicted)"]
    assert run.layer() is layer  # cleared, not created again
    assert run.path != first and first.exists()


def test_the_active_tool_stays_active_when_a_run_starts(run):
    run.begin()
    run.until_over()
    make_editable(run.session, run.jobs)
    run.session.labelling.activate_tool("ink")
    layers = run.session._viewer.layers
    tool, active = run.session.state.tool, layers.selection.active
    assert tool == "ink" and active.name == "Ink labels"
    layers.remove("Ink (predicted)")
    run.begin()
    run.until_over()
    assert "Edges (predicted)" in layers
    assert layers.selection.active is active and run.session.state.tool == tool


def test_a_spread_grey_range_is_reported_and_recorded(session, held_jobs, settings, tmp_path):
    values = np.random.default_rng(0).integers(1, 4096, (12, 40, 48)).astype(np.uint16)
    np.save(tmp_path / "dark.npy", values)
    session.open_stack(tmp_path / "dark.npy")
    held_jobs.work()
    assert session.state.suggested_greys == (0, 4095) and "--grey-range 0 4095" in session.state.grey_note
    run = Driver(session, held_jobs, settings)
    run.begin(grey_range=(0.0, 4095.0))
    run.until_over()
    assert "from 0 to 4095 are spread" in " ".join(session.state.notes)
    assert run.stored.provenance["contract"]["grey_range"] == [0, 4095]


def test_several_views_show_their_disagreement(run):
    run.begin(augment=("flips",))
    run.until_over()
    assert run.stored.provenance["augment"] == ["flips"]
    layer = run.layer("Disagreement (predicted)")
    assert not layer.visible and np.array_equal(layer.data, run.stored.read("disagreement")) and layer.data.any()
    assert "mean of 4 predictions" in " ".join(run.session.state.notes)
    run.begin()
    run.until_over()
    assert "Disagreement (predicted)" not in run.session._viewer.layers


def test_the_visible_part_is_predicted_first_even_after_panning(strip_run, viewer_model, monkeypatch):
    order, make_event = [], engine.TilePredicted

    def noted(done, total, y, x, *rest):
        order.append(Region(y.start, y.stop, x.start, x.stop))
        return make_event(done, total, y, x, *rest)

    monkeypatch.setattr(engine, "TilePredicted", noted)
    camera = camera_of(viewer_model)
    camera.zoom, camera.center = 8, (0, 20, 640)
    take_turns()
    strip_run.begin(tiles=4)
    assert all(tile.touches(Region(0, 40, 400, 700)) for tile in order)
    camera.center = (0, 20, 60)
    take_turns()
    before = len(order)
    strip_run.until(lambda: len(order) > before and order[-1].touches(Region(0, 40, 0, 200)))
    assert len(order) - before <= 10  # only the current tiles, not the rest of the earlier view


# A pause.


def test_a_paused_run_waits_and_continues(run):
    run.begin(tiles=3)
    run.session.prediction.pause()
    assert run.session.state.run.paused and run.job.is_paused
    run.session.prediction.pause()
    assert not run.session.state.run.paused and not run.job.is_paused
    run.until_over()
    assert run.stored.complete


def test_a_paused_run_can_be_cancelled(run):
    run.begin(tiles=3)
    run.session.prediction.pause()
    run.session.prediction.cancel()
    run.until_over()
    assert run.session.state.outcome.startswith("Cancelled after")


def test_pause_cancel_and_change_do_nothing_without_a_run(run):
    before = run.session.state
    run.session.prediction.pause()
    run.session.prediction.cancel()
    run.change(direction="reversed")
    run.session.prediction.resume()
    take_turns()
    assert run.session.state == before and not run.jobs.waiting


# Stopped and continued.


def test_a_stopped_run_is_continued_to_its_end(stopped_run):
    run, path = stopped_run, stopped_run.path
    assert run.session.state.can_continue and "Continue resumes" in run.session.state.outcome
    before = run.shown().copy()
    run.session.prediction.resume()
    run.until_tiles(1)
    assert np.array_equal(run.shown()[before > 0], before[before > 0])
    run.until_over()
    assert run.path == path and run.stored.complete
    assert not run.session.state.can_continue and run.shows_all_that_is_stored()


def test_a_prediction_of_an_earlier_session_continues_with_its_settings(strip_run, session, held_jobs, strip, segment):
    run = strip_run
    run.begin(tiles=30, direction="reversed", offset=1)
    session.prediction.cancel()
    run.until_over()
    path = run.path
    session.open_stack(segment)
    held_jobs.work()
    take_turns()
    assert not session.state.can_continue and session.state.prediction is None
    session.open_stack(strip)
    held_jobs.work()
    take_turns()
    assert session.state.can_continue and "not finished; Continue" in session.state.outcome
    assert run.shows_all_that_is_stored()
    session.prediction.resume()
    run.until_over()
    record = run.stored.provenance
    assert run.path == path and run.stored.complete
    assert record["direction"] == "reversed" and record["contract"]["surface_offset"] == 1
    assert run.shows_all_that_is_stored()


def test_a_finished_prediction_of_an_earlier_session_is_shown_and_not_continued(run, segment):
    run.begin()
    run.until_over()
    run.session.open_stack(segment)
    run.jobs.work()
    take_turns()
    state = run.session.state
    assert state.has_prediction and not state.can_continue
    assert state.outcome == "This is the last prediction."
    assert run.shows_all_that_is_stored()


@pytest.mark.parametrize("is_running", [True, False])
def test_removing_the_stack_also_removes_the_run_to_continue(stopped_run, strip, is_running):
    run, session = stopped_run, stopped_run.session
    if is_running:
        session.prediction.resume()
        run.until_tiles(1)
    session._viewer.layers.remove("strip")
    run.until(lambda: session.state.run is None)
    assert not session.state.can_continue and not session.state.has_prediction
    assert len(session._viewer.layers) == 0 and session.prediction._unfinished is None
    session.prediction.resume()
    take_turns()
    assert session.state.run is None
    session.open_stack(strip)
    run.jobs.work()
    assert session.state.can_continue  # the stopped run is found again


def test_a_run_reports_nothing_after_shutdown(run):
    run.begin(tiles=2)
    run.session.prediction.shut_down()
    before = run.session.state
    run.jobs.work()
    assert run.session.state.outcome == "" and run.session.state.prediction == before.prediction


# Changed while it runs.


def test_the_second_of_two_quick_changes_counts_too(run):
    run.begin(tiles=2)
    first = run.path
    run.change(direction="reversed")
    assert run.session.state.run.cancelling
    run.change(direction="as stored")
    run.change(direction="reversed", offset=2)
    run.until(lambda: run.path != first)
    record = run.stored.provenance
    assert record["direction"] == "reversed" and record["contract"]["surface_offset"] == 2
    run.until_over()
    assert run.stored.complete


def test_each_change_of_direction_or_offset_restarts_the_run(run):
    run.begin(tiles=2)
    first = run.path
    run.change(direction="reversed")
    run.until(lambda: run.path != first)
    second = run.path
    run.change(direction="reversed", offset=1)
    run.until(lambda: run.path != second)
    record = run.stored.provenance
    assert record["direction"] == "reversed" and record["contract"]["surface_offset"] == 1
    run.session.prediction.cancel()
    run.until_over()


def test_unchanged_settings_do_not_restart_the_run(run):
    run.begin(tiles=2, offset=1)
    run.change(offset=1)
    assert not run.session.state.run.cancelling


def test_a_change_after_cancel_starts_no_run(stopped_run):
    run, first = stopped_run, stopped_run.path
    run.session.prediction.resume()
    run.until_tiles(1)
    run.session.prediction.cancel()
    run.change(direction="reversed")
    run.until_over()
    assert run.path == first and run.session.state.can_continue


def test_cancel_discards_a_pending_change(strip_run):
    strip_run.begin(tiles=30)
    first = strip_run.path
    strip_run.change(direction="reversed")
    strip_run.session.prediction.cancel()
    strip_run.until_over()
    assert strip_run.path == first and strip_run.session.state.can_continue


def test_a_change_that_the_model_cannot_read_is_refused_and_the_run_continues(run, errors):
    run.begin(tiles=2)
    first = run.path
    run.change(offset=-64)
    assert errors[0].startswith("An offset of -64 leaves 0 of")
    assert errors[0].endswith("The run continues with the previous settings.")
    assert not run.session.state.run.cancelling
    run.until_over()
    assert run.path == first and run.stored.complete


def test_a_change_that_fails_later_leaves_the_stopped_run_to_continue(strip_run, monkeypatch):
    run = strip_run
    run.begin(tiles=30)
    first = run.path
    with monkeypatch.context() as patch:
        patch.setattr("napari_ink.predict.engine.choose_device", Mock(side_effect=BadInputError("The device is gone.")))
        run.change(direction="reversed")
        run.until_over()
    assert run.path == first and run.session.state.can_continue
    assert run.session.state.outcome.startswith("Stopped before the first tile: The device is gone.")
    stored = run.stored.read("ink")
    assert np.array_equal(run.shown()[stored > 0], stored[stored > 0])
    run.session.prediction.resume()
    run.until_over()
    assert run.path == first and run.stored.complete and run.stored.provenance["direction"] != "reversed"


def test_a_superseded_run_without_a_predicted_tile_is_removed(strip_run):
    run = strip_run
    run.begin(tiles=1)
    empty = run.path
    run.change(direction="reversed")
    run.until(lambda: run.path != empty)
    assert not empty.exists()
    run.until_tiles(30)
    half = run.path
    run.change(direction="as stored")
    run.until(lambda: run.path != half)
    assert open_prediction(half).done_fraction > 0
    run.session.prediction.cancel()
    run.until_over()


# Regions.


def _draw(run, corners, kind: str = "polygon") -> None:
    run.session._viewer.layers[ROI].add(np.asarray(corners, float), shape_type=kind)
    take_turns()


@pytest.fixture
def drawing_run(strip_run):
    """A stack with a layer for regions that is still empty."""
    strip_run.session.prediction.roi.begin()
    take_turns()
    return strip_run


def test_a_missing_region_is_reported_and_its_tool_activated(strip_run, errors):
    strip_run.begin(where="roi")
    layers = strip_run.session._viewer.layers
    assert "draw a rectangle" in errors[0] and strip_run.session.state.run is None
    assert layers.selection.active is layers[ROI] and layers[ROI].mode == "add_rectangle"
    layers[ROI].mode = "pan_zoom"
    layers.selection.active = layers["strip"]
    strip_run.begin(where="roi")
    assert layers.selection.active is layers[ROI] and layers[ROI].mode == "add_rectangle"
    layers.remove(ROI)
    strip_run.begin(where="roi")
    assert layers.selection.active is layers[ROI]


def test_only_the_drawn_region_is_predicted(drawing_run):
    run = drawing_run
    _draw(run, [[2, 100], [38, 100], [2, 136]])
    _draw(run, [[10, 200], [30, 200], [30, 260], [10, 260]], "rectangle")
    run.begin(where="roi")
    run.until_over()
    record, predicted = run.stored.provenance, run.stored.read("ink") > 0
    assert record["region"] == [2, 38, 100, 260] and run.stored.complete
    y, x = np.mgrid[:40, :700]
    expected = ((y >= 2) & (x >= 100) & (y - 2 + x - 100 <= 36)) | ((y >= 10) & (y < 30) & (x >= 200) & (x < 260))
    assert np.count_nonzero(predicted != expected) < 60  # along the slanted outline
    assert predicted[12:28, 202:258].all()
    assert record["mask"].endswith("-region.tif")


def test_a_region_moved_during_its_run_restarts_it(drawing_run):
    run = drawing_run
    _draw(run, [[0, 0], [40, 0], [40, 700], [0, 700]], "rectangle")
    run.begin(where="roi", tiles=3)
    first = run.path
    run.session._viewer.layers[ROI].data = [np.array([[4.0, 600], [36, 600], [36, 660], [4, 660]])]
    run.until(lambda: run.path != first)
    run.until_over()
    record = run.stored.provenance
    assert record["region"] == [4, 36, 600, 660] and run.stored.complete
    assert record["mask"] is None  # the region alone describes the shape
    assert not run.shown()[:, :590].any() and run.shown()[6:34, 605:655].any()


def test_a_moved_region_does_not_affect_a_run_on_the_whole_segment(drawing_run):
    drawing_run.begin(tiles=3)
    _draw(drawing_run, [[0, 0], [40, 0], [40, 70], [0, 70]], "rectangle")
    assert not drawing_run.session.state.run.cancelling


def test_an_identical_region_does_not_restart_the_run(drawing_run):
    run, corners = drawing_run, np.array([[0.0, 0], [40, 0], [40, 700], [0, 700]])
    _draw(run, corners, "rectangle")
    run.begin(where="roi", tiles=3)
    run.session._viewer.layers[ROI].data = [corners]
    take_turns()
    assert not run.session.state.run.cancelling


def test_a_superseded_region_leaves_no_overlay(drawing_run):
    run = drawing_run
    _draw(run, [[0.0, 0], [40, 0], [40, 700]])
    run.begin(where="roi", tiles=1)
    first = run.path
    run.change(where="roi", direction="reversed")
    run.until(lambda: run.path != first)
    assert not first.exists()
    assert [path.name for path in first.parent.glob("*-region.*")] == [f"{run.path.stem}-region.tif"]
    run.session.prediction.cancel()
    run.until_over()


def test_a_region_without_papyrus_is_reported(run, errors):
    run.session.prediction.roi.begin()
    take_turns()
    for corners in ([[5, 1], [90, 1], [90, 9], [5, 9]], [[5, 1], [90, 1], [90, 9]]):
        run.session._viewer.layers[ROI].data = []
        _draw(run, corners)
        run.begin(where="roi")
        run.until_over()
        assert "no papyrus" in errors.pop() and not run.session.state.has_prediction
    assert not list(run.session.stack.project_folder(run.session.state.stack).rglob("*-region.*"))


def test_another_stack_does_not_inherit_the_region(drawing_run, segment):
    run = drawing_run
    _draw(run, [[0, 0], [40, 0], [40, 70], [0, 70]], "rectangle")
    run.session.open_stack(segment)
    run.jobs.work()
    take_turns()
    assert ROI not in run.session._viewer.layers and run.session.prediction.roi.polygons() == []


def test_a_continued_run_keeps_its_visible_region(strip_run, viewer_model, errors):
    run = strip_run
    camera = camera_of(viewer_model)
    camera.zoom, camera.center = 8, (0, 20, 200)
    take_turns()
    run.begin(where="visible", tiles=1)
    first, region = run.path, run.stored.provenance["region"]
    assert region == [0, 40, 150, 251]  # 100 columns of 8 pixels, and the one that is cut
    camera.center = (0, 5000, 5000)
    run.change(where="visible", direction="reversed")
    run.until(lambda: run.path != first)
    assert run.stored.provenance["region"] == region and not errors
    run.session.prediction.cancel()
    run.until_over()


def test_a_segment_outside_the_view_is_reported(strip_run, viewer_model, errors):
    camera = camera_of(viewer_model)
    camera.center = (0, 5000, 5000)
    strip_run.begin(where="visible")
    assert "is visible" in errors[0] and strip_run.session.state.run is None


# The model in memory.


def test_the_model_is_loaded_once_with_the_requested_settings(run, checkpoint):
    model, prediction = run.settings.model, run.session.prediction
    assert prediction.ready_model() is None
    prediction.warm_up(model)
    assert run.jobs.names() == ["warm_up_job"]
    run.jobs.work()
    assert run.session.state.device_line.startswith("Automatic picks ")
    ready = prediction.ready_model()
    assert ready.contract.surface_offset == 0
    prediction.warm_up(model)
    assert not run.jobs.waiting
    run.begin(offset=2)
    assert prediction._run.request.model is ready
    run.until_over()
    assert prediction.ready_model().contract.surface_offset == 2


def test_a_model_that_cannot_be_loaded_is_reported_on_run(run, tmp_path, errors):
    missing = replace(run.settings.model, name_or_path=str(tmp_path / "gone.safetensors"))
    run.session.prediction.warm_up(missing)
    run.jobs.work()
    assert not errors
    run.begin(model=missing)
    run.until_over()
    assert "gone.safetensors" in errors[0]


def test_a_published_model_file_is_chosen_and_predicts(session, held_jobs, tmp_path):
    np.save(tmp_path / "deep.npy", np.random.default_rng(2).integers(0, 255, (17, 40, 60), dtype=np.uint8))
    session.open_stack(tmp_path / "deep.npy")
    held_jobs.work()
    take_turns()
    entry = model_entry(pth_file(tmp_path, network()))
    assert entry.about.endswith("reads 17 depth layers, trained at 9.6 µm a voxel")
    run = Driver(session, held_jobs, RunSettings(entry, device="cpu"))
    run.begin()
    run.until_over()
    assert run.stored.complete and run.shown().any()
    assert "scaled by its own grey values" in " ".join(session.state.notes)
    assert run.stored.provenance["contract"]["normalisation"] == "crop robust"


def test_both_directions_make_two_predictions_and_say_in_which_one_ink_stands_out(run):
    run.begin(both_directions=True)
    run.until_over()
    rows = run.session.state.predictions.rows
    assert [row.provenance["contract"]["direction"] for row in rows] == ["reversed", "as stored"]
    assert all(row.is_complete for row in rows) and run.path == rows[0].path
    outcome = run.session.state.outcome
    assert outcome.startswith("Ink stands out") and "as stored and" in outcome and "Predicted 20 tiles" in outcome
    assert [details(row, is_running=False) for row in rows] == ["whole segment, reversed", "whole segment"]


def test_a_cancelled_first_direction_is_not_followed_by_the_second(run):
    run.begin(tiles=2, both_directions=True)
    run.session.prediction.cancel()
    run.until_over()
    run.session.prediction.resume()
    run.until_over()
    (row,) = run.session.state.predictions.rows
    assert row.provenance["contract"]["direction"] == "as stored"
