"""One row with a swatch, a slider and a number: where a probability is cut."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget


class ThresholdRow(QWidget):
    """A threshold between 0.01 and 0.99; emits `changed` while it is moved."""

    changed = Signal(float)

    def __init__(self, title: str, colour: str, noun: str) -> None:
        super().__init__()
        swatch = QLabel()
        swatch.setFixedSize(14, 14)
        swatch.setStyleSheet(f"background-color: {colour}; border-radius: 3px;")
        name = QLabel(title)
        name.setFixedWidth(46)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(1, 99)
        self.slider.setToolTip(f"Left shows more {noun}, right only what is surer; the model is not run again")
        self._number = QLabel()
        self._number.setFixedWidth(34)
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (swatch, name):
            row.addWidget(widget)
        row.addWidget(self.slider, 1)
        row.addWidget(self._number)
        self.slider.valueChanged.connect(lambda value: self.changed.emit(value / 100))

    def show_value(self, threshold: float) -> None:
        """Show a threshold without asking for it."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(100 * threshold))
        self._number.setText(f"{threshold:.2f}")
