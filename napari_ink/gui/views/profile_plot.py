"""Plot of grey values along the depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    from napari_ink.gui.models.status import Profile

# Palette of Okabe & Ito: blue for grey values, orange for layers in favour of ink, purple for layers against it.
_GREY, _FOR, _AGAINST = QColor("#56b4e9"), QColor("#e69f00"), QColor("#cc79a7")
_LINE = QColor(150, 150, 150)
_HEIGHT = 90


class ProfilePlot(QWidget):
    """Plot of a profile with the depth to the right, the surface dashed and the current layer solid."""

    def __init__(self) -> None:
        super().__init__()
        self.profile: Profile | None = None
        self._surface = self._here = 0
        self.setFixedHeight(_HEIGHT)
        self.setToolTip(
            "Blue: grey values along the depth under the mouse. Orange and purple: layers in favour of ink and "
            "against it. Dashed: the surface."
        )

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a small width, since the plot stretches to the width of the panel."""
        return QSize(200, _HEIGHT)

    def show_profile(self, profile: Profile | None) -> None:
        """Show another profile."""
        self.profile = profile
        self.update()

    def show_depth(self, surface: int, here: int) -> None:
        """Mark the surface and the current layer."""
        if (surface, here) != (self._surface, self._here):
            self._surface, self._here = surface, here
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the profile, or a hint if there is none."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(4, 4, -4, -4)
        painter.setPen(QPen(_LINE, 1))
        painter.drawRect(box)
        if self.profile is None:
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "Rest the mouse on the picture")
            return
        grey, added = self.profile.grey, self.profile.contribution
        step = box.width() / max(len(grey) - 1, 1)
        if added is not None:
            self._bars(painter, box, step, added)
        for z, style in ((self._surface, Qt.PenStyle.DashLine), (self._here, Qt.PenStyle.SolidLine)):
            painter.setPen(QPen(_LINE, 1, style))
            painter.drawLine(QPointF(box.left() + z * step, box.top()), QPointF(box.left() + z * step, box.bottom()))
        # The values are stretched over the height, because the shape of the profile matters, not its level.
        low, high = float(grey.min()), float(grey.max())
        heights = (grey - low) / max(high - low, 1e-6) * (box.height() - 6) + 3
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
