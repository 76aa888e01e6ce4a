"""Tasks that hold the window one at a time, not all together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

# Long enough for the canvas to be drawn in between: a first draw takes as long as napari takes over a layer.
_TURN_MS = 30


class Turns(QObject):
    """Does one task in each turn of the event loop, in order: napari takes its time over a layer."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._tasks: deque[Callable[[], None]] = deque()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TURN_MS)
        self._timer.timeout.connect(self._on_turn)

    def take(self, *tasks: Callable[[], None]) -> None:
        """Add tasks, to be done after those that wait already."""
        self._tasks.extend(tasks)
        self._timer.start()

    def drop(self) -> None:
        """Forget all tasks that wait, and take no more: there is no window for them."""
        self._timer.timeout.disconnect(self._on_turn)
        self._tasks.clear()

    def _on_turn(self) -> None:
        if self._tasks:
            self._timer.start()
            self._tasks.popleft()()
