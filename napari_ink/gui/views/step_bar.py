"""Bar with the six steps, of which one is open at a time."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.views.step_panel import restyle

_TIPS = {
    Step.STACK: "Open a segment, and move through its depth",
    Step.PREDICT: "Predict ink and edges with a model, and set the thresholds",
    Step.CORRECT: "Draw and correct labels",
    Step.LEARN: "Teach a model from your labels",
    Step.REVIEW: "Go through the regions of the segment, and mark each",
    Step.EXPORT: "Save masks, labels and figures",
}


class StepBar(QWidget):
    """Row of buttons, one for each step; emits `step_chosen` when the user presses one.

    The open step is underlined in the accent colour, and steps that have a result in green.
    """

    step_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[Step, QPushButton] = {}
        self._group = QButtonGroup(self)
        line = QHBoxLayout(self)
        line.setContentsMargins(4, 2, 4, 0)
        line.setSpacing(2)
        for step in Step:
            one = QPushButton(step.value)
            one.setObjectName("inkTab")
            one.setCheckable(True)
            one.setToolTip(_TIPS[step])
            one.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            one.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Fixed)
            one.clicked.connect(lambda _=False, step=step: self.step_chosen.emit(step))
            self._group.addButton(one)
            self.buttons[step] = one
            line.addWidget(one)

    def open(self, step: Step) -> None:
        """Mark a step as open."""
        self.buttons[step].setChecked(True)

    def show_state(self, state: InkState) -> None:
        """Show which steps have a result, and which are not possible yet."""
        for step, one in self.buttons.items():
            marks = {"done": state.is_done(step), "blocked": bool(state.why_not(step))}
            if any(one.property(name) != value for name, value in marks.items()):
                for name, value in marks.items():
                    one.setProperty(name, value)
                restyle(one)
