"""Step Learn: teach a quick or a deep model from the corrections, and choose among the taught models."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFileDialog, QLabel

from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.status import TeachingStatus
from napari_ink.gui.models.words import left_text
from napari_ink.gui.preferences import shown_key
from napari_ink.gui.views.lesson_plot import ExamplesSection, LessonPlot
from napari_ink.gui.views.models_section import ModelList
from napari_ink.gui.views.section import row
from napari_ink.gui.views.step_panel import Lines, StepPanel, button, paragraph, show_text

_HINT = "Teach a model from a few strokes or from reviewed regions, or adapt it without any."
_LIVE_TIP = (
    "After each stroke, predict the visible region again with a quick model of all strokes so far. "
    "It has a yellow layer of its own, “live ink”, and changes neither labels nor predictions"
)
_ADAPT_TIP = (
    "Without any strokes: train the chosen model further on what it is surest of in this segment. It takes some "
    "minutes, and where its map shows no writing it learns its own mistakes"
)
_INTERRUPTED = (
    "A lesson was interrupted; Learn continues it while labels, projects, start model and minutes are the same."
)
_LONGEST_MINUTES = 600.0
_STATUS_LINES, _OUTCOME_LINES = 2, 4


class LearnPanel(StepPanel):
    """Panel of the step Learn.

    Emits `learn_requested` with the minutes, `adapt_requested`, `cancel_requested`, `pause_requested`,
    `continue_requested`, `live_requested` with on or off, `predict_requested` with the key of a taught model,
    `project_added` with the folder of another project, and `projects_cleared`.
    """

    learn_requested = Signal(float)
    adapt_requested = Signal()
    cancel_requested = Signal()
    pause_requested = Signal()
    continue_requested = Signal()
    project_added = Signal(object)
    projects_cleared = Signal()
    live_requested = Signal(bool)
    predict_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__(Step.LEARN, _HINT)
        key = shown_key("live")
        self.live_button = button(f"Live  ({key})" if key else "Live", _LIVE_TIP)
        self.live_button.setCheckable(True)
        # Without the focus on the button, keys continue to go to the canvas.
        self.live_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.minutes_box = QDoubleSpinBox()
        self.learn_button = button("Learn", "Teach a quick model, and for these minutes a deep one")
        self.adapt_button = button("Adapt", _ADAPT_TIP)
        self.cancel_button = button("Cancel", "Stop after the current step; Learn and Adapt continue from there")
        self.pause_button = button("Pause", "Wait after the current step; predictions can run meanwhile")
        self.add_button = button("Add project…", "Learn from the labels of another project, too")
        self.clear_button = button("This one only", "Learn from the open project only")
        self.others_text = paragraph()
        self.plot, self.examples = LessonPlot(), ExamplesSection()
        self.predict_button = button("Predict with it", "Predict with the model in use, the visible region first")
        self.models = ModelList()
        self.live_text, self.status, self.outcome = Lines(1), Lines(_STATUS_LINES), Lines(_OUTCOME_LINES)
        self._lay_out()
        self._connect()
        self._in_use, self._is_paused = "", False

    def show_state(self, state: InkState) -> None:
        """Show the progress of teaching, the live mode, and the taught models."""
        super().show_state(state)
        status = state.teaching
        self._in_use, self._is_paused = status.in_use, status.paused
        why_not = "" if status.is_running else state.why_no_learning
        self.live_button.setChecked(state.live.is_on)
        self.live_text.show_text(state.live.text)
        # Disabled instead of hidden, so that nothing moves when a lesson begins or ends.
        for widget in (self.minutes_box, self.add_button):
            widget.setEnabled(not status.is_running)
        self.learn_button.setEnabled(not why_not and not state.busy and not status.is_running)
        can_adapt = state.stack is not None and not state.why_no_adapting
        self.adapt_button.setEnabled(can_adapt and not state.busy and not status.is_running)
        for widget in (self.cancel_button, self.pause_button):
            widget.setEnabled(status.is_running and not status.cancelling)
        self._show_others(status)
        self.pause_button.setText("Resume" if status.paused else "Pause")
        self.plot.show_status(status)
        self.examples.show_status(status)
        self.status.show_text(_progress_text(status) or why_not or (_INTERRUPTED if status.interrupted else ""))
        # While the plot is shown, it takes the place of the sentences.
        show_text(self.outcome, "" if self.plot.is_needed(status) else " ".join((*status.outcome, *status.notes)))
        is_free = status.paused or not status.is_running
        self.predict_button.setEnabled(bool(status.in_use) and is_free and state.run is None and not state.busy)
        self.models.show_state(state)

    def set_compact(self, is_compact: bool) -> None:
        """Fold what is rarely done with a model, or show all of it."""
        super().set_compact(is_compact)
        self.models.set_compact(is_compact)
        self.status.set_count(1 if is_compact else _STATUS_LINES)
        self.outcome.set_count(_OUTCOME_LINES - 1 if is_compact else _OUTCOME_LINES)

    def _lay_out(self) -> None:
        self.minutes_box.setRange(0, _LONGEST_MINUTES)
        self.minutes_box.setDecimals(0)
        self.minutes_box.setValue(3)
        self.minutes_box.setSuffix(" min")
        self.minutes_box.setSpecialValueText("none")
        self.minutes_box.setToolTip("Time for the deep model; with 0, only the quick one is made, which takes seconds")
        self.rows.addLayout(row(self.live_button, self.predict_button))
        self.rows.addWidget(self.live_text)
        self.rows.addLayout(row(QLabel("Deep model"), self.minutes_box, self.add_button))
        self.rows.addLayout(row(self.learn_button, self.adapt_button, self.pause_button, self.cancel_button))
        # What comes and goes is below all buttons, so that it moves none.
        self.rows.addWidget(self.status)
        self.rows.addWidget(self.models)
        others = row(self.others_text, self.clear_button)
        others.setStretch(0, 1)
        self.rows.addLayout(others)
        for widget in (self.plot, self.examples, self.outcome):
            self.rows.addWidget(widget)

    def _show_others(self, status: TeachingStatus) -> None:
        self.clear_button.setVisible(bool(status.others) and not status.is_running)
        names = ", ".join(folder.name for folder in status.others)
        show_text(self.others_text, f"Learns from {names}, too." if names else "")

    def _connect(self) -> None:
        self.live_button.clicked.connect(self.live_requested)
        self.learn_button.clicked.connect(lambda: self.learn_requested.emit(self.minutes_box.value()))
        self.adapt_button.clicked.connect(self.adapt_requested)
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.pause_button.clicked.connect(self._on_pause)
        self.add_button.clicked.connect(self._on_add)
        self.clear_button.clicked.connect(self.projects_cleared)
        self.predict_button.clicked.connect(lambda: self.predict_requested.emit(self._in_use))

    def _on_pause(self) -> None:
        (self.continue_requested if self._is_paused else self.pause_requested).emit()

    def _on_add(self) -> None:
        if chosen := QFileDialog.getExistingDirectory(self, "Project to learn from, a folder that ends in .ink"):
            self.project_added.emit(Path(chosen))


def _progress_text(status: TeachingStatus) -> str:
    if status.cancelling:
        return "Stopping after this step…"
    if not status.total:
        return f"Paused: {status.progress}" if status.paused else status.progress
    if status.paused:
        return f"Paused at step {status.done} of {status.total}; it can also be continued after closing"
    left = left_text(status.seconds_left)
    return f"{status.progress} {status.done} of {status.total}{left}"
