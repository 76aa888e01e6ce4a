"""Event filter that opens a segment that is dropped on napari's picture in the panel, on a thread.

napari opens what is dropped on the GUI thread: headers, a sample for the contrast, and the first depth layer. The
window would not respond until all of them are read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QWidget

# Shift opens several files as one layer, and Alt asks for a reader: both stay napari's.
_FOR_NAPARI = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier


class DropFilter(QObject):
    """Event filter of the widget around the canvas, on which files are dropped.

    Signals: `dropped` with the path of a segment; everything else is left to napari.

    Parameters
    ----------
    is_ours
        Function that returns whether a path is a segment.
    """

    dropped = Signal(object)

    def __init__(self, parent: QObject, is_ours: Callable[[Path], bool]) -> None:
        super().__init__(parent)
        self._is_ours = is_ours

    def watch(self, canvas: QWidget | None) -> None:
        """Watch the widget around a canvas that accepts drops; watching it twice changes nothing."""
        # The widget is not kept, because napari checks that nothing holds it once its window is closed.
        target = canvas
        while target is not None and not target.acceptDrops():
            target = target.parentWidget()
        if target is not None:
            target.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Take over the drop of one segment."""
        if not isinstance(event, QDropEvent) or event.type() != QEvent.Type.Drop:
            return False
        mime = event.mimeData()
        urls = [] if mime is None else mime.urls()
        if len(urls) != 1 or not urls[0].isLocalFile() or event.modifiers() & _FOR_NAPARI:
            return False
        path = Path(urls[0].toLocalFile())
        if not self._is_ours(path):
            return False
        event.acceptProposedAction()
        self.dropped.emit(path)
        return True
