"""Errors in reading a stack while it is shown: reported once per stack, not once per tile."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Qt, Signal

from napari_ink.errors import NapariInkError

if TYPE_CHECKING:
    from napari_ink.stack.depth_stack import Grey, ReadBlock


class ReadingErrors(QObject):
    """The errors in reading one stack, from all layers that show it.

    Signals: `failed` with the first error.

    Attributes
    ----------
    first : str
        The first error since the stack was shown; empty if there was none.
    """

    failed = Signal(str)
    _reported = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.first = ""
        self._is_open = True
        # Queued: errors come from the threads that read tiles, or while napari is slicing a layer.
        self._reported.connect(self._on_report, Qt.ConnectionType.QueuedConnection)

    def open(self) -> None:
        """Pass errors on, also after `close`."""
        self._is_open = True

    def close(self) -> None:
        """Forget the error and ignore later ones, because the stack is closed."""
        self._is_open, self.first = False, ""

    def report(self, message: str) -> None:
        """Report an error, from any thread."""
        self._reported.emit(message)

    def black_instead(self, read: ReadBlock, dtype: np.dtype) -> ReadBlock:
        """Return a function that reads blocks, but returns black for a layer of the window that cannot be read.

        Raised inside napari's slicing, the error would break off opening the stack or moving the slider; it is
        reported instead. Only the window reads single layers on the main thread; other readers get the error.
        """

        # Not a method: napari copies the data of a layer that is duplicated, and a QObject cannot be copied.
        def read_block(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
            try:
                return read(z, y, x, step)
            except NapariInkError as error:
                is_for_window = z.stop - z.start == 1 and threading.current_thread() is threading.main_thread()
                if not (self._is_open and is_for_window):
                    raise
                self.report(str(error))
                return np.zeros((1, len(range(y.start, y.stop, step)), len(range(x.start, x.stop, step))), dtype)

        return read_block

    def _on_report(self, message: str) -> None:
        # The panel shows the first error until another stack is opened, so later ones, even if tiles between them
        # could be read, would only bring the same toast again and again.
        if self._is_open and not self.first:
            self.first = message
            show_error(message)
            self.failed.emit(message)
