"""Scale bar over the picture, in millimetres or micrometres, where the voxel size is known.

napari's own scale bar takes its unit from the layers, and all layers here are in pixels of the segment, which labels,
projects and exports rely on.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

from napari_ink.export import scale_bar
from napari_ink.gui.layers.viewport import camera_of, canvas_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

_MARGIN_PX, _THICK_PX, _PAD_PX = 12, 3, 6
_WIDEST_PX = 800  # at most a quarter of it is filled
_BACK = QColor(0, 0, 0, 140)


class ScaleBarOverlay(QWidget):
    """Scale bar at the bottom left of the canvas; the mouse goes through it.

    Parameters
    ----------
    viewer
        Viewer whose zoom is followed.
    dock
        Widget in the window of the viewer.

    Attributes
    ----------
    text : str
        Length of the bar in words; empty while it is hidden.
    """

    def __init__(self, viewer: Viewer, dock: QWidget) -> None:
        super().__init__()
        self._viewer, self._dock = viewer, dock
        self._voxel_um: float | None = None
        self._length_px, self.text = 0.0, ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setVisible(False)
        camera_of(viewer).events.zoom.connect(self._on_zoom)

    def measure(self, voxel_size_um: float | None) -> None:
        """Show the bar for a voxel size; None hides it."""
        self._voxel_um = voxel_size_um
        self._on_zoom()

    def release(self) -> None:
        """Remove the bar from the canvas."""
        camera_of(self._viewer).events.zoom.disconnect(self._on_zoom)
        with suppress(RuntimeError):  # the bar went with the canvas
            if (canvas := self.parentWidget()) is not None:
                canvas.removeEventFilter(self)
            self.setParent(None)
            self.deleteLater()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Stay in the corner when the canvas is resized."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the bar with its length above."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), _BACK)
        painter.setPen(Qt.GlobalColor.white)
        line = painter.fontMetrics().height()
        width = self.width() - 2 * _PAD_PX
        painter.drawText(QRectF(_PAD_PX, 1, width, line), Qt.AlignmentFlag.AlignCenter, self.text)
        left = (self.width() - self._length_px) / 2
        painter.fillRect(QRectF(left, line + 3, self._length_px, _THICK_PX), Qt.GlobalColor.white)

    def _on_zoom(self, *_: object) -> None:
        zoom = float(camera_of(self._viewer).zoom)
        if self.parentWidget() is None and (canvas := canvas_of(self._dock)) is not None:
            self.setParent(canvas)
            canvas.installEventFilter(self)
        is_shown = self._voxel_um is not None and zoom > 0 and self.parentWidget() is not None
        if is_shown and self._voxel_um is not None:
            bar = scale_bar(_WIDEST_PX, self._voxel_um / zoom)
            self._length_px, self.text = bar.length_px, bar.text
            self._place()
        else:
            self.text = ""
        self.setVisible(is_shown)
        self.update()

    def _place(self) -> None:
        canvas = self.parentWidget()
        if canvas is None:
            return
        metrics = self.fontMetrics()
        width = max(round(self._length_px), metrics.horizontalAdvance(self.text)) + 2 * _PAD_PX
        height = metrics.height() + _THICK_PX + _PAD_PX
        self.setGeometry(_MARGIN_PX, canvas.height() - height - _MARGIN_PX, width, height)
