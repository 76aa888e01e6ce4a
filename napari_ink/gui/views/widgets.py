"""Widgets of the panels: depth offset, progress bar and threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHBoxLayout, QLabel, QProgressBar, QSlider, QSpinBox, QWidget
from superqt.utils import QSignalDebouncer

from napari_ink.gui.views.swatches import Swatch

if TYPE_CHECKING:
    from napari_ink.model import InputContract


_MOST = 64
_SETTLE_MS = 400
_ROW_PADDING_PX = 4  # as in the style sheet


class OffsetBox(QSpinBox):
    """Spin box for the offset from the middle of the stack to the middle of the layers that are read.

    Starts at the offset of the model. Emits `settled` a moment after the last change, and not at every step, because a
    running prediction restarts.
    """

    settled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._own = 0
        self._rest = QSignalDebouncer(parent=self)
        self._rest.setTimeout(_SETTLE_MS)
        self._rest.triggered.connect(self.settled)
        self.setRange(-_MOST, _MOST)
        self.setKeyboardTracking(False)  # typing 12 must not request an offset of 1 on the way
        self.setToolTip(
            "From the middle of the stack to the middle of the layers that are read, in the direction of reading; "
            "a running prediction restarts when you change it"
        )
        self.valueChanged.connect(self._on_value)
        self._name_value(self.value())

    def offset(self) -> int | None:
        """Return the offset; None if it is that of the model."""
        return None if self.value() == self._own else self.value()

    def fit(self, contract: InputContract | None, depth: int | None) -> None:
        """Set the offset of another model, and the range that it can read of a stack with `depth` layers."""
        own = 0 if contract is None else contract.surface_offset
        least, most = (-_MOST, _MOST) if contract is None or depth is None else contract.offsets(depth)
        is_own = self.offset() is None  # an offset that the user chose survives a change of the model
        self._own = own
        self.setRange(min(least, own), max(most, own))
        if is_own:
            self.setValue(own)
        self._name_value(self.value())

    def _on_value(self, value: int) -> None:
        self._name_value(value)
        self._rest.throttle()

    def _name_value(self, value: int) -> None:
        suffix = " layers (model default)" if value == self._own else " layers"
        if suffix != self.suffix():
            self.setSuffix(suffix)


class Progress(QProgressBar):
    """Progress bar that repaints with the next frame of the window.

    `QProgressBar` repaints at once with each new value. Beside an OpenGL canvas this costs a whole frame of the window,
    which is painted again a moment later.
    """

    def show_progress(self, done: int, total: int) -> None:
        """Show `done` of `total`; a total of 0 means that it is not known yet."""
        if (done, total) == (self.value(), self.maximum()):
            return
        # Updates are off in between, so that range and value cause one repaint, which the event loop schedules.
        self.setUpdatesEnabled(False)
        self.setRange(0, total)
        self.setValue(done)
        self.setUpdatesEnabled(True)


class Column(QLabel):
    """Text that is as wide as a longer one, so that rows below each other are aligned in any font."""

    def __init__(self, text: str, longest: str) -> None:
        super().__init__(text)
        self.setIndent(0)
        self._longest = longest

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size for the longest text in the current font."""
        self.ensurePolished()
        width = self.fontMetrics().horizontalAdvance(self._longest) + 4
        return QSize(width, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the same as `sizeHint`."""
        return self.sizeHint()


def fit_rows(view: QAbstractItemView, count: int) -> None:
    """Give a list the height of a number of rows with two lines of text each, in its font."""
    view.ensurePolished()
    view.setFixedHeight(count * (2 * view.fontMetrics().lineSpacing() + 2 * _ROW_PADDING_PX) + 2 * _ROW_PADDING_PX)


class ThresholdRow(QWidget):
    """Slider for a threshold between 0.01 and 0.99; emits `changed` while it moves."""

    changed = Signal(float)

    def __init__(self, title: str, colour: tuple[float, float, float], noun: str) -> None:
        super().__init__()
        name = Column(title, "Edges")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(1, 99)
        self.slider.setToolTip(
            f"Lowest probability that counts as {noun}: move left for more, right for the most certain only"
        )
        self._number = Column("", "0.00")
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (Swatch(colour), name):
            row.addWidget(widget)
        row.addWidget(self.slider, 1)
        row.addWidget(self._number)
        self.slider.valueChanged.connect(lambda value: self.changed.emit(value / 100))

    def show_value(self, threshold: float) -> None:
        """Show a threshold without emitting `changed`."""
        # A threshold from a model or a project must not be requested again.
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(100 * threshold))
        self._number.setText(f"{threshold:.2f}")
