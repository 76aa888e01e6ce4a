"""Wheel, keyboard, messages and the key sheet in a real window."""

import random
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollBar,
    QWidget,
)

from napari_ink.gui.models.state import Step
from napari_ink.gui.preferences import key_of
from napari_ink.gui.views.cheat_sheet import CheatSheet
from napari_ink.gui.views.section import Section
from napari_ink.gui.views.step_panel import Lines
from napari_ink.gui.views.tool_settings import ToolSettingsRow


@pytest.fixture
def whole_dock(labelled_dock, qtbot):
    """The dock with labels, and every section open."""
    for section in labelled_dock.findChildren(Section):
        section.expand()
    qtbot.wait(50)
    return labelled_dock


def _values(dock) -> dict[QWidget, object]:
    """Return the values of all inputs, without those that show the settings of the active tool."""
    found: dict[QWidget, object] = {}
    for widget in dock.findChildren(QWidget):
        if isinstance(widget.parentWidget(), ToolSettingsRow):
            continue
        if isinstance(widget, QComboBox):
            found[widget] = widget.currentIndex()
        elif isinstance(widget, QAbstractSpinBox) or (
            isinstance(widget, QAbstractSlider) and not isinstance(widget, QScrollBar)
        ):
            found[widget] = widget.value()
    return found


def _turn_wheel(widget: QWidget, steps: int) -> bool:
    """Turn the mouse wheel over a widget; return whether it handled the event, without propagation to its parents."""
    at = QPointF(widget.rect().center())
    none, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(
        at, widget.mapToGlobal(at), QPoint(), QPoint(0, 120 * steps), none, Qt.KeyboardModifier.NoModifier, phase, False
    )
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def _keyboard(dock) -> QWidget | None:
    return dock.window().focusWidget()


def test_the_wheel_changes_no_value(whole_dock, qtbot):
    whole_dock.window().resize(1366, 768)
    qtbot.wait(100)
    before = _values(whole_dock)
    assert len(before) >= 12
    for widget in before:
        for steps in (-1, 1):
            assert not _turn_wheel(widget, steps), widget
    assert _values(whole_dock) == before


def test_two_hundred_keys_wheels_and_clicks_at_random_change_no_value(whole_dock, viewer, canvas, qtbot, errors):
    chance, before = random.Random(3), _values(whole_dock)
    brushes = [viewer.layers[name].brush_size for name in ("Ink labels", "Edge labels")]
    inside = [one for one in whole_dock.findChildren(QWidget) if one.window() is whole_dock.window()]
    pressed = [getattr(Qt.Key, f"Key_{letter}") for letter in "QWASRGTDHJKI89EPFVMX"]
    pressed += [Qt.Key.Key_Equal, Qt.Key.Key_Minus, Qt.Key.Key_Question]
    moves = [Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_PageUp]
    for count in range(200):
        if count % 10 == 0:
            whole_dock.open_step(chance.choice(list(Step)))  # so that the controls of each step are on the screen
        widget = chance.choice(inside)
        is_typed_into = isinstance(widget, QLineEdit | QAbstractSpinBox)
        kind = chance.random()
        if kind < 0.4:
            _turn_wheel(widget, chance.choice((-3, -1, 1)))
        elif kind < 0.6 and type(widget) in (QWidget, QLabel, Lines) and widget.isVisible():
            qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)  # not on a control, which is meant to be used
        elif kind < 0.7:
            canvas.setFocus()  # these keys change a control only where Tab has led to it
            qtbot.keyClick(_keyboard(whole_dock), chance.choice(moves))
        elif not is_typed_into:
            if widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
                widget.setFocus()
            qtbot.keyClick(chance.choice((widget, canvas)), chance.choice(pressed))
    qtbot.wait(300)
    assert _values(whole_dock) == before
    assert [viewer.layers[name].brush_size for name in ("Ink labels", "Edge labels")] == brushes
    assert set(np.unique(viewer.layers["Ink labels"].data)) <= {0, 1, 2}
    assert errors == []


def test_keys_go_to_the_picture_after_a_use_of_the_panel(whole_dock, viewer, canvas, qtbot, press):
    dock = whole_dock
    canvas.setFocus()
    what, session = dock.export.what_box, dock.session
    qtbot.mouseClick(what, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(what.view().isVisible)
    qtbot.keyClick(what.view(), Qt.Key.Key_Down)
    qtbot.keyClick(what.view(), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not what.view().isVisible())
    assert what.currentText() == "Edge mask"
    assert _keyboard(dock) is canvas
    for widget in (what, dock.predict.run_button, dock.predict.ink_threshold.slider, dock.correct.versions.header):
        widget.setFocus(Qt.FocusReason.TabFocusReason)  # reached by Tab, or by an older click
        for key, tool in (("W", "papyrus"), ("S", "not edge")):
            qtbot.keyClick(widget, getattr(Qt.Key, f"Key_{key}"))
            assert session.state.tool == tool, (widget, key)
    assert what.currentText() == "Edge mask"
    number = dock.predict.offset_box
    number.setFocus()
    qtbot.keyClicks(number.lineEdit(), "1")
    qtbot.keyClick(number, Qt.Key.Key_Return)
    assert _keyboard(dock) is canvas
    for widget in dock.findChildren(QPushButton):
        if widget.isEnabled() and widget.isVisible() and widget is dock.correct.actions_of["help"]:
            qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)
    assert _keyboard(dock) is canvas


def test_a_question_mark_opens_and_closes_the_key_sheet(open_dock, canvas, qtbot):
    window = open_dock.window()
    for is_open in (True, False):
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        qtbot.keyClick(canvas, Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier)
        qtbot.wait(50)
        assert (open_dock.findChild(CheatSheet) is not None) == is_open


def test_a_message_stays_whole_until_its_step_succeeds(open_dock, segment, qtbot, wait, click, press, errors, tmp_path):
    message = open_dock.status.message
    nowhere = tmp_path / ("a_name_of_a_segment_that_is_longer_than_the_panel_is_wide_" * 3) / "layers"
    open_dock.open_stack(nowhere)
    wait(lambda: bool(message.toPlainText()))
    assert str(nowhere) in message.toPlainText()
    assert message.document().size().width() <= message.viewport().width()
    assert message.document().size().height() <= message.height()
    message.selectAll()
    assert str(nowhere) in message.textCursor().selectedText()
    assert message.toPlainText().removeprefix("Stack: ") in errors  # the toast shows the same text
    open_dock.session.export.export("ink", "labels", tmp_path / "ink.png")
    assert "nothing to export" in open_dock.session.state.message(Step.EXPORT)
    press(key_of("ink"))
    assert "make them in the step Correct" in message.toPlainText()
    assert "(2 more)" in message.toPlainText()  # those of other steps wait below it
    click(open_dock.status.read_button)
    assert "nothing to export" in message.toPlainText()
    open_dock.open_stack(segment)
    wait(lambda: not message.toPlainText())


def test_the_text_changes_from_saving_to_saved(empty_dock, viewer, stroke, press, wait, qtbot):
    press(key_of("ink"))
    texts = []
    for row in range(20, 80, 6):  # strokes at different times between two saves
        stroke((row, 30), (row, 60))
        texts.append(empty_dock.status.saved.text())
        qtbot.wait(70 * (row % 5))
        wait(lambda: empty_dock.status.saved.text().startswith("All saved"))
    assert any(one.startswith("Saving") for one in texts)
    assert np.count_nonzero(viewer.layers["Ink labels"].data) > 0
    assert Path(empty_dock.session.state.storage.project).exists()
