"""What of a stack is in sight: where the view is, which depth layer, and its grey values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QMainWindow, QWidget
from superqt.utils import QSignalDebouncer

from napari_ink.gui.models.edit_window import EditWindow

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_ink.stack import DepthStack


_REST_MS = 120


class Viewport(QObject):
    """The view of one viewer.

    Parameters
    ----------
    viewer
        Whose it is.
    dock
        A widget in its window.
    stack
        Returns the stack being worked on, or None.

    Attributes
    ----------
    moved
        Emitted once a view that was dragged or zoomed comes to rest.
    turned
        Emitted when other axes are shown, or more or fewer of them.
    """

    settled = Signal()
    turned = Signal()

    def __init__(self, viewer: Viewer, dock: QWidget, stack: Callable[[], DepthStack | None]) -> None:
        super().__init__(dock)
        self._viewer, self._dock, self._stack = viewer, dock, stack
        self._at_rest = QSignalDebouncer(parent=self)
        self._at_rest.setTimeout(_REST_MS)
        self._at_rest.triggered.connect(self.settled)
        camera_of(viewer).events.center.connect(self._on_camera)
        camera_of(viewer).events.zoom.connect(self._on_camera)
        viewer.dims.events.ndisplay.connect(self._on_turned)
        viewer.dims.events.order.connect(self._on_turned)

    @property
    def is_plain(self) -> bool:
        """Whether rows go down and columns to the right: not in 3-D, and no axes swapped."""
        dims = self._viewer.dims
        return dims.ndisplay == 2 and tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)

    def make_plain(self) -> None:
        """Show rows and columns again, in 2-D."""
        dims = self._viewer.dims
        dims.ndisplay = 2
        dims.order = tuple(range(dims.ndim))

    def visible_region(self) -> EditWindow | None:
        """Return the part of the stack in sight, or None when it is out of sight."""
        stack, size = self._stack(), canvas_size(self._dock)
        if stack is None or size is None:
            return None
        camera, dims = camera_of(self._viewer), self._viewer.dims
        # The axes down and across the picture: -2 and -1, unless they are swapped or the depth is one of them.
        axes = [axis - dims.ndim for axis in dims.displayed][-2:]
        if sorted(axes) != [-2, -1]:
            return None
        seen = dict(zip(axes, zip(camera.center[-2:], size, strict=True), strict=True))
        ranges = []
        for axis in (-2, -1):
            (middle, pixels), length = seen[axis], stack.shape[axis]
            half = pixels / 2 / camera.zoom
            ranges += [max(math.floor(middle - half), 0), min(math.ceil(middle + half) + 1, length)]
        y0, y1, x0, x1 = ranges
        return EditWindow(y0, y1, x0, x1) if y1 - y0 > 1 and x1 - x0 > 1 else None

    def zoom(self) -> float:
        """Return how many pixels of the screen one of the stack takes."""
        return float(camera_of(self._viewer).zoom)

    def image(self, part: EditWindow) -> npt.NDArray[np.float32]:
        """Return the grey values ``(y, x)`` of the depth layer in sight."""
        stack = self._stack()
        if stack is None:
            return np.zeros(part.shape, np.float32)
        z = self.current_z()
        grey = stack.read(slice(z, z + 1), slice(part.y0, part.y1), slice(part.x0, part.x1))[0]
        return grey.astype(np.float32)

    def current_z(self) -> int:
        """Return the depth layer in sight."""
        stack = self._stack()
        last = 0 if stack is None else stack.shape[0] - 1
        return min(max(int(self._viewer.dims.point[0]), 0), last)

    def release(self) -> None:
        """Let go of the viewer's signals."""
        camera_of(self._viewer).events.center.disconnect(self._on_camera)
        camera_of(self._viewer).events.zoom.disconnect(self._on_camera)
        self._viewer.dims.events.ndisplay.disconnect(self._on_turned)
        self._viewer.dims.events.order.disconnect(self._on_turned)

    def _on_camera(self, *_: object) -> None:
        self._at_rest.throttle()

    def _on_turned(self, *_: object) -> None:
        self.turned.emit()


_CANVAS = "QOpenGLWidget"


def camera_of(viewer: Viewer) -> Any:
    """Return what says where the view is and how much it is enlarged."""
    # Since napari 0.9 it belongs to the scene.
    return (viewer.scene if hasattr(viewer, "scene") else viewer).camera


def canvas_size(dock: QWidget) -> tuple[int, int] | None:
    """Return height and width of the canvas in the window that a dock belongs to; None before it is in one.

    napari tells what its camera looks at, but not how much of it there is room for.
    """
    canvas = canvas_of(dock)
    return None if canvas is None else (canvas.height(), canvas.width())


def canvas_of(dock: QWidget) -> QWidget | None:
    """Return the canvas in the window that a dock belongs to; None before it is in one."""
    window: QWidget | None = dock
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parentWidget()
    children = [] if window is None else window.findChildren(QWidget)
    return next((child for child in children if child.inherits(_CANVAS)), None)
