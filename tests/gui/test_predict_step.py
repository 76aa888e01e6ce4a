import threading

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QFileDialog

from napari_ink.errors import OutputError
from napari_ink.gui.models.state import Step, cut_level
from napari_ink.predict import open_prediction
from napari_ink.predict.storage.writer import PredictionWriter
from tests.gui.driving import is_over

EVERYWHERE = (slice(0, 96), slice(0, 128))


@pytest.fixture
def busy_dock(dock, large_stack, click, qtbot):
    """The dock in the midst of a prediction of some hundred tiles."""
    dock.open_stack(large_stack)
    qtbot.waitUntil(lambda: dock.session.state.stack is not None, timeout=20000)
    click(dock.predict.run_button)
    qtbot.waitUntil(lambda: dock.session.state.run is not None and dock.session.state.run.done > 2, timeout=30000)
    return dock


def test_a_run_shows_exactly_what_it_stores(predicted_dock, viewer, segment):
    state = predicted_dock.session.state
    stored = open_prediction(state.prediction)
    assert stored.complete
    assert np.array_equal(viewer.layers["Ink (predicted)"].data, stored.read("ink", *EVERYWHERE))
    assert np.array_equal(viewer.layers["Edges (predicted)"].data, stored.read("edge", *EVERYWHERE))
    assert stored.read("ink", *EVERYWHERE)[:, 16:].min() > 0
    assert state.prediction.is_relative_to(segment.parent / "seg-1.ink")
    assert not state.prediction.name.startswith(".")


def test_a_run_says_where_it_ran_what_it_read_and_how_it_ended(predicted_dock):
    panel = predicted_dock.predict
    assert "Runs on " in panel.about.text()
    assert "depth layers" in panel.about.text()
    assert panel.about.text().startswith("Predicted ")
    assert predicted_dock.session.state.prediction.name in panel.about.text()
    assert panel.run_button.text() == "Run again"
    assert not panel.cancel_button.isVisible()
    assert predicted_dock.session.state.current_step is Step.CORRECT


def test_a_stack_of_12_bits_kept_in_16_is_told_and_spread(dock, tmp_path, click, qtbot):
    values = np.random.default_rng(0).integers(1, 4096, (12, 96, 128)).astype(np.uint16)
    np.save(tmp_path / "kept.npy", values)
    dock.open_stack(tmp_path / "kept.npy")
    qtbot.waitUntil(lambda: dock.session.state.stack is not None and not dock.session.state.busy, timeout=20000)
    assert "--grey-range 0 4095" in dock.stack.summary.text()
    box = dock.predict.grey_box
    assert box.grey_range() is None and (box.low_box.value(), box.high_box.value()) == (0, 4095)
    box.use_box.setChecked(True)
    click(dock.predict.run_button)
    qtbot.waitUntil(lambda: is_over(dock), timeout=60000)
    assert "from 0 to 4095 are spread" in dock.predict.about.text()
    assert open_prediction(dock.session.state.prediction).provenance["contract"]["grey_range"] == [0, 4095]


def test_outside_the_papyrus_nothing_is_predicted(predicted_dock, viewer):
    assert viewer.layers["Ink (predicted)"].data[:, :16].max() == 0


def test_without_the_mask_everything_is_predicted(open_dock, viewer, click, qtbot):
    open_dock.predict.mask_box.setChecked(False)
    click(open_dock.predict.run_button)
    qtbot.waitUntil(lambda: is_over(open_dock), timeout=60000)
    assert viewer.layers["Ink (predicted)"].data.min() > 0


def test_the_overlay_grows_tile_by_tile_while_it_runs(busy_dock, viewer, qtbot):
    shown = []
    for _ in range(4):
        shown.append(np.count_nonzero(viewer.layers["Ink (predicted)"].data))
        qtbot.wait(150)
    assert busy_dock.session.state.run is not None
    assert shown == sorted(set(shown))
    assert busy_dock.predict.status.text().startswith("Tile ")
    assert busy_dock.predict.status.text().endswith(" left")
    assert 0 < busy_dock.predict.progress.value() < busy_dock.predict.progress.maximum()
    busy_dock.session.prediction.cancel()
    qtbot.waitUntil(lambda: is_over(busy_dock), timeout=30000)


def test_cancel_keeps_what_is_done_and_it_can_be_exported(busy_dock, viewer, click, qtbot, tmp_path):
    click(busy_dock.predict.cancel_button)
    done = busy_dock.session.state.run.done
    assert busy_dock.predict.status.text() == "Stopping after this batch…"
    assert not busy_dock.predict.cancel_button.isEnabled()
    qtbot.waitUntil(lambda: is_over(busy_dock), timeout=5000)
    state = busy_dock.session.state
    assert state.outcome.startswith("Cancelled after ")
    assert int(state.outcome.split()[2]) - done <= 50
    ink = viewer.layers["Ink (predicted)"].data
    assert 0 < np.count_nonzero(ink) < ink.size
    assert busy_dock.predict.run_button.isVisible()
    assert busy_dock.correct.editable_button.isEnabled()
    busy_dock.session.export.export("ink", "prediction", tmp_path / "ink.png")
    qtbot.waitUntil((tmp_path / "ink.png").is_file)
    with Image.open(tmp_path / "ink.png") as picture:
        assert np.array_equal(np.asarray(picture) > 0, ink >= cut_level(state.ink_threshold))


