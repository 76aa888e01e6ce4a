"""The panel of step Correct alone: its first button, keys below the icons, and the counts of the legend."""

from pathlib import Path

import numpy as np
import pytest

from napari_ink.gui.models.actions import Tool
from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.status import LabelCounts, StorageStatus
from napari_ink.gui.views import CorrectPanel, Legend
from napari_ink.gui.views.style import style_sheet
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
    assert "Ink 1,234 · papyrus 56" in legend.counts.toolTip()


def test_shapes_omitted_by_an_import_are_shown(panel, segment):
    panel.show_state(InkState(stack=open_stack(segment), labels=True, import_notes=("a.svg: shapes are left out.",)))
    assert panel.versions.notes.text() == "a.svg: shapes are left out."


def _drawn(button, letter: str) -> np.ndarray:
    """Return the brightness of a button with a letter below its icon."""
    button.setText(letter)
    image = button.grab().toImage()
    return np.array([[image.pixelColor(x, y).value() for x in range(image.width())] for y in range(image.height())])


def test_keys_below_the_icons_are_told_apart_in_the_default_font_size(panel):
    panel.setStyleSheet(style_sheet("dark", 9))
    panel.show()
    join = panel.tools[Tool.JOIN]
    assert join.text() == "J"
    nothing, i, j = (_drawn(join, letter).astype(float) for letter in (" ", "I", "J"))
    difference, strokes = np.abs(i - j).sum(), np.abs(i - nothing).sum() + np.abs(j - nothing).sum()
    assert difference >= 0.35 * strokes


def test_the_key_of_erasing_is_shown_once_at_the_eraser_that_it_activates(panel):
    ink, edges = panel.tools[Tool.ERASE_INK], panel.tools[Tool.ERASE_EDGE]
    assert (ink.text(), edges.text().strip()) == ("E", "")
    panel.bar.show_tool(Tool.NOT_EDGE)
    assert (ink.text().strip(), edges.text()) == ("", "E")
    assert "key E after another tool of this row" in ink.toolTip() and edges.toolTip().endswith("labels (key E)")
    panel.bar.show_tool("")  # the edge labels stay active
    assert edges.text() == "E"
    panel.bar.show_tool(Tool.FILL_INK)
    assert (ink.text(), edges.text().strip()) == ("E", "")
