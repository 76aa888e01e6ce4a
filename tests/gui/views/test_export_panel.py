"""The panel of step Export alone: the possible exports, the reasons against others, and the path of the last file."""

from dataclasses import replace

import pytest

from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.status import LabelCounts
from napari_ink.gui.views import ExportPanel
from napari_ink.stack import open_stack


@pytest.fixture
def panel(qtbot) -> ExportPanel:
    panel = ExportPanel()
    qtbot.addWidget(panel)
    return panel


@pytest.fixture
def predicted(segment) -> InkState:
    """A state with a prediction and no labels."""
    return InkState(stack=open_stack(segment), has_prediction=True)


@pytest.fixture
def labelled(segment) -> InkState:
    """A state with labels and no prediction."""
    return InkState(stack=open_stack(segment), labels=True)


def test_labels_are_offered_first_once_there_are_any(panel, predicted, labelled):
    panel.show_state(predicted)
    assert panel.from_box.currentText() == "Prediction, as shown"
    panel.show_state(labelled)
    assert panel.from_box.currentText() == "My labels"


def test_impossible_exports_give_their_reason(panel, predicted):
    panel.show_state(predicted)
    assert panel.export_button.isEnabled()
    panel.what_box.setCurrentText("Supervision mask")
    assert not panel.export_button.isEnabled()
    assert "My labels" in panel.summary.text()
    panel.from_box.setCurrentText("My labels")
    assert "step Correct" in panel.summary.text()


def test_planes_that_a_format_cannot_hold_are_reported_in_advance(panel, labelled):
    panel.show_state(labelled)
    panel.what_box.setCurrentText("Ink labels (0, 1, 2)")
    panel.format_box.setCurrentText("Kaggle CSV")
    assert "holds one mask" in panel.summary.text()
    assert not panel.export_button.isEnabled()
    panel.what_box.setCurrentText("Edge mask")
    assert panel.export_button.isEnabled()
    panel.format_box.setCurrentText("Training Zarr (villa)")
    assert "ink and supervision" in panel.summary.text()


def test_the_path_of_the_last_file_is_shown(panel, segment):
    panel.show_state(InkState(stack=open_stack(segment), labels=True, exported="/somewhere/ink.png"))
    assert "Saved /somewhere/ink.png" in panel.saved.text()


def test_name_size_and_pixels_are_told_before_the_export(panel, labelled, predicted):
    panel.show_state(replace(labelled, counts=LabelCounts(ink=1234, edge=56)))
    assert panel.summary.text() == "seg-1_ink.png: 96 × 128 px (height × width), 1,234 pixels of ink (10.0%)."
    panel.what_box.setCurrentText("Edge mask")
    assert "56 pixels of edges" in panel.summary.text()
    panel.show_state(replace(predicted, predicted_count=(None, "edges", 0.5, 77)))
    assert "77 pixels of edges" in panel.summary.text()
    panel.show_state(replace(predicted, predicted_count=(None, "edges", 0.4, 77)))
    assert "Counting" in panel.summary.text()


def test_a_count_is_requested_once_for_a_threshold(panel, predicted):
    asked = []
    panel.count_requested.connect(asked.append)
    panel.show_state(predicted)
    assert asked == []  # the step is not open
    panel.show()
    panel.show_state(predicted)
    panel.show_state(replace(predicted, ink_threshold=0.7))
    assert asked == ["ink", "ink"]
