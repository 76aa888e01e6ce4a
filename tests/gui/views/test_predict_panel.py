"""The panel of step Predict alone, without napari: its display of a state, and its requests."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QFileDialog

from napari_ink.errors import ContractError
from napari_ink.gui.controllers.run_request import check_depth
from napari_ink.gui.models.prediction import model_entry
from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.status import RunProgress, TeachingStatus
from napari_ink.gui.views import PredictPanel
from napari_ink.gui.views.widgets import ThresholdRow
from napari_ink.stack import open_stack, stack_of_array
from tests.model.hybrid_files import network, pth_file


@pytest.fixture
def state(segment) -> InkState:
    """A stack of 12 layers with a mask is open."""
    return InkState(stack=open_stack(segment), mask=segment / "seg-1_mask.png")


@pytest.fixture
def panel(checkpoint, state, qtbot):
    made = PredictPanel((model_entry(checkpoint),))
    qtbot.addWidget(made)
    made.show_state(state)
    made.show()
    return made


def test_the_outcome_of_a_run_is_shown_at_its_end(panel, state):
    path = Path("seg-1.ink/predictions/random.zarr")
    done = replace(
        state,
        outcome="Predicted 20 tiles in 4 s.",
        device_line="Runs on the CPU.",
        notes=("Reads layers 2 to 9.",),
        prediction=path,
        has_prediction=True,
    )
    panel.show_state(done)
    text = "Predicted 20 tiles in 4 s. Reads layers 2 to 9. Runs on the CPU. Stored in random.zarr."
    assert panel.about.text().replace("\u00a0", " ") == text
    assert panel.run_button.text() == "Run again" and panel.thresholds.isEnabled()
    assert not panel.cancel_button.isVisible() and not panel.continue_button.isEnabled()
    panel.show_state(replace(done, can_continue=True))
    assert panel.continue_button.isEnabled()


def test_doubts_about_the_map_have_lines_of_their_own_which_take_no_room_without_any(panel, state):
    assert not panel.doubts.isVisible()
    sentences = ("Treat the map as a hint.", "Hardly any ink is clear.")
    panel.show_state(replace(state, run=RunProgress(3, 20, 40.0), doubts=sentences))
    assert panel.doubts.isVisible() and panel.doubts.shown == sentences
    assert panel.about.text().startswith("Tile 3")
    panel.show_state(replace(state, outcome="Predicted 20 tiles in 4 s.", has_prediction=True))
    assert not panel.doubts.isVisible()


@pytest.mark.parametrize("is_compact", [False, True])
def test_no_doubt_is_hidden_behind_a_long_one_before_it(panel, state, is_compact):
    panel.resize(300, 700)
    panel.set_compact(is_compact)
    sentences = tuple(f"{begin} {'as its card says ' * 20}" for begin in ("Outside.", "Much ink.", "A third of it."))
    for count in (1, 2, 3):
        panel.show_state(replace(state, doubts=sentences[:count]))
        lines = panel.doubts.lines[:count]
        for line, sentence in zip(lines, sentences, strict=False):
            assert line.isVisible() and line.toolTip() == sentence
            assert line.height() >= line.fontMetrics().lineSpacing()
        assert sum(line.isVisible() for line in panel.doubts.lines) == count
    panel.show_state(replace(state, doubts=(*sentences, "And more.")))
    assert panel.doubts.shown == (*sentences[:2], f"{sentences[2]} And more.")


def test_a_low_window_with_doubts_still_says_why_no_prediction_can_be_started(panel, state):
    panel.set_compact(True)
    doubted = replace(state, doubts=("Treat the map as a hint.",), has_prediction=True)
    panel.show_state(doubted)
    assert panel.doubts.isVisible() and not panel.about.isVisible()
    panel.show_state(replace(doubted, teaching=TeachingStatus(progress="Step", done=3, total=9)))
    assert not panel.run_button.isEnabled() and panel.about.isVisible() and panel.about.text()


@pytest.mark.parametrize(
    ("run", "text", "can_stop"),
    [
        (RunProgress(), "Loading the model…", True),
        (RunProgress(3, 20, 40.0), "Tile 3 of 20, about 40 s left", True),
        (RunProgress(3, 20, paused=True), "Paused at tile 3 of 20", True),
        (RunProgress(3, 20, paused=True, cancelling=True), "Stopping after this batch…", False),
    ],
)
def test_the_progress_of_a_run(panel, state, run, text, can_stop):
    panel.show_state(replace(state, run=run))
    assert panel.about.text().replace("\u00a0", " ") == text
    assert panel.cancel_button.isEnabled() is panel.pause_button.isEnabled() is can_stop
    assert panel.pause_button.text() == ("Resume" if run.paused else "Pause")
    assert not panel.run_button.isVisible()


def test_choices_that_are_locked_during_a_run_give_the_reason(panel, state):
    boxes = (panel.model_box, panel.file_button, panel.device_box, panel.area_box, panel.views_box)
    panel.show_state(replace(state, run=RunProgress()))
    assert not any(box.isEnabled() for box in boxes)
    assert {box.toolTip().split(";")[0] for box in boxes} == {"Fixed during a run"}
    panel.show_state(state)
    assert all(box.isEnabled() for box in boxes)
    assert panel.model_box.toolTip().startswith("The model that predicts")


def test_no_run_is_requested_without_a_model(state, qtbot):
    panel = PredictPanel(())
    qtbot.addWidget(panel)
    panel.show_state(state)
    assert panel.settings() is None and not panel.run_button.isEnabled()
    assert "choose a checkpoint" in panel.about.text()


def test_all_choices_are_in_the_request(panel, qtbot):
    panel.device_box.setCurrentText("CPU")
    panel.direction_box.setCurrentText("Reversed")
    panel.views_box.setCurrentIndex(1)
    with qtbot.waitSignal(panel.run_requested) as asked:
        qtbot.mouseClick(panel.run_button, Qt.MouseButton.LeftButton)
    (settings,) = asked.args
    assert (settings.device, settings.where, settings.use_mask) == ("cpu", "whole", True)
    assert (settings.direction, settings.augment, settings.offset) == ("reversed", ("flips",), None)
    assert settings.grey_range is None and settings.model == panel.model()


def test_both_directions_can_be_chosen(panel):
    panel.direction_box.setCurrentText("Both, one after the other")
    settings = panel.settings()
    assert settings.both_directions
    assert [settings.for_run(is_second).direction for is_second in (False, True)] == ["as stored", "reversed"]


def test_a_missing_mask_is_not_used(panel, state):
    panel.show_state(replace(state, mask=None))
    assert not panel.mask_box.isEnabled() and not panel.settings().use_mask


def test_a_change_of_direction_is_signalled_immediately_and_a_region_requested(panel, qtbot):
    with qtbot.waitSignal(panel.settings_changed) as signal:
        panel.direction_box.setCurrentText("Reversed")
    assert signal.args[0].direction == "reversed"
    with qtbot.waitSignal(panel.roi_requested):
        panel.area_box.setCurrentText("Region of interest")


def test_another_stack_is_predicted_whole_until_a_region_is_drawn(panel, state, tmp_path):
    panel.area_box.setCurrentText("Region of interest")
    panel.show_state(replace(state, busy="Reading…"))
    assert panel.settings().where == "roi"
    np.save(tmp_path / "other.npy", np.zeros((12, 20, 20), np.uint8))
    panel.show_state(InkState(stack=open_stack(tmp_path / "other.npy")))
    assert panel.settings().where == "whole"


def test_only_offsets_within_the_stack_are_offered(panel):
    assert (panel.offset_box.minimum(), panel.offset_box.maximum()) == (-6, 6)  # 4 to 8 layers of 12


def test_the_offset_starts_at_the_models_own_and_waits_for_the_last_step(panel, qtbot):
    box, requested = panel.offset_box, []
    panel.settings_changed.connect(requested.append)
    assert box.text() == "0 layers (model default)" and box.offset() is None
    for step in range(3):
        qtbot.keyClick(box, Qt.Key.Key_Up)
        assert box.value() == step + 1 and not requested
    assert box.text() == "3 layers"
    qtbot.waitUntil(lambda: bool(requested))
    qtbot.wait(50)
    assert [settings.offset for settings in requested] == [3]


def test_spreading_is_offered_for_a_narrow_range_of_grey_values(panel, state):
    panel.show_state(replace(state, suggested_greys=(0, 4095)))
    box = panel.grey_box
    assert (box.low_box.value(), box.high_box.value()) == (0, 4095) and panel.settings().grey_range is None
    box.use_box.setChecked(True)
    assert panel.settings().grey_range == (0, 4095)
    panel.show_state(replace(state, suggested_greys=(0, 4095), busy="Reading…"))
    assert panel.settings().grey_range == (0, 4095)  # the choice stays


def test_showing_a_threshold_requests_nothing(qtbot):
    row, asked = ThresholdRow("Ink", "#fff", "ink"), []
    qtbot.addWidget(row)
    row.changed.connect(asked.append)
    row.show_value(0.3)
    assert row.slider.value() == 30 and not asked
    row.slider.setValue(70)
    assert asked == [0.7]
    with QSignalBlocker(row):
        row.slider.setValue(80)
    assert asked == [0.7]


def test_a_model_file_is_asked_for_and_added_once(panel, checkpoint, qtbot, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(checkpoint), ""))
    with qtbot.waitSignal(panel.model_file_requested) as asked:
        panel.file_button.click()
    assert asked.args == [checkpoint]
    panel.add_model(model_entry(checkpoint))
    assert panel.model_box.count() == 1


def test_the_fast_precision_is_chosen_by_the_user_only(panel):
    assert panel.settings().precision == "float32"
    panel.precision_box.setCurrentText("Fast (bfloat16)")
    assert panel.settings().precision == "fast"


def test_means_of_voxels_are_for_models_from_elsewhere(panel, state, tmp_path):
    assert not panel.resample_box.isEnabled() and panel.settings().resample is None
    panel.add_model(model_entry(pth_file(tmp_path, network())))
    assert panel.resample_box.isEnabled() and panel.settings().resample is None
    deep = replace(stack_of_array(np.zeros((109, 64, 64), np.uint8), "deep"), voxel_size_um=2.4)
    panel.show_state(replace(state, stack=deep))
    assert "by means of 4 layers and of 4 × 4 pixels: voxels of 2.4 µm become 9.6 µm." in panel.about.text().replace(
        "\u00a0", " "
    )
    assert (panel.offset_box.minimum(), panel.offset_box.maximum()) == (-21, 20)
    panel.resample_box.setCurrentText("Means of 2 × 2 × 2 voxels")
    assert panel.settings().resample == (2, 2) and panel.offset_box.maximum() > 20
    panel.resample_box.setCurrentText("Off")
    check_depth(deep, panel.settings())
    panel.resample_box.setCurrentText("Means of 8 × 8 × 8 voxels")
    with pytest.raises(ContractError, match="17 means of 8"):
        check_depth(deep, panel.settings())


def test_nothing_moves_when_a_prediction_runs_and_ends(panel, state, qtbot):
    widgets = (panel.model_box, panel.more, panel.thresholds, panel.predictions, panel.about)

    def places():
        qtbot.wait(20)
        first = panel.pause_button if panel.pause_button.isVisible() else panel.run_button
        tops = [widget.mapTo(panel, widget.rect().topLeft()).y() for widget in (first, *widgets)]
        return [*tops, panel.minimumSizeHint().height()]

    before = places()
    panel.show_state(replace(state, run=RunProgress(3, 20, 40.0), notes=("A long note on what is read. " * 20,)))
    assert places() == before
    path = Path("seg-1.ink/predictions/random.zarr")
    panel.show_state(replace(state, outcome="Cancelled.", prediction=path, has_prediction=True, can_continue=True))
    assert places() == before
