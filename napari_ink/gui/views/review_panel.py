"""Step Review: current region, queue, progress, notes and statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QPushButton

from napari_ink.annotation import ReviewState
from napari_ink.gui.models.review_marks import MARKED_STATES
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.status import ReviewStatus
from napari_ink.gui.models.words import time_left
from napari_ink.gui.views.section import action_button, row
from napari_ink.gui.views.step_panel import Lines, StepPanel, button
from napari_ink.gui.views.swatches import Swatches
from napari_ink.gui.views.widgets import Progress

if TYPE_CHECKING:
    from napari_ink.annotation import Note

_LIST_PX = 90
_REGION_LINES, _LEFT_LINES, _STATISTICS_LINES = 4, 3, 4
_NAMES = {
    ReviewState.REVIEWED: "reviewed",
    ReviewState.FLAGGED: "flagged",
    ReviewState.IN_PROGRESS: "in progress",
}
_HINT = "Go through the regions, the most uncertain first, and mark each."


class NoteList(QListWidget):
    """List that emits `delete_pressed` when Delete or Backspace is pressed."""

    delete_pressed = Signal()

    def keyPressEvent(self, e: QKeyEvent | None) -> None:  # noqa: N802
        """Emit for Delete and Backspace; other keys move through the list."""
        if e is not None and e.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(e)


class ReviewPanel(StepPanel):
    """Panel of the step Review.

    Emits `action_requested` with the name of an action, `note_chosen` and `note_removed` with a note,
    `statistics_requested` and `cancel_requested`.
    """

    action_requested = Signal(str)
    note_chosen = Signal(object)
    note_removed = Signal(object)
    statistics_requested = Signal()
    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__(Step.REVIEW, _HINT)
        self._notes: tuple[Note, ...] = ()
        self.buttons: dict[str, QPushButton] = {}
        self.progress = Progress()
        self.progress.setFormat("%v of %m regions reviewed")
        self.region, self.left, self.statistics = Lines(_REGION_LINES), Lines(_LEFT_LINES), Lines(_STATISTICS_LINES)
        self.marks = Swatches((state, _NAMES[state]) for state in MARKED_STATES)
        self.marks.setToolTip("How regions are marked in the picture. The yellow outline is the current region")
        self.cancel_button = button("Cancel", "Stop ranking the regions")
        self.statistics_button = button(
            "Statistics", "Compute the ink area, the reviewed regions and the agreement with the prediction"
        )
        self.notes = NoteList()
        self.notes.setFixedHeight(_LIST_PX)
        self.notes.setToolTip("Click a note to go to its place; Delete removes it")
        self._lay_out()
        self.notes.itemClicked.connect(lambda item: self.note_chosen.emit(item.data(Qt.ItemDataRole.UserRole)))
        self.notes.delete_pressed.connect(self._on_remove)
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.statistics_button.clicked.connect(self.statistics_requested)

    def show_state(self, state: InkState) -> None:
        """Show the progress of the review."""
        super().show_state(state)
        status = state.review
        self.progress.show_progress(status.reviewed, max(status.regions, 1))
        self.region.show_text(status.region)
        self.left.show_text(_left(status))
        self.statistics.show_text(status.statistics)
        self.cancel_button.setEnabled(bool(status.busy))
        for name, one in self.buttons.items():
            # Moving between regions changes nothing, so it works on read-only labels too.
            one.setEnabled(not status.busy and (name.endswith("region") or not state.storage.held_by))
        # Rebuilt only if the notes have changed, so that the selected one stays selected.
        if status.notes != self._notes:
            self._notes = status.notes
            self.notes.clear()
            for note in status.notes:
                item = QListWidgetItem(f"{note.text} ({note.author}, {note.at[:10]})")
                item.setData(Qt.ItemDataRole.UserRole, note)
                self.notes.addItem(item)

    def set_compact(self, is_compact: bool) -> None:
        """Show fewer lines and notes, or all of them."""
        super().set_compact(is_compact)
        less = 1 if is_compact else 0
        self.region.set_count(_REGION_LINES - less)
        self.left.set_count(_LEFT_LINES - less)
        self.statistics.set_count(_STATISTICS_LINES - 2 * less)
        self.notes.setFixedHeight(_LIST_PX // 2 if is_compact else _LIST_PX)

    def _lay_out(self) -> None:
        pairs = (
            (("previous_region", "Back"), ("next_region", "Next")),
            (("reviewed", "Reviewed"), ("flagged", "Flag")),
            (("in_progress", "In progress"), ("unreviewed", "Unreviewed")),
        )
        for pair in pairs:
            self.rows.addLayout(row(*(self._action(name, text) for name, text in pair)))
        for widget in (self.region, self.progress, self.marks, self.left):
            self.rows.addWidget(widget)
        self.rows.addLayout(row(self._action("note", "Note"), self.statistics_button, self.cancel_button))
        self.rows.addWidget(self.notes)
        self.rows.addWidget(self.statistics)

    def _action(self, name: str, text: str) -> QPushButton:
        made = self.buttons[name] = action_button(name, text)
        made.clicked.connect(lambda: self.action_requested.emit(name))
        return made

    def _on_remove(self) -> None:
        if (item := self.notes.currentItem()) is not None:
            self.note_removed.emit(item.data(Qt.ItemDataRole.UserRole))


def _left(status: ReviewStatus) -> str:
    if status.busy:
        return status.busy
    texts = (
        [f"{status.flagged} flagged, {status.in_progress} in progress."] if status.flagged or status.in_progress else []
    )
    if status.queued:
        time = "" if status.seconds_left is None else f", {time_left(status.seconds_left)} at your pace"
        texts.append(f"{status.queued} in the queue{time}.")
    return " ".join((*texts, status.note)).strip()
