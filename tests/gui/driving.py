"""Helpers of window tests that are no fixtures: the mouse on the canvas, and the progress of a run."""

from pathlib import Path

import numpy as np
import tifffile
from qtpy.QtCore import QPointF
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_ink.gui.dock import InkDock
from napari_ink.gui.views import StepPanel


def settle() -> None:
    """Let the panel show the state, which it does once a turn of the event loop."""
    for _ in range(3):
        QApplication.processEvents()


def bring_up(widget: QWidget) -> None:
    """Open the step of the panel that a widget belongs to, if it belongs to one."""
    step, above = None, widget
    while above is not None and not isinstance(above, InkDock):
        step = above.step if isinstance(above, StepPanel) else step
        above = above.parentWidget()
    if above is not None and step is not None:
        above.open_step(step)


def is_over(dock) -> bool:
    """Whether a run has ended."""
    return dock.session.state.run is None and bool(dock.session.state.outcome)


def tiles_done(dock) -> int:
    """Return the number of finished tiles of the run."""
    run = dock.session.state.run
    return 0 if run is None else run.done


def on_canvas(viewer, canvas, place: tuple[float, float]) -> QPointF:
    """Return the canvas position of a position in segment pixels (y, x)."""
    (cy, cx), zoom = viewer.scene.camera.center[-2:], viewer.scene.camera.zoom
    return QPointF(canvas.width() / 2 + (place[1] - cx) * zoom, canvas.height() / 2 + (place[0] - cy) * zoom)


def send(canvas, kind, point: QPointF, button, buttons, keys) -> None:
    """Send a mouse event to the canvas."""
    where = canvas.mapToGlobal(point)
    event = QMouseEvent(kind, point, where, button, buttons, keys)
    QApplication.sendEvent(canvas, event)
    QApplication.processEvents()


def damaged_layers(folder: Path, size: tuple[int, int], damaged: int) -> Path:
    """Write 13 compressed TIFF layers, one with a damaged first strip, which opening does not read."""
    folder.mkdir()
    values = np.random.default_rng(3).integers(1000, 50000, size, dtype=np.uint16)
    for z in range(13):
        tifffile.imwrite(folder / f"{z:02}.tif", values, compression="zlib", rowsperstrip=8)
    path = folder / f"{damaged:02}.tif"
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        offset, length = page.dataoffsets[0], page.databytecounts[0]
    with path.open("r+b") as raw:
        raw.seek(offset)
        raw.write(b"\xff" * length)
    return folder
