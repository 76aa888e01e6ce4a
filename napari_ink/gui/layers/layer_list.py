"""Changes of napari's list of layers that are ours, so that they are told apart from what the user does to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari.layers import Layer
    from napari.viewer import Viewer


class LayerList:
    """Adds, removes and moves layers of one viewer.

    Layers are compared with `==`: the viewer that napari hands a plugin wraps each layer anew.

    Parameters
    ----------
    viewer
        Whose layers they are.

    Attributes
    ----------
    are_under_way : bool
        Whether what the list of layers tells of right now is our doing.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.are_under_way = False

    def add(self, layer: Layer) -> None:
        """Add a layer on top, and select it, as napari does."""
        with self.under_way():
            self._viewer.add_layer(layer)

    def remove(self, layers: Iterable[Layer]) -> None:
        """Take layers out, as far as they are there."""
        with self.under_way():
            for layer in layers:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)

    def raise_all(self, layers: Iterable[Layer | None]) -> None:
        """Move layers to the top, the last one topmost, as far as they are there."""
        for layer in layers:
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.move(self._viewer.layers.index(layer), len(self._viewer.layers))

    def lay_on(self, layer: Layer, below: Layer | None) -> None:
        """Move a layer down to right above another, if both are there."""
        layers = self._viewer.layers
        if below is not None and layer in layers:
            layers.move(layers.index(layer), layers.index(below) + 1)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count what is added or removed inside as our doing."""
        before, self.are_under_way = self.are_under_way, True
        try:
            yield
        finally:
            self.are_under_way = before


# Long enough for the canvas to be drawn in between: a first draw takes as long as napari takes over a layer.
_TURN_MS = 30


class TaskQueue(QObject):
    """Does one task in each turn of the event loop, in order: napari takes its time over a layer."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._tasks: deque[Callable[[], None]] = deque()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TURN_MS)
        self._timer.timeout.connect(self._on_turn)

    def add(self, *tasks: Callable[[], None]) -> None:
        """Add tasks, to be done after those that wait already."""
        self._tasks.extend(tasks)
        self._timer.start()

    def clear(self) -> None:
        """Forget all tasks that wait, and take no more: there is no window for them."""
        self._timer.timeout.disconnect(self._on_turn)
        self._tasks.clear()

    def _on_turn(self) -> None:
        if self._tasks:
            self._timer.start()
            self._tasks.popleft()()
