"""Plot and example crops of a lesson while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImageReader, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_ink.gui.models.status import TeachingStatus
from napari_ink.gui.views.section import Section

# Blue and orange of Okabe & Ito's palette.
_LOSS, _SCORE = QColor("#56b4e9"), QColor("#e69f00")
_LINE = QColor(150, 150, 150)
_HEIGHT, _DOT = 64, 3.0
_PICTURE_PX = 320
_SMOOTHING = 0.8  # single batches differ much in how hard they are

Points = Sequence[tuple[int, float]]


class LessonPlot(QWidget):
    """Plot of the loss, smoothed, and of F0.5 on held-out strokes, against the steps of a deep lesson."""

    def __init__(self) -> None:
        super().__init__()
        self._losses: Points = ()
        self._scores: Points = ()
        self._total = 0
        self.setFixedHeight(_HEIGHT)
        self.setToolTip("Blue: loss of the deep model, step by step. Orange: its F0.5 on held-out strokes, 0 to 1.")

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a small width, since the plot stretches to the width of the panel."""
        return QSize(200, _HEIGHT)

    @staticmethod
    def is_needed(status: TeachingStatus) -> bool:
        """Whether the deep model has made a step."""
        return bool(status.losses or status.scores)

    def show_status(self, status: TeachingStatus) -> None:
        """Show the curves of a lesson; hidden before the first step of the deep model."""
        self.setVisible(self.is_needed(status))
        shown = status.losses, status.scores, status.total
        if shown != (self._losses, self._scores, self._total):
            self._losses, self._scores, self._total = shown
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw both curves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(4, 4, -4, -4)
        painter.setPen(QPen(_LINE, 1))
        painter.drawRect(box)
        losses = smoothed(self._losses)
        highest = max((value for _, value in losses), default=1.0)
        painter.setPen(QPen(_LOSS, 1.5))
        painter.drawPolyline(self._line(box, losses, highest))
        painter.setPen(QPen(_SCORE, 1.5))
        scores = self._line(box, self._scores, 1.0)
        painter.drawPolyline(scores)
        painter.setBrush(_SCORE)
        for number in range(len(self._scores)):
            painter.drawEllipse(scores[number], _DOT, _DOT)

    def _line(self, box: QRectF, points: Points, highest: float) -> QPolygonF:
        last = max(self._total, max((step for step, _ in (*self._losses, *self._scores)), default=0), 1)
        return QPolygonF(
            [
                QPointF(
                    box.left() + step / last * box.width(), box.bottom() - value / max(highest, 1e-9) * box.height()
                )
                for step, value in points
            ]
        )


def smoothed(points: Points) -> list[tuple[int, float]]:
    """Return points with an exponential average of the values, which starts at the first one."""
    found: list[tuple[int, float]] = []
    for step, value in points:
        found.append((step, value if not found else _SMOOTHING * found[-1][1] + (1 - _SMOOTHING) * value))
    return found


class LessonExamples(QLabel):
    """Example crops of the newest validation, scaled to the panel."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Path | None, int] = (None, 0)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        # A picture must not widen the panel.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.setToolTip("Held-out crops: grey values, labels, and what the deep model makes of them now")

    def show_status(self, status: TeachingStatus) -> bool:
        """Show the picture of the newest validation; return whether there is one."""
        # The same file holds another picture after each validation.
        newest = status.examples, len(status.scores)
        if newest != self._shown:
            self._shown = newest
            self.setPixmap(_scaled(status.examples))
        return status.examples is not None and not self.pixmap().isNull()


class ExamplesSection(Section):
    """Section with the example crops, closed at first, since they take much room; hidden while there are none."""

    def __init__(self) -> None:
        super().__init__("Example crops")
        self.crops = LessonExamples()
        self.rows.addWidget(self.crops)

    def show_status(self, status: TeachingStatus) -> None:
        """Show the crops of the newest validation."""
        self.setVisible(self.crops.show_status(status))


def _scaled(path: Path | None) -> QPixmap:
    """Return a picture in the width of the panel; an empty one if it cannot be read."""
    if path is None:
        return QPixmap()
    reader = QImageReader(str(path))
    size = reader.size()
    if size.width() > _PICTURE_PX:
        reader.setScaledSize(size.scaled(_PICTURE_PX, size.height(), Qt.AspectRatioMode.KeepAspectRatio))
    return QPixmap.fromImage(reader.read())
