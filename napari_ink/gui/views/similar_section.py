"""Section to find similar strokes and to review the candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QListView, QListWidget, QListWidgetItem

from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.status import SearchStatus
from napari_ink.gui.views.section import Section, row
from napari_ink.gui.views.step_panel import button, paragraph, show_text
from napari_ink.gui.views.widgets import Progress

if TYPE_CHECKING:
    from napari_ink.annotation import Candidate

_ICON_PX, _LIST_PX = 56, 172
_HINT = "Draw a box around a stroke or a letter. Accepted matches become ink."


class SimilarSection(Section):
    """Section that emits `candidate_chosen` with an index, and `cancel_requested`."""

    candidate_chosen = Signal(int)
    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__("Find similar")
        self._shown: tuple[Candidate, ...] = ()
        self.progress = Progress()
        self.cancel_button = button("Cancel", "Stop the search, or discard the candidates")
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.status = paragraph()
        self.candidates = QListWidget()
        self.candidates.setViewMode(QListView.ViewMode.IconMode)
        self.candidates.setResizeMode(QListView.ResizeMode.Adjust)
        self.candidates.setMovement(QListView.Movement.Static)
        self.candidates.setIconSize(QSize(_ICON_PX, _ICON_PX))
        self.candidates.setMaximumHeight(_LIST_PX)
        self.candidates.setToolTip("Candidates, best first; click one to see it on the segment")
        self.candidates.itemClicked.connect(lambda item: self.candidate_chosen.emit(self.candidates.row(item)))
        self.rows.addWidget(paragraph(_HINT))
        self.rows.addWidget(self.action_button("find_similar", "Draw a box"))
        for widget in (self.progress, self.candidates, self.status):
            self.rows.addWidget(widget)
        self.rows.addLayout(row(self.action_button("accept", "Accept"), self.action_button("reject", "Reject")))
        self.rows.addWidget(self.cancel_button)

    def show_state(self, state: InkState) -> None:
        """Show the progress of the search, or its candidates."""
        status = state.similar
        is_busy = status.done is not None and not status.candidates
        self.progress.setVisible(is_busy)
        self.progress.show_progress(round(100 * (status.done or 0)), 100)
        self.cancel_button.setVisible(is_busy or bool(status.candidates))
        self.candidates.setVisible(bool(status.candidates))
        for name in ("accept", "reject"):
            self.buttons[name].setVisible(bool(status.candidates))
        self.buttons["find_similar"].setEnabled(not is_busy and not state.storage.held_by)
        show_text(self.status, _status(status))
        # Icons are costly, so they are made again only for other candidates.
        if status.candidates != self._shown:
            self._shown = status.candidates
            self.candidates.clear()
            for candidate in status.candidates:
                self.candidates.addItem(QListWidgetItem(_icon(candidate), f"{candidate.score:.2f}"))
        if status.candidates:
            self.candidates.setCurrentRow(status.current)


def _status(status: SearchStatus) -> str:
    done = f"{status.accepted} accepted, {status.rejected} rejected." if status.accepted or status.rejected else ""
    if status.candidates:
        shown = status.candidates[status.current]
        current = f"score {shown.score:.2f}, rotation {shown.angle:+.0f}°, scale {shown.scale:.0%}"
        return f"{len(status.candidates)} candidates left. Current one: {current}. {done}".strip()
    return f"{status.note} {done}".strip()


def _icon(candidate: Candidate) -> QIcon:
    grey = np.ascontiguousarray(candidate.picture)
    image = QImage(grey.tobytes(), grey.shape[1], grey.shape[0], grey.strides[0], QImage.Format.Format_Grayscale8)
    return QIcon(QPixmap.fromImage(image.copy()))  # the copy outlives the array
