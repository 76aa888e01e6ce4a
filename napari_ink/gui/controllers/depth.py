"""Navigation through the depth: to the surface, by a number of layers, and between the last two layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from superqt.utils import QSignalDebouncer

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.stack import DepthStack

JUMP = 5
_REST_MS = 500


class DepthController(QObject):
    """Controller of the depth slider.

    Parameters
    ----------
    viewer
        Viewer whose depth slider is moved.
    layers
        Layers of the viewer.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer, layers: LayerManager, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._layers = viewer, layers
        self._stack: DepthStack | None = None
        self._rested: list[int] = []
        self._rest = QSignalDebouncer(parent=self)
        self._rest.setTimeout(_REST_MS)
        self._rest.triggered.connect(self._on_rest)
        viewer.dims.events.current_step.connect(self._on_step)

    def begin(self, stack: DepthStack) -> None:
        """Switch to another stack, at its surface."""
        self._stack = stack
        self._rested = [stack.surface_z]
        self.changed.emit()

    def to_surface(self) -> None:
        """Go to the surface."""
        if self._stack is not None:
            self._go(self._stack.surface_z)

    def jump(self, layers: int) -> None:
        """Move deeper by a number of layers, or up if the number is negative."""
        if self._stack is not None:
            self._go(min(max(self._layers.viewport.current_z() + layers, 0), self._stack.shape[0] - 1))

    def flip(self) -> None:
        """Switch between the current layer and the layer shown before it."""
        # `_rested` is set before the slider moves, since the new layer would count as shown only after a moment.
        here = self._layers.viewport.current_z()
        if others := [z for z in self._rested if z != here]:
            self._rested = [here, others[-1]]
            self._go(others[-1])

    def where(self) -> str:
        """Return a sentence with the current layer and its distance from the surface."""
        if self._stack is None:
            return ""
        z, off = self._layers.viewport.current_z(), self._layers.viewport.current_z() - self._stack.surface_z
        at = "the surface" if off == 0 else f"{off:+d} from the surface"
        size = self._stack.voxel_size_um
        far = f", {off * size:+.1f} µm" if size is not None and off else ""
        return f"Layer {z} of 0–{self._stack.shape[0] - 1}: {at}{far}."

    def release(self) -> None:
        """Disconnect from the viewer."""
        self._rest.cancel()
        self._viewer.dims.events.current_step.disconnect(self._on_step)

    def _go(self, z: int) -> None:
        self._viewer.dims.set_point(0, z)

    def _on_step(self, *_: object) -> None:
        self._rest.throttle()
        self.changed.emit()

    def _on_rest(self) -> None:
        # Only layers where the slider stops count as shown, not those that it passes on the way.
        here = self._layers.viewport.current_z()
        if not self._rested or self._rested[-1] != here:
            self._rested = [*self._rested[-1:], here]
