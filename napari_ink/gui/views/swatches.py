"""Small squares that show a colour or the pattern of a reviewed region, with a name beside each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSize
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from napari_ink.gui.models.review_marks import MARK_RGBA, pattern

if TYPE_CHECKING:
    from napari_ink.annotation import ReviewState

# Neither white nor black, so that pale and dark colours keep their outline in light and dark themes.
_BORDER = QColor(128, 128, 128)
# Patterns lie over papyrus in the picture; over this grey, both light and dark lines stand out.
_PAPYRUS = 0.4
_PATTERN_SIDE = 1.3


class Swatch(QWidget):
    """Square about as high as the letters beside it; a colour has a border, a pattern its own frame.

    Parameters
    ----------
    shown
        Colour, with parts 0…1, or state of a region.
    """

    def __init__(self, shown: tuple[float, float, float] | ReviewState) -> None:
        super().__init__()
        self._shown = shown
        self.setObjectName("inkLegend")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a square in proportion to the font."""
        self.ensurePolished()
        ascent = self.fontMetrics().ascent()
        # Lines need more room than a colour.
        side = ascent if isinstance(self._shown, tuple) else round(_PATTERN_SIDE * ascent)
        return QSize(side, side)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the same as `sizeHint`."""
        return self.sizeHint()

    def paintEvent(self, a0: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the colour with its border, or the pattern."""
        painter = QPainter(self)
        if isinstance(self._shown, tuple):
            painter.fillRect(self.rect(), QColor.fromRgbF(*self._shown))
            painter.setPen(_BORDER)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        else:
            painter.drawImage(self.rect(), pattern_image(self._shown, self.height()))
        painter.end()


class Swatches(QWidget):
    """Row of squares, each with its name.

    Parameters
    ----------
    entries
        What each square shows, and its name.
    """

    def __init__(self, entries: Iterable[tuple[tuple[float, float, float] | ReviewState, str]]) -> None:
        super().__init__()
        self.swatches: dict[str, Swatch] = {}
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(3)
        for shown, name in entries:
            if self.swatches:
                line.addSpacing(3)
            self.swatches[name] = Swatch(shown)
            text = QLabel(name)
            text.setObjectName("inkLegend")
            text.setIndent(0)
            line.addWidget(self.swatches[name])
            line.addWidget(text)
        line.addStretch(1)


def pattern_image(state: ReviewState, side: int) -> QImage:
    """Return a picture of the pattern of a state over grey papyrus, `side` pixels high and wide."""
    colours = np.array(list(MARK_RGBA.values()))
    rgb, alpha = colours[:, :3], colours[:, 3:]
    mixed = np.round(255 * (rgb * alpha + _PAPYRUS * (1 - alpha))).astype(np.uint8)
    picture = np.ascontiguousarray(mixed[pattern(state, side)])
    # The copy outlives the array.
    return QImage(picture.tobytes(), side, side, 3 * side, QImage.Format.Format_RGB888).copy()
