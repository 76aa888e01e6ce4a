"""Plot of grey values along the depth, with axes, units and a legend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from napari_ink.gui.models.status import Profile

# Palette of Okabe & Ito: blue for grey values, orange for layers in favour of ink, purple for layers against it.
_GREY, _FOR, _AGAINST = QColor("#56b4e9"), QColor("#e69f00"), QColor("#cc79a7")
_LINE = QColor(150, 150, 150)
_LINES = 9  # height of the plot in lines of text
_HINT = "Rest the mouse on the picture"


class ProfilePlot(QWidget):
    """Plot of a profile with the depth to the right, the surface dashed and the current layer solid."""

    def __init__(self) -> None:
        super().__init__()
        self.profile: Profile | None = None
        self._surface = self._here = 0
        self._voxel_um: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Mean grey value of 5 × 5 pixels under the mouse in each layer, and what each layer contributes to "
            "predicted ink: for it upwards, against it downwards"
        )

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a small width, since the plot stretches to the width of the panel."""
        return QSize(200, _LINES * self.fontMetrics().height())

    def show_profile(self, profile: Profile | None) -> None:
        """Show another profile."""
        self.profile = profile
        self.update()

    def show_depth(self, surface: int, here: int) -> None:
        """Mark the surface and the current layer."""
        if (surface, here) != (self._surface, self._here):
            self._surface, self._here = surface, here
            self.update()

    def show_voxel_size(self, voxel_um: float | None) -> None:
        """Show the depth in micrometres from the surface too; None for layers only."""
        if voxel_um != self._voxel_um:
            self._voxel_um = voxel_um
            self.update()

    def axis_title(self) -> str:
        """Return what the horizontal axis shows, with its unit."""
        if self.profile is None or self._voxel_um is None:
            return "Depth (layer)"
        first, last = ((z - self._surface) * self._voxel_um for z in (0, len(self.profile.grey) - 1))
        shown = f"{first:+.0f} to {last:+.0f} µm".replace("-", "−")
        return f"Depth (layer; {shown} from the surface)"

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the profile with its axes, or a hint if there is none."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = self.fontMetrics().height()
        if self.profile is None:
            box = QRectF(self.rect()).adjusted(4, 4, -4, -4)
            painter.setPen(QPen(_LINE, 1))
            painter.drawRect(box)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, _HINT)
            return
        grey = self.profile.grey
        low, high = float(grey.min()), float(grey.max())
        left = 4 + max(self.fontMetrics().horizontalAdvance(f"{value:.0f}") for value in (low, high))
        box = QRectF(left + 4, line + 4, self.width() - left - 12, self.height() - 3 * line - 8)
        painter.setPen(QPen(_LINE, 1))
        painter.drawRect(box)
        self._legend(painter, line)
        self._axes(painter, box, line, (low, high))
        self._curves(painter, box, (low, high))

    def _legend(self, painter: QPainter, line: int) -> None:
        """Draw the names of the curves above the plot, each in its colour."""
        entries = [("grey value", _GREY)]
        if self.profile is not None and self.profile.contribution is not None:
            entries += [("for ink", _FOR), ("against ink", _AGAINST)]
        x = 4
        for name, colour in entries:
            painter.fillRect(QRectF(x, line / 2 - 3, 8, 8), colour)
            painter.setPen(self.palette().text().color())
            painter.drawText(QPointF(x + 12, line - 3), name)
            x += 22 + self.fontMetrics().horizontalAdvance(name)

    def _axes(self, painter: QPainter, box: QRectF, line: int, values: tuple[float, float]) -> None:
        """Draw the range of grey values to the left, and layers below the plot."""
        assert self.profile is not None
        painter.setPen(self.palette().text().color())
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for value, y in ((values[1], box.top()), (values[0], box.bottom())):
            painter.drawText(QRectF(0, y - line / 2, box.left() - 4, line), right, f"{value:.0f}")
        last = len(self.profile.grey) - 1
        for z in sorted({0, self._surface, last}):
            x = box.left() + z * box.width() / max(last, 1)
            place = QRectF(min(max(x - 30, 0), self.width() - 60), box.bottom() + 1, 60, line)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, str(z))
        below = QRectF(0, box.bottom() + line, self.width(), line)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self.axis_title())

    def _curves(self, painter: QPainter, box: QRectF, values: tuple[float, float]) -> None:
        assert self.profile is not None
        grey, added = self.profile.grey, self.profile.contribution
        step = box.width() / max(len(grey) - 1, 1)
        if added is not None:
            self._bars(painter, box, step, added)
        for z, style in ((self._surface, Qt.PenStyle.DashLine), (self._here, Qt.PenStyle.SolidLine)):
            painter.setPen(QPen(_LINE, 1, style))
            painter.drawLine(QPointF(box.left() + z * step, box.top()), QPointF(box.left() + z * step, box.bottom()))
        # The values are stretched over the height, because the shape of the profile matters most.
        heights = (grey - values[0]) / max(values[1] - values[0], 1e-6) * box.height()
        line = QPolygonF([QPointF(box.left() + z * step, box.bottom() - float(y)) for z, y in enumerate(heights)])
        painter.setPen(QPen(_GREY, 1.5))
        painter.drawPolyline(line)

    @staticmethod
    def _bars(painter: QPainter, box: QRectF, step: float, added: np.ndarray) -> None:
        middle, most = box.center().y(), float(np.abs(added).max()) or 1.0
        for z, value in enumerate(added):
            height = float(value) / most * box.height() / 2
            top = middle - max(height, 0.0)
            bar = QRectF(box.left() + (z - 0.4) * step, top, 0.8 * step, abs(height))
            painter.fillRect(bar, _FOR if value > 0 else _AGAINST)
