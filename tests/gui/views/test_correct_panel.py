"""The panel of step Correct alone: the text of its first button, and the counts of the legend."""

from pathlib import Path

import pytest

from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.status import LabelCounts, StorageStatus
from napari_ink.gui.views import CorrectPanel, Legend
from napari_ink.stack import open_stack


@pytest.fixture
def panel(qtbot) -> CorrectPanel:
    panel = CorrectPanel()
    qtbot.addWidget(panel)
    return panel


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "Start with empty labels"),
        ({"has_prediction": True}, "Make editable"),
        ({"storage": StorageStatus(Path("a.ink"))}, "Show labels"),
        ({"has_prediction": True, "labels": True}, "Redraft from prediction"),
        ({"has_prediction": True, "labels": True, "labels_edited": True}, "Redraft from prediction…"),
    ],
)
def test_the_first_button_names_its_current_action(panel, segment, settings, text):
    panel.show_state(InkState(stack=open_stack(segment), **settings))
    assert panel.editable_button.text() == text
    assert panel.editable_button.isEnabled()


def test_labelled_pixels_are_counted_in_the_legend(qtbot, segment):
    legend = Legend()
    qtbot.addWidget(legend)
    legend.show_state(InkState(stack=open_stack(segment), labels=True, counts=LabelCounts(ink=1234, papyrus=56)))
    assert "Ink 1\u202f234 · papyrus 56" in legend.counts.toolTip()


def test_shapes_omitted_by_an_import_are_shown(panel, segment):
    panel.show_state(InkState(stack=open_stack(segment), labels=True, import_notes=("a.svg: shapes are left out.",)))
    assert panel.versions.notes.text() == "a.svg: shapes are left out."
