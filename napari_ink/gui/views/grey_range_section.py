"""Which grey values are black and white to a model: off unless somebody asks for it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QSpinBox, QWidget
from superqt.utils import QSignalDebouncer

_TOP = 65535
_SETTLE_MS = 400


class GreyRangeBox(QWidget):
    """Grey values, as the viewer shows them, that are spread over the whole range before a model reads them.

    Emits `settled` a moment after the last change: a run under way begins anew with it, so not at every step.
    """

    settled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._rest = QSignalDebouncer(parent=self)
        self._rest.setTimeout(_SETTLE_MS)
        self._rest.triggered.connect(self.settled)
        self.use_box, self.low_box, self.high_box = QCheckBox(), QSpinBox(), QSpinBox()
        self.use_box.setToolTip(
            "For a stack that fills little of its range, such as 12 bits kept in 16 (0 to 4095): "
            "spread these grey values over the whole range"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.use_box)
        row.addWidget(self.low_box, 1)
        row.addWidget(QLabel("to"))
        row.addWidget(self.high_box, 1)
        for box, tip in ((self.low_box, "The grey value that is black"), (self.high_box, "The one that is white")):
            box.setRange(0, _TOP)
            box.setKeyboardTracking(False)
            box.setToolTip(tip)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            box.setEnabled(False)
            box.valueChanged.connect(self._on_value)
        self.use_box.toggled.connect(self._on_use)
        self.fit(_TOP, None)

    def grey_range(self) -> tuple[float, float] | None:
        """Return the range; None where values are taken as they are."""
        return (float(self.low_box.value()), float(self.high_box.value())) if self.use_box.isChecked() else None

    def fit(self, top: int, suggested: tuple[int, int] | None) -> None:
        """Offer the range of another stack, whose largest value is `top`; it is used only when it is asked for."""
        self.use_box.setChecked(False)
        for box, value in zip((self.low_box, self.high_box), suggested or (0, top), strict=True):
            box.setRange(0, top)
            box.setValue(value)
        self._rest.cancel()  # nobody changed anything

    def _on_use(self, is_used: bool) -> None:
        self.low_box.setEnabled(is_used)
        self.high_box.setEnabled(is_used)
        self._rest.throttle()

    def _on_value(self) -> None:
        if self.use_box.isChecked():
            self._rest.throttle()
