"""Where the depth is read: a number of layers around what the model has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QSpinBox

if TYPE_CHECKING:
    from napari_ink.model import InputContract

_MOST = 64
_SETTLE_MS = 400


class OffsetBox(QSpinBox):
    """From the middle of the stack to the middle of the layers that are read; it begins where the model has it.

    Emits `settled` a moment after the last change: a run under way begins anew with it, so not at every step.
    """

    settled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._own = 0
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_SETTLE_MS)
        self._rest.timeout.connect(self.settled)
        self.setRange(-_MOST, _MOST)
        self.setKeyboardTracking(False)
        self.setToolTip(
            "From the middle of the stack to the middle of the layers that are read, counted in the direction of "
            "reading; "
            "a run under way begins anew when you change it"
        )
        self.valueChanged.connect(self._on_value)
        self._name_value(self.value())

    def offset(self) -> int | None:
        """Return the offset; None where it is the model's own."""
        return None if self.value() == self._own else self.value()

    def fit(self, contract: InputContract | None, depth: int | None) -> None:
        """Begin where another model has it, and offer what it can read of a stack of so many layers."""
        own = 0 if contract is None else contract.surface_offset
        least, most = (-_MOST, _MOST) if contract is None or depth is None else contract.offsets(depth)
        is_own = self.offset() is None
        self._own = own
        self.setRange(min(least, own), max(most, own))
        if is_own:
            self.setValue(own)
        self._name_value(self.value())

    def _on_value(self, value: int) -> None:
        self._name_value(value)
        self._rest.start()

    def _name_value(self, value: int) -> None:
        suffix = " layers, as the model has it" if value == self._own else " layers"
        if suffix != self.suffix():
            self.setSuffix(suffix)
