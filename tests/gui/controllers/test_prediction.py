"""Predictions from Run to their end, without a window: what is run, stopped, changed, continued and told."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from napari.layers import Image

from napari_ink.errors import BadInputError, OutputError
from napari_ink.gui.layers.stack_layer import stack_layer_data
from napari_ink.gui.layers.viewport import camera_of
from napari_ink.gui.models.state import Step, cut_level
from napari_ink.predict import engine, open_prediction
from napari_ink.predict.storage.writer import PredictionWriter
from napari_ink.region import Region
from napari_ink.stack import open_stack
from tests.gui.controllers.runs import Driver
from tests.gui.windowless import take_turns

ROI = "Region of interest"


def _absent_device() -> str:
    torch = pytest.importorskip("torch")
    return "cuda" if not torch.cuda.is_available() else "mps"


def test_a_run_tells_its_device_what_it_reads_and_how_it_ends(run):
    run.begin()
    run.until_over()
    state = run.session.state
    assert state.outcome.startswith("Predicted 20 tiles in ")
    assert state.device_line == "Runs on the CPU."
    assert "depth layers" in state.notes[0]
    assert state.has_prediction and not state.can_continue
    assert state.current_step is Step.CORRECT
    assert run.stored.complete


def test_outside_the_papyrus_nothing_is_predicted_unless_it_is_asked_for(run):
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


def test_cancel_keeps_what_is_done_and_it_can_be_exported(run, tmp_path):
    run.begin(tiles=6)
    run.session.prediction.cancel()
    assert run.session.state.run.cancelling
    run.until_over()
    state, ink = run.session.state, run.shown()
    assert state.outcome.startswith("Cancelled after 7 of 20 tiles")  # the one in hand is the last
    assert 0 < np.count_nonzero(ink) < ink.size
    run.session.export.export("ink", "prediction", tmp_path / "ink.npy")
    run.jobs.work()
    assert np.array_equal(np.load(tmp_path / "ink.npy") > 0, ink >= cut_level(state.ink_threshold))


def test_while_it_runs_another_run_is_not_begun(run):
    run.begin(tiles=1)
    run.session.prediction.predict(run.settings)
    take_turns()
    assert run.jobs.names() == ["predict_job"]


def test_while_it_runs_no_other_stack_is_opened(run, segment, errors):
    run.begin(tiles=1)
    stack = run.session.state.stack
    run.session.open_stack(segment)
    assert run.jobs.names() == ["predict_job"]
    assert "cancel" in errors[0] and run.session.state.message(Step.STACK) == errors[0]
    assert run.session.state.stack is stack


def test_another_stack_that_is_dropped_on_a_run_is_turned_away(run, segment, viewer_model, errors):
    run.begin(tiles=1)
    before = [*viewer_model.layers]
    data, settings, _ = stack_layer_data(open_stack(segment), (0, 1))
    viewer_model.add_layer(Image(data, **settings))
    take_turns()
    assert [*viewer_model.layers] == before
    assert "cancel it before you open another stack" in errors[0]
    assert run.session.state.run is not None


def test_an_error_is_told_to_its_end(run, monkeypatch, errors):
    said = "The disk is full: could not write a place with a long name; free some space and run again."
    monkeypatch.setattr(PredictionWriter, "store", Mock(side_effect=OutputError(said)))
    run.begin()
    run.until_over()
    state = run.session.state
    assert state.outcome.startswith("Stopped after ") and said in state.outcome
    assert errors == [said] and state.message(Step.PREDICT) == said
    assert state.prediction is None and not state.can_continue  # nothing of it was final


def test_a_fault_in_the_program_is_no_cancelling(run, errors):
    run.begin(tiles=2)
    run.job.fail("The work stopped by a fault in the program (ZeroDivisionError).")
    run.until_over()
    assert run.session.state.outcome.startswith("Stopped after 2 of 20 tiles: The work stopped by a fault")
    assert "by a fault in the program" in errors[-1]


def test_a_message_goes_once_another_run_has_started(run, errors):
    run.begin(device=_absent_device())
    run.until_over()
    assert "not available" in run.session.state.message(Step.PREDICT)
    run.begin()
    assert run.session.state.message(Step.PREDICT)  # it may yet fail in the same way
    run.until_tiles(1)
    assert not run.session.state.message(Step.PREDICT)


def test_a_device_that_is_not_there_is_said_to_be(run, errors):
    run.begin(device=_absent_device())
    run.until_over()
    assert "not available" in errors[0]
    assert run.session.state.prediction is None and not run.session.state.has_prediction
    assert [layer.name for layer in run.session._viewer.layers] == ["seg-1"]


def test_too_few_depth_layers_are_one_clear_sentence_and_nothing_is_made(
    session, held_jobs, settings, tmp_path, errors
):
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


def test_another_prediction_takes_the_place_of_the_first_overlay(run):
    run.begin()
    run.until_over()
    first, layer = run.path, run.layer()
    run.begin()
    run.until_over()
    assert [one.name for one in run.session._viewer.layers] == ["seg-1", "Ink (predicted)", "Edges (predicted)"]
    assert run.layer() is layer  # emptied, not made anew
    assert run.path != first and first.exists()


def test_a_tool_stays_in_the_hand_when_a_run_begins(run):
    run.begin()
    run.until_over()
    run.session.labelling.make_editable()
    run.jobs.work()
    take_turns()
    run.session.labelling.activate_tool("ink")
    layers = run.session._viewer.layers
    tool, active = run.session.state.tool, layers.selection.active
    assert tool == "ink" and active.name == "Ink labels"
    layers.remove("Ink (predicted)")
    run.begin()
    run.until_over()
    assert "Edges (predicted)" in layers
    assert layers.selection.active is active and run.session.state.tool == tool


def test_grey_values_that_are_spread_are_told_and_recorded(session, held_jobs, settings, tmp_path):
    values = np.random.default_rng(0).integers(1, 4096, (12, 40, 48)).astype(np.uint16)
    np.save(tmp_path / "kept.npy", values)
    session.open_stack(tmp_path / "kept.npy")
    held_jobs.work()
    assert session.state.suggested_greys == (0, 4095) and "--grey-range 0 4095" in session.state.grey_note
    run = Driver(session, held_jobs, settings)
    run.begin(grey_range=(0.0, 4095.0))
    run.until_over()
    assert "from 0 to 4095 are spread" in " ".join(session.state.notes)
    assert run.stored.provenance["contract"]["grey_range"] == [0, 4095]


def test_views_show_where_they_disagree(run):
    run.begin(augment=("flips",))
    run.until_over()
    assert run.stored.provenance["augment"] == ["flips"]
    layer = run.layer("Disagreement (predicted)")
    assert not layer.visible and np.array_equal(layer.data, run.stored.read("disagreement")) and layer.data.any()
    assert "mean of 4 predictions" in " ".join(run.session.state.notes)
    run.begin()
    run.until_over()
    assert "Disagreement (predicted)" not in run.session._viewer.layers


def test_what_is_in_sight_is_predicted_first_and_panning_changes_that(strip_run, viewer_model, monkeypatch):
    order, said = [], engine._Run._event

    def noted(self, tile, *rest):
        order.append(tile)
        return said(self, tile, *rest)

    monkeypatch.setattr(engine._Run, "_event", noted)
    camera = camera_of(viewer_model)
    camera.zoom, camera.center = 8, (0, 20, 640)
    take_turns()
    strip_run.begin(tiles=4)
    assert all(tile.touches(Region(0, 40, 400, 700)) for tile in order)
    camera.center = (0, 20, 60)
    take_turns()
    before = len(order)
    strip_run.until(lambda: len(order) > before and order[-1].touches(Region(0, 40, 0, 200)))
    assert len(order) - before <= 10  # but for those in hand, not the rest of what was in sight


# A pause.


def test_a_paused_run_waits_and_goes_on(run):
    run.begin(tiles=3)
    run.session.prediction.pause()
    assert run.session.state.run.paused and run.job.is_paused
    run.session.prediction.pause()
    assert not run.session.state.run.paused and not run.job.is_paused
    run.until_over()
    assert run.stored.complete


def test_a_paused_run_is_stopped_like_any(run):
    run.begin(tiles=3)
    run.session.prediction.pause()
    run.session.prediction.cancel()
    run.until_over()
    assert run.session.state.outcome.startswith("Cancelled after")


def test_without_a_run_there_is_nothing_to_pause_cancel_or_change(run):
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


def test_a_prediction_stopped_on_another_day_is_continued_as_it_was_asked_for(
    strip_run, session, held_jobs, strip, segment
):
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


def test_what_another_day_ended_is_shown_and_not_continued(run, segment):
    run.begin()
    run.until_over()
    run.session.open_stack(segment)
    run.jobs.work()
    take_turns()
    state = run.session.state
    assert state.has_prediction and not state.can_continue
    assert state.outcome == "This is the latest prediction."
    assert run.shows_all_that_is_stored()


@pytest.mark.parametrize("is_running", [True, False])
def test_a_stack_that_is_taken_away_takes_what_could_go_on_with_it(stopped_run, strip, is_running):
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
    assert session.state.can_continue  # it is found again


def test_after_shutting_down_a_run_tells_nobody(run):
    run.begin(tiles=2)
    run.session.prediction.shut_down()
    before = run.session.state
    run.jobs.work()
    assert run.session.state.outcome == "" and run.session.state.prediction == before.prediction


# Changed while it runs.


def test_the_second_of_two_changes_close_together_counts_too(run):
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


def test_each_change_of_direction_and_offset_begins_it_anew(run):
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


def test_settings_that_are_those_of_the_run_change_nothing(run):
    run.begin(tiles=2, offset=1)
    run.change(offset=1)
    assert not run.session.state.run.cancelling


def test_a_change_after_cancel_begins_nothing(stopped_run):
    run, first = stopped_run, stopped_run.path
    run.session.prediction.resume()
    run.until_tiles(1)
    run.session.prediction.cancel()
    run.change(direction="reversed")
    run.until_over()
    assert run.path == first and run.session.state.can_continue


def test_cancel_takes_back_a_change_that_has_not_taken_effect(strip_run):
    strip_run.begin(tiles=30)
    first = strip_run.path
    strip_run.change(direction="reversed")
    strip_run.session.prediction.cancel()
    strip_run.until_over()
    assert strip_run.path == first and strip_run.session.state.can_continue


def test_a_change_that_the_model_cannot_read_is_refused_and_the_run_goes_on(run, errors):
    run.begin(tiles=2)
    first = run.path
    run.change(offset=-64)
    assert "too few depth layers" in errors[0] and errors[0].endswith("The run continues with the previous settings.")
    assert not run.session.state.run.cancelling
    run.until_over()
    assert run.path == first and run.stored.complete


def test_a_change_that_fails_later_leaves_what_was_stopped_to_go_on_with(strip_run, monkeypatch):
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


def test_what_a_change_supersedes_is_removed_if_nothing_was_predicted_in_it(strip_run):
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
    """A stack with the layer of regions, in which nothing is drawn yet."""
    strip_run.session.prediction.roi.begin()
    take_turns()
    return strip_run


def test_nothing_drawn_is_said_and_the_tool_put_into_the_hand(strip_run, errors):
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


def test_a_drawn_region_alone_is_predicted(drawing_run):
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


def test_a_region_that_is_moved_while_it_is_predicted_is_predicted_anew(drawing_run):
    run = drawing_run
    _draw(run, [[0, 0], [40, 0], [40, 700], [0, 700]], "rectangle")
    run.begin(where="roi", tiles=3)
    first = run.path
    run.session._viewer.layers[ROI].data = [np.array([[4.0, 600], [36, 600], [36, 660], [4, 660]])]
    run.until(lambda: run.path != first)
    run.until_over()
    record = run.stored.provenance
    assert record["region"] == [4, 36, 600, 660] and run.stored.complete
    assert record["mask"] is None  # the region alone says what was drawn
    assert not run.shown()[:, :590].any() and run.shown()[6:34, 605:655].any()


def test_a_region_that_is_moved_is_none_of_a_run_of_all(drawing_run):
    drawing_run.begin(tiles=3)
    _draw(drawing_run, [[0, 0], [40, 0], [40, 70], [0, 70]], "rectangle")
    assert not drawing_run.session.state.run.cancelling


def test_a_region_that_is_drawn_as_it_was_begins_nothing(drawing_run):
    run, corners = drawing_run, np.array([[0.0, 0], [40, 0], [40, 700], [0, 700]])
    _draw(run, corners, "rectangle")
    run.begin(where="roi", tiles=3)
    run.session._viewer.layers[ROI].data = [corners]
    take_turns()
    assert not run.session.state.run.cancelling


def test_a_superseded_region_leaves_no_picture_of_it(drawing_run):
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


def test_a_region_without_papyrus_is_said_to_have_none(run, errors):
    run.session.prediction.roi.begin()
    take_turns()
    for corners in ([[5, 1], [90, 1], [90, 9], [5, 9]], [[5, 1], [90, 1], [90, 9]]):
        run.session._viewer.layers[ROI].data = []
        _draw(run, corners)
        run.begin(where="roi")
        run.until_over()
        assert "no papyrus" in errors.pop() and not run.session.state.has_prediction
    assert not list(run.session.stack.project_folder(run.session.state.stack).rglob("*-region.*"))


def test_another_stack_has_no_region_of_the_one_before(drawing_run, segment):
    run = drawing_run
    _draw(run, [[0, 0], [40, 0], [40, 70], [0, 70]], "rectangle")
    run.session.open_stack(segment)
    run.jobs.work()
    take_turns()
    assert ROI not in run.session._viewer.layers and run.session.prediction.roi.polygons() == []


def test_the_visible_region_stays_that_of_the_first_run(strip_run, viewer_model, errors):
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


def test_a_segment_out_of_sight_is_said_to_be(strip_run, viewer_model, errors):
    camera = camera_of(viewer_model)
    camera.center = (0, 5000, 5000)
    strip_run.begin(where="visible")
    assert "is visible" in errors[0] and strip_run.session.state.run is None


# The model in memory.


def test_the_model_is_loaded_once_and_read_as_it_was_asked_to(run, checkpoint):
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


def test_a_model_that_cannot_be_loaded_says_so_once_it_is_run(run, tmp_path, errors):
    missing = replace(run.settings.model, name_or_path=str(tmp_path / "gone.safetensors"))
    run.session.prediction.warm_up(missing)
    run.jobs.work()
    assert not errors
    run.begin(model=missing)
    run.until_over()
    assert "gone.safetensors" in errors[0]