def test_while_it_runs_no_other_stack_is_opened(busy_dock, segment, errors, qtbot):
    assert "cancel" in busy_dock.stack.hint.text()
    assert not busy_dock.stack.folder_button.isEnabled()
    busy_dock.open_stack(segment)
    assert "cancel" in errors[0]
    busy_dock.session.prediction.cancel()
    qtbot.waitUntil(lambda: is_over(busy_dock), timeout=30000)


def test_another_stack_that_is_dropped_on_a_run_is_turned_away(busy_dock, segment, viewer, errors, qtbot):
    before = [layer.name for layer in viewer.layers]
    viewer.open(segment, plugin="napari-ink")
    qtbot.waitUntil(lambda: [layer.name for layer in viewer.layers] == before)
    assert "cancel it before you open another stack" in errors[0]
    assert busy_dock.session.state.run is not None
    busy_dock.session.prediction.cancel()
    qtbot.waitUntil(lambda: is_over(busy_dock), timeout=30000)


def test_what_cannot_be_chosen_during_a_run_says_so(busy_dock, qtbot):
    panel = busy_dock.predict
    boxes = (panel.model_box, panel.file_button, panel.device_box, panel.area_box, panel.views_box)
    assert not any(box.isEnabled() for box in boxes)
    assert {box.toolTip().split(";")[0] for box in boxes} == {"Cancel the run to choose another"}
    busy_dock.session.prediction.cancel()
    qtbot.waitUntil(lambda: is_over(busy_dock), timeout=30000)
    assert all(box.isEnabled() for box in boxes)
    assert panel.model_box.toolTip().startswith("The model that predicts")


def test_an_error_is_told_in_the_panel_to_its_end(busy_dock, monkeypatch, qtbot):
    told = "The disk is full: could not write a place with a long name; free some space and run again."

    def full(*_: object) -> None:
        raise OutputError(told)

    monkeypatch.setattr(PredictionWriter, "store", full)
    qtbot.waitUntil(lambda: is_over(busy_dock), timeout=30000)
    assert busy_dock.predict.about.text().startswith("Stopped after ")
    assert told in busy_dock.predict.about.text()


def test_a_fault_in_the_program_is_no_cancelling(busy_dock, monkeypatch, qtbot, errors):
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    # pytest listens to what threads leave unhandled; here it is for napari to show.
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(PredictionWriter, "store", fails)
    qtbot.waitUntil(lambda: is_over(busy_dock), timeout=30000)
    assert "by a fault in the program (ZeroDivisionError)" in busy_dock.predict.about.text()
    assert "by a fault in the program" in errors[-1]


def test_a_tool_stays_in_the_hand_when_a_run_begins(labelled_dock, viewer, click, qtbot):
    labelled_dock.session.labelling.activate_tool("ink")
    tool, active = labelled_dock.session.state.tool, viewer.layers.selection.active.name
    assert tool
    viewer.layers.remove("Ink (predicted)")
    click(labelled_dock.predict.run_button)
    qtbot.waitUntil(lambda: "Edges (predicted)" in viewer.layers)
    qtbot.waitUntil(lambda: is_over(labelled_dock), timeout=60000)
    assert viewer.layers.selection.active.name == active and labelled_dock.session.state.tool == tool


def test_a_threshold_shows_what_it_cuts_and_no_more(predicted_dock, viewer):
    ink, edges = (viewer.layers[name] for name in ("Ink (predicted)", "Edges (predicted)"))
    ink.visible = edges.visible = False
    predicted_dock.predict.ink_threshold.slider.setValue(70)
    assert ink.visible and not edges.visible


def test_the_visible_region_alone_is_predicted(open_dock, viewer, click, qtbot):
    viewer.scene.camera.zoom = 20
    viewer.scene.camera.center = (0, 40, 64)
    qtbot.wait(100)
    open_dock.predict.area_box.setCurrentText("Visible region")
    click(open_dock.predict.run_button)
    qtbot.waitUntil(lambda: is_over(open_dock), timeout=60000)
    region = open_prediction(open_dock.session.state.prediction).provenance["region"]
    rows, columns = np.nonzero(viewer.layers["Ink (predicted)"].data)
    seen = viewer.layers["seg-1"].corner_pixels[:, 1:]
    assert rows.min() == seen[0, 0]
    assert rows.max() == seen[1, 0]
    assert columns.min() == seen[0, 1]
    assert columns.max() == seen[1, 1]
    assert rows.max() < 95
    assert str(rows.min()) in str(region)


