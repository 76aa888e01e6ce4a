"""A progress bar that is painted together with the rest of the window."""

from __future__ import annotations

from qtpy.QtWidgets import QProgressBar


class Progress(QProgressBar):
    """Shows how far something is.

    Qt's own paints itself at once with each new value. Beside a canvas of OpenGL that costs a whole frame of the
    window, which is then painted a second time a moment later.
    """

    def show_progress(self, done: int, total: int) -> None:
        """Show so many of a total; a total of 0 says that nobody knows yet."""
        if (done, total) == (self.value(), self.maximum()):
            return
        self.setUpdatesEnabled(False)
        self.setRange(0, total)
        self.setValue(done)
        self.setUpdatesEnabled(True)
