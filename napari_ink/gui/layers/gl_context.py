"""Guard against a napari crash (seen with 0.9.2) when layers are removed while no canvas is current.

napari frees the textures and buffers of a removed layer at once, in whichever OpenGL context happens to be current. If
that is not the context of the canvas, objects with the same numbers are freed in another context, and a later draw
reads freed memory: removing two layers at once and adding two others can end the program. Making the canvas current
beforehand prevents this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow, QWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer


def main_window_of(widget: QWidget) -> QMainWindow | None:
    """Return the main window that a widget belongs to, also while its dock floats; None before it is docked."""
    # A floating dock is a window of its own, so `widget.window()` would return the dock; the parent chain does not.
    above = widget.parentWidget()
    while above is not None and not isinstance(above, QMainWindow):
        above = above.parentWidget()
    return above


def guard_removal(viewer: Viewer, widget: QWidget) -> Callable[[], None]:
    """Make the canvas of a widget's window current whenever a layer is about to be removed.

    Returns
    -------
    callable
        Removes the guard.
    """

    def make_current(_event: object = None) -> None:
        window = main_window_of(widget)
        for canvas in [] if window is None else window.findChildren(QOpenGLWidget):
            canvas.makeCurrent()

    viewer.layers.events.removing.connect(make_current)

    def remove_guard() -> None:
        viewer.layers.events.removing.disconnect(make_current)

    return remove_guard
