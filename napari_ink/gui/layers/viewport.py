"""Visible part of a stack: the region in view, the depth layer, and its grey values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QMainWindow, QWidget
from superqt.utils import QSignalDebouncer

from napari_ink.region import Region

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
        Viewer whose camera is followed.
    dock
        Widget in the window of the viewer.
    stack
        Function that returns the current stack, or None.

    Attributes
    ----------
    settled
        Signal, emitted once the view has stopped moving or zooming.
    turned
        Signal, emitted when the displayed axes or their number change.
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
        """Whether the view is 2-D with rows downwards and columns to the right, without swapped axes."""
        dims = self._viewer.dims
        return dims.ndisplay == 2 and tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)

    def make_plain(self) -> None:
        """Show rows and columns again, in 2-D."""
        dims = self._viewer.dims
        dims.ndisplay = 2
        dims.order = tuple(range(dims.ndim))

    def visible_region(self) -> Region | None:
        """Return the visible part of the stack; None if no part is visible."""
        stack, size = self._stack(), canvas_size(self._dock)
        if stack is None or size is None:
            return None
        camera, dims = camera_of(self._viewer), self._viewer.dims
        # Axes that run down and across the canvas, counted from the end: a stack has the axes depth, y and x, but other
        # layers may add more in front. In a plain view they are -2 and -1; if the depth is one of them, no region is
        # visible as a whole.
        axes = [axis - dims.ndim for axis in dims.displayed][-2:]
        if sorted(axes) != [-2, -1]:
            return None
        seen = dict(zip(axes, zip(camera.center[-2:], size, strict=True), strict=True))
        ranges = []
        for axis in (-2, -1):
            (middle, pixels), length = seen[axis], stack.shape[axis]
            # The camera looks at the middle of the canvas, and its zoom is in screen pixels per pixel of the stack.
            half = pixels / 2 / camera.zoom
            ranges += [max(math.floor(middle - half), 0), min(math.ceil(middle + half) + 1, length)]
        y0, y1, x0, x1 = ranges
        return Region(y0, y1, x0, x1) if y1 - y0 > 1 and x1 - x0 > 1 else None

    def has_mouse(self) -> bool:
        """Whether the mouse is over the picture, and not over a panel."""
        canvas = canvas_of(self._dock)
        return canvas is not None and canvas.underMouse()

    def zoom(self) -> float:
        """Return the number of screen pixels per pixel of the stack."""
        return float(camera_of(self._viewer).zoom)

    def image(self, part: Region) -> npt.NDArray[np.float32]:
        """Return the grey values ``(y, x)`` of the current depth layer in a part of the segment."""
        stack = self._stack()
        if stack is None:
            return np.zeros(part.shape, np.float32)
        z = self.current_z()
        grey = stack.read(slice(z, z + 1), *part.slices)[0]
        return grey.astype(np.float32)

    def current_z(self) -> int:
        """Return the index of the current depth layer."""
        stack = self._stack()
        last = 0 if stack is None else stack.shape[0] - 1
        return min(max(int(self._viewer.dims.point[0]), 0), last)

    def release(self) -> None:
        """Disconnect from the signals of the viewer."""
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
    """Return the camera of a viewer, which holds the center of the view and its zoom."""
    # Since napari 0.9 the camera belongs to the scene.
    return (viewer.scene if hasattr(viewer, "scene") else viewer).camera


def canvas_size(dock: QWidget) -> tuple[int, int] | None:
    """Return height and width of the canvas in the window of a dock; None before the dock is in a window.

    napari's camera knows the center of the view, but not the size of the canvas.
    """
    canvas = canvas_of(dock)
    return None if canvas is None else (canvas.height(), canvas.width())


def canvas_of(dock: QWidget) -> QWidget | None:
    """Return the canvas in the window of a dock; None before the dock is in a window."""
    window: QWidget | None = dock
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parentWidget()
    children = [] if window is None else window.findChildren(QWidget)
    return next((child for child in children if child.inherits(_CANVAS)), None)
