"""Review section: current region, queue, progress, notes and statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_ink.gui.models.state import InkState, time_left
from napari_ink.gui.models.status import ReviewStatus
from napari_ink.gui.views.section import Section, row
from napari_ink.gui.views.step_panel import button, paragraph, show_text
from napari_ink.gui.views.widgets import Progress

if TYPE_CHECKING:
    from napari_ink.annotation import Note

_LIST_PX = 90
_HINT = "Review the regions one by one, the most uncertain first, and mark the state of each."


class NoteList(QListWidget):
    """List that emits `delete_pressed` when Delete or Backspace is pressed."""

    delete_pressed = Signal()

    def keyPressEvent(self, e: QKeyEvent | None) -> None:  # noqa: N802
        """Emit for Delete and Backspace; other keys move through the list."""
        if e is not None and e.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(e)


class ReviewSection(Section):
    """Section to step through the regions.

    Emits `note_chosen` and `note_removed` with a note, `statistics_requested` and `cancel_requested`.
    """

    note_chosen = Signal(object)
    note_removed = Signal(object)
    statistics_requested = Signal()
    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__("Review")
        self._notes: tuple[Note, ...] = ()
        self.progress = Progress()
        self.progress.setFormat("%v of %m regions reviewed")
        self.region, self.left, self.statistics = paragraph(), paragraph(), paragraph()
        self.cancel_button = button("Cancel", "Stop ranking the regions")
        self.statistics_button = button(
            "Statistics", "Compute the ink area, the reviewed regions and the agreement with the prediction"
        )
        self.notes = NoteList()
        self.notes.setMaximumHeight(_LIST_PX)
        self.notes.setToolTip("Click a note to go to its place; Delete removes it")
        self.notes.itemClicked.connect(lambda item: self.note_chosen.emit(item.data(Qt.ItemDataRole.UserRole)))
        self.notes.delete_pressed.connect(self._on_remove)
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.statistics_button.clicked.connect(self.statistics_requested)
        self.rows.addWidget(paragraph(_HINT))
        self.rows.addLayout(
            row(self.action_button("previous_region", "Back"), self.action_button("next_region", "Next"))
        )
        self.rows.addLayout(row(self.action_button("reviewed", "Reviewed"), self.action_button("flagged", "Flag")))
        self.rows.addLayout(
            row(self.action_button("in_progress", "In progress"), self.action_button("unreviewed", "Unreviewed"))
        )
        for widget in (self.region, self.progress, self.left, self.cancel_button):
            self.rows.addWidget(widget)
        self.rows.addLayout(row(self.action_button("note", "Note"), self.statistics_button))
        self.rows.addWidget(self.notes)
        self.rows.addWidget(self.statistics)

    def show_state(self, state: InkState) -> None:
        """Show the progress of the review."""
        status = state.review
        self.progress.show_progress(status.reviewed, max(status.regions, 1))
        show_text(self.region, status.region)
        show_text(self.left, _left(status))
        show_text(self.statistics, status.statistics)
        self.cancel_button.setVisible(bool(status.busy))
        for name, one in self.buttons.items():
            # Moving between regions changes nothing, so it works on read-only labels too.
            one.setEnabled(not status.busy and (name.endswith("region") or not state.storage.held_by))
        self.notes.setVisible(bool(status.notes))
        # Rebuilt only if the notes have changed, so that the selected one stays selected.
        if status.notes != self._notes:
            self._notes = status.notes
            self.notes.clear()
            for note in status.notes:
                item = QListWidgetItem(f"{note.text} ({note.author}, {note.at[:10]})")
                item.setData(Qt.ItemDataRole.UserRole, note)
                self.notes.addItem(item)

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
