"""Room in a real window: width and height of the panel, larger fonts, and controls that keep their place."""

from dataclasses import replace

import pytest
from napari.settings import get_settings
from qtpy.QtWidgets import QAbstractSpinBox, QLabel, QPushButton, QToolButton, QWidget

from napari_ink.gui.dock import InkDock
from napari_ink.gui.models.state import Step
from napari_ink.gui.models.status import TeachingStatus
from tests.gui.driving import settle
from tests.gui.lessons import taught_model

WIDEST_PX = 340
SMALL_WINDOW = (1366, 768)


@pytest.fixture
def small_dock(labelled_dock, viewer, qtbot):
    """The dock with a prediction and labels, in a window of 1366 × 768 pixels."""
    viewer.window.resize(*SMALL_WINDOW)
    qtbot.wait(200)
    return labelled_dock


@pytest.fixture
def font_size():
    """Set napari's font size, which is put back afterwards."""
    appearance = get_settings().appearance
    before = appearance.font_size
    yield lambda points: setattr(appearance, "font_size", points)
    appearance.font_size = before


def _cut_off(panel: InkDock) -> list[str]:
    """Return the texts of buttons, numbers and single lines that have less room than they need, and a wide step."""
    page = panel.page()
    found = [] if page.widget().width() <= page.viewport().width() else [f"step: {page.widget().width()}"]
    for number in panel.findChildren(QAbstractSpinBox):
        inside = number.lineEdit()
        if number.isVisible() and inside.fontMetrics().horizontalAdvance(number.text()) > inside.width():
            found.append(f"{number.text()}: {inside.width()}")
    for widget in panel.findChildren(QWidget):
        is_text = isinstance(widget, QPushButton | QToolButton) or (
            isinstance(widget, QLabel) and not widget.wordWrap() and widget.text()
        )
        if is_text and widget.isVisible() and widget.width() < widget.minimumSizeHint().width():
            found.append(f"{widget.text()}: {widget.width()} < {widget.minimumSizeHint().width()}")
    return found


def test_the_panel_is_narrow_before_any_other_step_was_open(dock, qtbot):
    qtbot.waitUntil(lambda: dock.width() <= WIDEST_PX, timeout=3000)
    qtbot.wait(200)
    fits = []
    dock._fit_later.timeout.connect(lambda: fits.append(1))
    qtbot.wait(600)
    assert len(fits) <= 1  # fitting the width does not ask for another fit


def test_the_panel_is_narrow_and_no_step_scrolls_in_a_small_window(small_dock, qtbot):
    assert small_dock.width() <= WIDEST_PX
    for step in Step:
        small_dock.open_step(step)
        bar = small_dock.page().verticalScrollBar()
        qtbot.waitUntil(lambda bar=bar: bar.maximum() == 0, timeout=3000)  # once the step is laid out
        assert _cut_off(small_dock) == []
    small_dock.open_step(Step.PREDICT)
    small_dock.predict.more.expand()
    qtbot.wait(200)
    assert small_dock.width() <= WIDEST_PX
    assert _cut_off(small_dock) == []


@pytest.mark.parametrize("points", [15, 18])
def test_a_larger_font_cuts_nothing_off(small_dock, font_size, points, qtbot):
    font_size(points)
    qtbot.wait(200)
    for step in Step:
        small_dock.open_step(step)
        qtbot.wait(50)
        assert _cut_off(small_dock) == [], step


def test_in_fifteen_points_the_steps_are_compact_so_that_they_need_no_scrolling(small_dock, font_size, qtbot):
    assert small_dock.review.hint.isVisibleTo(small_dock.review)
    _show_a_lesson(small_dock, is_running=False)
    font_size(15)
    qtbot.waitUntil(lambda: not small_dock.review.hint.isVisibleTo(small_dock.review), timeout=3000)
    for step in Step:
        small_dock.open_step(step)
        bar = small_dock.page().verticalScrollBar()
        qtbot.waitUntil(lambda bar=bar: bar.maximum() == 0, timeout=3000)


def test_a_low_window_makes_the_panel_no_wider(small_dock, viewer, qtbot):
    small_dock.open_step(Step.CORRECT)
    viewer.window.resize(1100, 560)
    qtbot.waitUntil(lambda: not small_dock.correct.hint.isVisible(), timeout=3000)  # it is compact
    qtbot.wait(200)
    assert small_dock.width() <= WIDEST_PX
    assert _cut_off(small_dock) == []


def test_a_lesson_needs_no_scrolling_in_a_small_window(small_dock, qtbot):
    small_dock.open_step(Step.LEARN)
    bar = small_dock.page().verticalScrollBar()
    for is_running in (False, True):
        _show_a_lesson(small_dock, is_running)
        qtbot.wait(50)
        assert bar.maximum() == 0


def _show_a_lesson(dock, is_running: bool) -> None:
    model = taught_model("quick-1")
    notes = ("Learns from 10,037 pixels of ink and 22,731 of papyrus in 9 groups of strokes.",)
    status = TeachingStatus(rows=(model,), in_use="quick-1", notes=notes, outcome=(model.in_words,) * 2)
    if is_running:
        status = replace(status, progress="Step", done=60, total=180, losses=((30, 1.2), (60, 0.8)), outcome=())
    dock.session.store.update(teaching=status)


def test_nothing_moves_when_a_message_comes_or_work_begins(small_dock, qtbot):
    dock, store = small_dock, small_dock.session.store
    for step in (*Step, *Step):  # twice: a step is laid out for the first time when it opens
        dock.open_step(step)
        qtbot.wait(50)
    for step in Step:
        dock.open_step(step)
        before = _places(dock)
        store.notify("A sentence that is so long that it needs three lines of the panel. " * 2, step)
        store.update(busy="Reading a file…")
        settle()
        store.update(busy="")
        assert _places(dock) == before, step
        store.succeed(step)


def _places(dock: QWidget) -> dict[QWidget, tuple[int, int]]:
    """Return the place of all buttons that are visible."""
    settle()
    buttons = [one for one in dock.findChildren(QPushButton) + dock.findChildren(QToolButton) if one.isVisible()]
    shown = [one for one in buttons if one.objectName() != "inkFlat"]  # those of the status area come and go
    corners = ((one, one.mapTo(dock, one.rect().topLeft())) for one in shown)
    return {one: (corner.x(), corner.y()) for one, corner in corners}
