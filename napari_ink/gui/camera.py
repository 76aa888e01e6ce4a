"""The camera of a viewer, wherever this version of napari keeps it, and the size of its canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QMainWindow, QWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer

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
