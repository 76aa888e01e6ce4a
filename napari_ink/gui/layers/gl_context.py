"""A guard against a crash of napari (seen with 0.9.2): layers taken away while no canvas is current.

napari frees the textures and buffers of a removed layer at once, in whichever OpenGL context happens to be current. If
that is not the canvas's own, objects of that number die elsewhere, and a later drawing reads freed memory: two layers
removed in one go and two others added end the whole program. With the canvas made current beforehand, it is sound.
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
    above = widget.parentWidget()
    while above is not None and not isinstance(above, QMainWindow):
        above = above.parentWidget()
    return above


def guard_removal(viewer: Viewer, widget: QWidget) -> Callable[[], None]:
    """Make the canvas of a widget's window current whenever a layer is about to be removed.

    Returns
    -------
    callable
        Takes the guard away again.
    """

    def make_current(_event: object = None) -> None:
        window = main_window_of(widget)
        for canvas in [] if window is None else window.findChildren(QOpenGLWidget):
            canvas.makeCurrent()

    viewer.layers.events.removing.connect(make_current)

    def take_away() -> None:
        viewer.layers.events.removing.disconnect(make_current)

    return take_away
