"""Changes that napari-ink makes to napari's layer list, marked so that they differ from changes by the user."""

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

    Layers are compared with `==`, because the viewer that napari passes to a plugin wraps a layer at each access.

    Parameters
    ----------
    viewer
        Viewer whose layer list is changed.

    Attributes
    ----------
    is_own_change : bool
        Whether the current change of the layer list is made by napari-ink.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.is_own_change = False

    def add(self, layer: Layer) -> None:
        """Add a layer on top, and select it, as napari does."""
        with self.own_change():
            self._viewer.add_layer(layer)

    def remove(self, layers: Iterable[Layer]) -> None:
        """Remove those of the layers that are in the list."""
        with self.own_change():
            for layer in layers:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)

    def raise_all(self, layers: Iterable[Layer | None]) -> None:
        """Move those of the layers that are in the list to the top, the last one topmost."""
        for layer in layers:
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.move(self._viewer.layers.index(layer), len(self._viewer.layers))

    def move_above(self, layer: Layer, below: Layer | None) -> None:
        """Move a layer to the place right above another, if both are in the list."""
        layers = self._viewer.layers
        if below is not None and layer in layers:
            layers.move(layers.index(layer), layers.index(below) + 1)

    @contextmanager
    def own_change(self) -> Iterator[None]:
        """Mark layers that are added or removed inside the block as changes by napari-ink."""
        # The former value is restored, since blocks nest: `LayerManager.take_over` removes layers inside one.
        before, self.is_own_change = self.is_own_change, True
        try:
            yield
        finally:
            self.is_own_change = before


# Long enough for the canvas to draw in between: the first draw of a layer takes as long as adding it.
_TURN_MS = 30


class TaskQueue(QObject):
    """Queue that runs one task per turn of the event loop, since adding a layer to napari is slow."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._tasks: deque[Callable[[], None]] = deque()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TURN_MS)
        self._timer.timeout.connect(self._on_turn)

    def add(self, *tasks: Callable[[], None]) -> None:
        """Append tasks to the queue."""
        self._tasks.extend(tasks)
        self._timer.start()

    def clear(self) -> None:
        """Drop all waiting tasks and run no new ones, because the window is closed."""
        self._timer.timeout.disconnect(self._on_turn)
        self._tasks.clear()

    def _on_turn(self) -> None:
        if self._tasks:
            self._timer.start()
            self._tasks.popleft()()