def test_a_segment_out_of_sight_is_said_to_be(open_dock, viewer, click, qtbot, errors):
    viewer.scene.camera.center = (0, 5000, 5000)
    qtbot.wait(100)
    open_dock.predict.area_box.setCurrentText("Visible region")
    click(open_dock.predict.run_button)
    assert "in sight" in errors[0]
    assert open_dock.session.state.run is None


def test_a_threshold_cuts_what_is_shown_at_once_without_the_model(predicted_dock, viewer):
    panel = predicted_dock.predict
    for name, row in (("Ink (predicted)", panel.ink_threshold), ("Edges (predicted)", panel.edge_threshold)):
        layer = viewer.layers[name]
        before = layer.data.copy()
        shown = []
        for percent in (1, 40, 60, 99):
            row.slider.setValue(percent)
            level = cut_level(percent / 100)
            assert layer.contrast_limits == [level - 1, level]
            assert np.array_equal(_painted(viewer, layer), before >= level)
            shown.append(int((before >= level).sum()))
        assert shown == sorted(shown, reverse=True)
        assert len(set(shown)) > 2
        assert np.array_equal(layer.data, before)
        assert not panel.cancel_button.isVisible()


def _painted(viewer, layer) -> np.ndarray:
    """Return, for every segment pixel, whether the window shows the layer's colour there."""
    for other in viewer.layers:
        other.visible = other == layer
    viewer.reset_view()
    picture = viewer.screenshot(flash=False)
    (cy, cx), zoom = viewer.scene.camera.center[-2:], viewer.scene.camera.zoom
    rows = np.round(picture.shape[0] / 2 + (np.arange(96) - cy) * zoom).astype(int)
    columns = np.round(picture.shape[1] / 2 + (np.arange(128) - cx) * zoom).astype(int)
    return picture[np.ix_(rows, columns)][..., :3].sum(axis=-1) > 0


def test_too_few_depth_layers_are_one_clear_sentence(dock, tmp_path, click, qtbot, errors, viewer):
    np.save(tmp_path / "thin.npy", np.full((2, 64, 64), 9, np.uint8))
    dock.open_stack(tmp_path / "thin.npy")
    qtbot.waitUntil(lambda: dock.session.state.stack is not None)
    click(dock.predict.run_button)
    assert len(errors) == 1
    assert "too few depth layers" in errors[0]
    assert dock.session.state.run is None and not dock.session.state.has_prediction
    assert len(viewer.layers) == 1
    assert not (tmp_path / "thin.ink").exists()


def test_a_device_that_is_not_there_is_said_to_be(open_dock, click, qtbot, errors):
    torch = pytest.importorskip("torch")
    absent = "Apple GPU (MPS)" if not torch.backends.mps.is_available() else "NVIDIA GPU (CUDA)"
    open_dock.predict.device_box.setCurrentText(absent)
    click(open_dock.predict.run_button)
    qtbot.waitUntil(lambda: is_over(open_dock), timeout=30000)
    assert "not available" in errors[0]


def test_a_file_that_is_no_checkpoint_is_refused(open_dock, tmp_path, click, errors, monkeypatch):
    (tmp_path / "holiday.safetensors").write_bytes(b"no weights here")
    chosen = str(tmp_path / "holiday.safetensors")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (chosen, ""))
    before = open_dock.predict.model_box.count()
    click(open_dock.predict.file_button)
    assert "checkpoint" in errors[0]
    assert open_dock.predict.model_box.count() == before


def test_another_prediction_takes_the_place_of_the_first_overlay(predicted_dock, viewer, click, qtbot):
    first = predicted_dock.session.state.prediction
    click(predicted_dock.predict.run_button)
    qtbot.waitUntil(lambda: is_over(predicted_dock), timeout=60000)
    assert [layer.name for layer in viewer.layers] == ["seg-1", "Ink (predicted)", "Edges (predicted)"]
    assert predicted_dock.session.state.prediction != first
    assert first.exists()


def test_the_depth_slider_still_moves_the_stack_under_the_overlay(predicted_dock, viewer):
    overlay = viewer.layers["Ink (predicted)"]
    assert overlay.ndim == 2
    before = viewer.layers["seg-1"].get_value((6, 40, 50), world=True)
    viewer.dims.set_point(0, 2)
    assert viewer.layers["seg-1"].get_value((2, 40, 50), world=True) != before
    assert overlay.visible


def test_closing_the_window_stops_a_run_and_keeps_what_is_done(busy_dock, viewer, qtbot):
    run, path = busy_dock.session.prediction._run, busy_dock.session.state.prediction
    viewer.close()
    qtbot.waitUntil(lambda: not run._worker.is_running, timeout=20000)
    assert 0 < run.progress.done < run.progress.total
    assert not path.exists() or not open_prediction(path).complete


def test_showing_a_threshold_asks_for_nothing(predicted_dock):
    asked = []
    row = predicted_dock.predict.ink_threshold
    row.changed.connect(asked.append)
    row.show_value(0.3)
    assert asked == []
    with QSignalBlocker(row):
        row.slider.setValue(70)
