"""Grey range of a model: the grey values that it reads as black and white; off by default."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QSpinBox, QWidget
from superqt.utils import QSignalDebouncer

_TOP = 65535
_SETTLE_MS = 400


class GreyRangeBox(QWidget):
    """Input of the grey values that are stretched over the whole range before a model reads them.

    Emits `settled` a moment after the last change, and not at every step, because a running prediction restarts.
    """

    settled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._rest = QSignalDebouncer(parent=self)
        self._rest.setTimeout(_SETTLE_MS)
        self._rest.triggered.connect(self.settled)
        self.use_box, self.low_box, self.high_box = QCheckBox(), QSpinBox(), QSpinBox()
        self.use_box.setToolTip(
            "For a stack that fills a small part of its range, such as 12 bits stored in 16 (0 to 4095): "
            "stretch these grey values over the whole range"
        )
        self.setObjectName("inkRange")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.use_box)
        row.addWidget(self.low_box, 1)
        row.addWidget(QLabel("to"))
        row.addWidget(self.high_box, 1)
        for box, tip in (
            (self.low_box, "Grey value that becomes black"),
            (self.high_box, "Grey value that becomes white"),
        ):
            box.setRange(0, _TOP)
            box.setKeyboardTracking(False)
            box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)  # which would cut off the number
            box.setToolTip(tip)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            box.setEnabled(False)
            box.valueChanged.connect(self._on_value)
        self.use_box.toggled.connect(self._on_use)
        self.fit(_TOP, None)

    def grey_range(self) -> tuple[float, float] | None:
        """Return the range; None if the values are used unchanged."""
        return (float(self.low_box.value()), float(self.high_box.value())) if self.use_box.isChecked() else None

    def fit(self, top: int, suggested: tuple[int, int] | None) -> None:
        """Suggest a range for another stack, whose largest value is `top`, and switch the range off."""
        self.use_box.setChecked(False)
        for box, value in zip((self.low_box, self.high_box), suggested or (0, top), strict=True):
            box.setRange(0, top)
            box.setValue(value)
        self._rest.cancel()  # the user changed nothing

    def _on_use(self, is_used: bool) -> None:
        self.low_box.setEnabled(is_used)
        self.high_box.setEnabled(is_used)
        self._rest.throttle()

    def _on_value(self) -> None:
        if self.use_box.isChecked():
            self._rest.throttle()
