"""Projection: several depth layers combined into one picture, computed for the visible region first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import QObject, Signal
from superqt.utils import QSignalDebouncer

from napari_ink.gui.layers.lazy_levels import TiledSource
from napari_ink.gui.layers.reading_errors import ReadingErrors
from napari_ink.gui.layers.stack_layer import errors_of
from napari_ink.gui.models.status import ProjectionStatus
from napari_ink.stack import How, projected_levels

if TYPE_CHECKING:
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.stack import DepthStack

_AROUND = 4
_SETTLE_MS = 200
_KEY = "projection"


class ProjectionController(QObject):
    """Controller that shows a projection of the stack as a layer above it.

    Parameters
    ----------
    layers
        Layers of the viewer.

    Attributes
    ----------
    status : ProjectionStatus
        Settings of the projection, and whether it is shown.
    """

    changed = Signal()

    def __init__(self, layers: LayerManager, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layers = layers
        self.status = ProjectionStatus()
        self._stack: DepthStack | None = None
        self._source: TiledSource | None = None
        self._settled = QSignalDebouncer(parent=self)
        self._settled.setTimeout(_SETTLE_MS)
        self._settled.triggered.connect(self._show)
        layers.gone.connect(self._on_gone)

    def begin(self, stack: DepthStack) -> None:
        """Switch to another stack, with the layers around its surface."""
        self._close()
        self._stack = stack
        first, last = max(stack.surface_z - _AROUND, 0), min(stack.surface_z + _AROUND, stack.shape[0] - 1)
        self._set_status(replace(self.status, first=first, last=last, layers=stack.shape[0], is_shown=False))

    def toggle(self) -> None:
        """Show the projection, or hide it if it is shown."""
        if self.status.is_shown:
            self._close()
            self._layers.remove_auxiliary(_KEY)
            self._set_status(replace(self.status, is_shown=False))
        elif self._stack is not None:
            self._set_status(replace(self.status, is_shown=True))
            self._show()

    def choose(self, how: How, first: int, last: int) -> None:
        """Set the projection and its layers, `last` included; shown a moment after the last change."""
        self._set_status(replace(self.status, how=how, first=first, last=last))
        if self.status.is_shown:
            self._settled.throttle()

    def release(self) -> None:
        """Stop reading tiles."""
        self._close()

    def _show(self) -> None:
        shown = self._layers.stack_layer
        if self._stack is None or shown is None or not self.status.is_shown:
            return
        window, before = slice(self.status.first, self.status.last + 1), self._source
        limits = (float(shown.contrast_limits[0]), float(shown.contrast_limits[1]))
        source = self._source = TiledSource(
            projected_levels(self._stack, window, self.status.how, limits),
            self._stack.dtype,
            errors_of(shown) or ReadingErrors(),
            self._stack.by_layer,
        )
        layer = self._layers.auxiliary(_KEY)
        if layer is None:
            layer = Image(
                source.planes(), name="Projection", colormap="gray", contrast_limits=limits, multiscale=True, rgb=False
            )
            source.attach(layer)
            self._layers.show_auxiliary(_KEY, layer, on_stack=True)
        else:
            source.attach(layer)
            layer.data = source.planes()
        # Only now: the layer may still draw from the previous source until its data is replaced.
        if before is not None:
            before.close()

    def _on_gone(self) -> None:
        """Update the status if the user has removed the layer from the list."""
        if self.status.is_shown and self._layers.auxiliary(_KEY) is None:
            self._close()
            self._set_status(replace(self.status, is_shown=False))

    def _close(self) -> None:
        self._settled.cancel()
        if self._source is not None:
            self._source.close()
            self._source = None

    def _set_status(self, status: ProjectionStatus) -> None:
        self.status = status
        self.changed.emit()
