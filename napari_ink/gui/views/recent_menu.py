"""Menu of the segments and projects that were opened last."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QWidget

from napari_ink.gui.models.segments import segment_name
from napari_ink.gui.preferences import recent_sources
from napari_ink.stack import is_address


class RecentMenu(QMenu):
    """Menu that emits `open_requested` with a path or an address; it is filled each time it opens.

    Parameters
    ----------
    title
        Title of the menu.
    parent
        Widget that owns the menu.
    """

    open_requested = Signal(object)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """List the recent segments; those that are gone are disabled."""
        self.clear()
        for source in recent_sources():
            place = source if is_address(source) else Path(source)
            action = self.addAction(segment_name(source))
            if action is None:
                continue
            action.setToolTip(source)
            action.setEnabled(isinstance(place, str) or place.exists())
            action.triggered.connect(lambda _=False, place=place: self.open_requested.emit(place))
        if self.isEmpty() and (none := self.addAction("None yet")) is not None:
            none.setEnabled(False)
