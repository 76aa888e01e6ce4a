"""Section that offers to convert a stack, and shows the progress."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.words import left_text
from napari_ink.gui.views.files import ask_where_to_save
from napari_ink.gui.views.section import row
from napari_ink.gui.views.step_panel import button, paragraph, show_text
from napari_ink.gui.views.widgets import Progress

_SLOW = "This stack displays slowly: {}. Convert it to OME-Zarr to speed it up."
_FELT_PX = 1024  # smaller layers are decoded without a noticeable delay
_TIP = "Write the stack as an OME-Zarr with smaller copies, which is fast to display and to predict"


class ConvertSection(QWidget):
    """Section that emits `convert_requested` and `open_requested` with a path, and `cancel_requested`."""

    convert_requested = Signal(object)
    cancel_requested = Signal()
    open_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._state = InkState()
        self.hint = paragraph()
        self.button = button("Convert to OME-Zarr…", _TIP)
        self.cancel_button = button("Cancel", "Stop converting; the next conversion resumes where it stopped")
        self.open_button = button("Open", "Open the converted stack in place of this one")
        self.bar = Progress()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.hint)
        column.addLayout(row(self.button, self.open_button, self.bar, self.cancel_button))
        self.button.clicked.connect(self._on_convert)
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.open_button.clicked.connect(lambda: self.open_requested.emit(self._state.conversion.out))

    def show_state(self, state: InkState) -> None:
        """Show whether a conversion would help, or its progress."""
        self._state, status, stack = state, state.conversion, state.stack
        is_running = status.done is not None
        self.setVisible(stack is not None)
        self.button.setVisible(not is_running)
        self.open_button.setVisible(status.out is not None)
        self.open_button.setEnabled(not state.busy and state.run is None)
        for one in (self.bar, self.cancel_button):
            one.setVisible(is_running)
        if status.done is not None:
            self.bar.show_progress(round(status.done * 1000), 1000)
            left = left_text(status.seconds_left)
            show_text(self.hint, f"Converting{left}. You can continue to work meanwhile.")
        elif status.out is not None:
            show_text(self.hint, f"Converted to {status.out.name}.")
        else:
            is_felt = stack is not None and stack.slow and max(stack.shape[1:]) > _FELT_PX
            show_text(self.hint, _SLOW.format(stack.slow) if stack is not None and is_felt else "")

    def _on_convert(self) -> None:
        stack = self._state.stack
        if stack is None:
            return
        name = f"{stack.name}.zarr"
        chosen = ask_where_to_save(self, "convert", "Convert to OME-Zarr", name, "OME-Zarr (*.zarr)", stack)
        if chosen is not None:
            self.convert_requested.emit(chosen)
