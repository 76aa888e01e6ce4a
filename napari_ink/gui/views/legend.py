"""Legend of the colours of labels and prediction, with buttons to show or hide them."""

from __future__ import annotations

from typing import get_args

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_ink.gui.models.actions import TITLES
from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.words import count_text
from napari_ink.gui.preferences import colour, shown_key
from napari_ink.gui.views.step_panel import button
from napari_ink.gui.views.swatches import Swatches
from napari_ink.typing import LabelKind

_LABELS = (
    ("labelled_ink", "ink"),
    ("labelled_papyrus", "papyrus"),
    ("labelled_edges", "edge"),
    ("labelled_no_edges", "no edge"),
)
_PREDICTION = (("predicted_ink", "ink"), ("predicted_edges", "edge"))


class Legend(QWidget):
    """Two rows: the colours of the labels, and those of the prediction.

    The buttons show or hide them, and are unchecked while they are hidden. Emits `action_requested` with an action.
    """

    action_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[str, QPushButton] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(6, 2, 6, 2)
        grid.setSpacing(3)
        rows = (("Labels", "blink_labels", _LABELS), ("Prediction", "blink_prediction", _PREDICTION))
        for line, (title, action, colours) in enumerate(rows):
            grid.addWidget(self._button(title, action), line, 0)
            swatches = Swatches((colour(key), name) for key, name in colours)
            grid.addWidget(swatches, line, 1)
            if action == "blink_labels":
                self.counts = swatches
        grid.setColumnStretch(1, 1)

    def show_state(self, state: InkState) -> None:
        """Show what is visible, and in the tooltip how many pixels are labelled."""
        self.counts.setToolTip(_counted(state) if state.labels else "")
        hidden = len(state.storage.hidden) == len(get_args(LabelKind)), state.is_prediction_hidden
        there = state.labels, state.has_prediction
        for one, is_hidden, is_there in zip(self.buttons.values(), hidden, there, strict=True):
            one.setEnabled(is_there)
            one.setChecked(is_there and not is_hidden)

    def _button(self, title: str, action: str) -> QPushButton:
        made = button(title, f"{TITLES[action]} (key {shown_key(action)})")
        made.setObjectName("inkEye")
        made.setCheckable(True)
        self.buttons[action] = made
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        made.clicked.connect(lambda: self.action_requested.emit(action))
        return made


def _counted(state: InkState) -> str:
    counts = state.counts
    shown = {"Ink": counts.ink, "papyrus": counts.papyrus, "edges": counts.edge, "no edge": counts.not_edge}
    return " · ".join(f"{name} {count_text(pixels)}" for name, pixels in shown.items())
