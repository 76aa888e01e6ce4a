"""Find similar: box a stroke, and go through what looks like it."""

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
_HINT = "Box a stroke or a letter; accepted matches become ink, and only what they cover."


class SimilarSection(Section):
    """Search and decide; emits `candidate_chosen` with an index, and `cancel_requested`."""

    candidate_chosen = Signal(int)
    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__("Find similar")
        self._shown: tuple[Candidate, ...] = ()
        self.progress = Progress()
        self.cancel_button = button("Cancel", "Stop searching, or put the candidates away")
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.status = paragraph()
        self.candidates = QListWidget()
        self.candidates.setViewMode(QListView.ViewMode.IconMode)
        self.candidates.setResizeMode(QListView.ResizeMode.Adjust)
        self.candidates.setMovement(QListView.Movement.Static)
        self.candidates.setIconSize(QSize(_ICON_PX, _ICON_PX))
        self.candidates.setMaximumHeight(_LIST_PX)
        self.candidates.setToolTip("Best first; click one to look at it")
        self.candidates.itemClicked.connect(lambda item: self.candidate_chosen.emit(self.candidates.row(item)))
        self.rows.addWidget(paragraph(_HINT))
        self.rows.addWidget(self.action_button("find_similar", "Box a stroke"))
        for widget in (self.progress, self.candidates, self.status):
            self.rows.addWidget(widget)
        self.rows.addLayout(row(self.action_button("accept", "Accept"), self.action_button("reject", "Reject")))
        self.rows.addWidget(self.cancel_button)

    def show_state(self, state: InkState) -> None:
        """Show how far the search is, or what it found."""
        news = state.similar
        is_busy = news.done is not None and not news.candidates
        self.progress.setVisible(is_busy)
        self.progress.show_progress(round(100 * (news.done or 0)), 100)
        self.cancel_button.setVisible(is_busy or bool(news.candidates))
        self.candidates.setVisible(bool(news.candidates))
        for name in ("accept", "reject"):
            self.buttons[name].setVisible(bool(news.candidates))
        self.buttons["find_similar"].setEnabled(not is_busy and not state.storage.held_by)
        show_text(self.status, _status(news))
        if news.candidates != self._shown:
            self._shown = news.candidates
            self.candidates.clear()
            for candidate in news.candidates:
                self.candidates.addItem(QListWidgetItem(_icon(candidate), f"{candidate.score:.2f}"))
        if news.candidates:
            self.candidates.setCurrentRow(news.current)


def _status(news: SearchStatus) -> str:
    done = f"{news.accepted} accepted, {news.rejected} rejected." if news.accepted or news.rejected else ""
    if news.candidates:
        shown = news.candidates[news.current]
        turned = f"turned {shown.angle:+.0f}°, {shown.scale:.0%} of the size"
        return f"{len(news.candidates)} to decide; this one: {shown.score:.2f}, {turned}. {done}".strip()
    return f"{news.note} {done}".strip()


def _icon(candidate: Candidate) -> QIcon:
    grey = np.ascontiguousarray(candidate.picture)
    image = QImage(grey.tobytes(), grey.shape[1], grey.shape[0], grey.strides[0], QImage.Format.Format_Grayscale8)
    return QIcon(QPixmap.fromImage(image.copy()))  # the copy outlives the array
