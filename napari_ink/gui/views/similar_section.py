"""Candidates of Find similar as a strip of thumbnails, each to be accepted or rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPoint, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QListView, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from napari_ink.gui.models.actions import Tool
from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.status import SearchStatus
from napari_ink.gui.preferences import shown_key
from napari_ink.gui.views.section import action_button, row
from napari_ink.gui.views.step_panel import Lines, button

if TYPE_CHECKING:
    from napari_ink.annotation import Candidate

THUMBNAIL_PX = 96
_BELOW_PX = 34  # the score and the scroll bar
_STATUS_LINES = 2
_HINT = "Drag a box around a stroke or letter. The whole segment is searched for similar ones that are not ink yet."


class SimilarSection(QWidget):
    """Strip of candidates, which takes the place of the notes on the tools while one searches.

    Emits `action_requested` (accept, reject), `candidate_chosen` with an index, and `cancel_requested`.
    """

    action_requested = Signal(str)
    candidate_chosen = Signal(int)
    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Candidate, ...] = ()
        self.buttons: dict[str, QPushButton] = {}
        self.status = Lines(_STATUS_LINES, _HINT)
        self.candidates = QListWidget()
        self.candidates.setFlow(QListView.Flow.LeftToRight)
        self.candidates.setWrapping(False)
        self.candidates.setViewMode(QListView.ViewMode.IconMode)
        self.candidates.setMovement(QListView.Movement.Static)
        self.candidates.setIconSize(QSize(THUMBNAIL_PX, THUMBNAIL_PX))
        self.candidates.setFixedHeight(THUMBNAIL_PX + _BELOW_PX)
        self.candidates.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.candidates.setToolTip(
            "Candidates with their scores, best first. Click: show it. Double click: accept. Right click: reject"
        )
        self.cancel_button = button("Cancel", "Stop the search, discard the candidates, and put the tool away")
        self._lay_out()
        self.candidates.itemClicked.connect(lambda item: self.candidate_chosen.emit(self.candidates.row(item)))
        self.candidates.itemDoubleClicked.connect(lambda item: self._decide(item, "accept"))
        self.candidates.customContextMenuRequested.connect(self._on_right_click)
        self.cancel_button.clicked.connect(self.cancel_requested)

    @staticmethod
    def is_needed(state: InkState) -> bool:
        """Whether the tool is active, a search is running, or candidates are left."""
        status = state.similar
        return state.tool == Tool.FIND_SIMILAR or bool(status.candidates) or status.done is not None

    def show_state(self, state: InkState) -> None:
        """Show the progress of the search, or its candidates."""
        status = state.similar
        for one in self.buttons.values():
            one.setEnabled(bool(status.candidates) and not state.storage.held_by)
        self.status.show_text(_status(status) or _HINT)
        # Icons are costly, so they are made again only for other candidates.
        if status.candidates != self._shown:
            self._shown = status.candidates
            self.candidates.clear()
            for candidate in status.candidates:
                self.candidates.addItem(QListWidgetItem(_icon(candidate), f"{candidate.score:.2f}"))
        if status.candidates:
            self.candidates.setCurrentRow(status.current)
            self.candidates.scrollToItem(self.candidates.currentItem())

    def set_compact(self, is_compact: bool) -> None:
        """Show one line about the search, or two."""
        self.status.set_count(1 if is_compact else _STATUS_LINES)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for name, text in (("accept", "Accept"), ("reject", "Reject")):
            made = self.buttons[name] = action_button(name, text, says_key=False)
            made.setText(f"{text} ({shown_key(name).replace('Shift+', '⇧')})")
            made.clicked.connect(lambda _=False, name=name: self.action_requested.emit(name))
        column.addWidget(self.status)
        column.addWidget(self.candidates)
        column.addLayout(row(*self.buttons.values(), self.cancel_button))
        column.addStretch(1)

    def _on_right_click(self, place: QPoint) -> None:
        self._decide(self.candidates.itemAt(place), "reject")

    def _decide(self, item: QListWidgetItem | None, action: str) -> None:
        if item is not None:
            self.candidate_chosen.emit(self.candidates.row(item))
            self.action_requested.emit(action)


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
    side, keep = QSize(THUMBNAIL_PX, THUMBNAIL_PX), Qt.AspectRatioMode.KeepAspectRatio
    # Scaled up here, since an icon never is; the copy outlives the array.
    return QIcon(QPixmap.fromImage(image.copy().scaled(side, keep, Qt.TransformationMode.SmoothTransformation)))
