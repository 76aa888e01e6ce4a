"""Base of the five steps: a numbered title, a hint, a message, and a body that opens once the step is possible."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.views.message import Message

_BADGE = 22
# Widgets inside a step whose style depends on whether the step is current, done or blocked.
_MARKED = ("inkTitle", "inkHint", "inkBadge", "inkPrimary")


class StepPanel(QFrame):
    """Panel of one step.

    Parameters
    ----------
    step
        Step that the panel shows.
    hint
        Sentence that explains the step.
    """

    def __init__(self, step: Step, hint: str) -> None:
        super().__init__()
        self.setObjectName("inkStep")
        self._step, self._hint_text = step, hint
        self._badge = QLabel(str(list(Step).index(step) + 1))
        self._badge.setObjectName("inkBadge")
        self._badge.setFixedSize(QSize(_BADGE, _BADGE))
        self._badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title = QLabel(step.value)
        title.setObjectName("inkTitle")
        self.hint = paragraph(hint, "inkHint")
        self.message = Message()
        self.body = QWidget()
        self.rows = QVBoxLayout(self.body)
        self.rows.setContentsMargins(0, 2, 0, 0)
        self.rows.setSpacing(6)
        head = QHBoxLayout()
        head.addWidget(self._badge)
        head.addWidget(title)
        head.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self.hint)
        layout.addWidget(self.message)
        layout.addWidget(self.body)

    def show_state(self, state: InkState) -> None:
        """Show where this step stands: to be done now, done, or not yet possible and why."""
        why_not = state.why_not(self._step)
        # A step that has results stays open while it waits; a step that was never reached shows only the reason.
        # The panel of the stack stays open during a prediction, and its message says why no other can be opened.
        is_open = not why_not or self._step is Step.STACK
        self.body.setVisible(is_open)
        self.body.setEnabled(is_open)
        is_done, is_current = state.is_done(self._step), state.current_step is self._step
        # The hint is shown only while the step is current; afterwards its space goes to the results.
        self.message.show_message(state.message(self._step))
        show_text(self.hint, why_not or (self._hint_text if is_current else ""))
        self._badge.setText("✓" if is_done else str(list(Step).index(self._step) + 1))
        self._mark(current=is_current, done=is_done and not is_current, blocked=not is_open)

    def _mark(self, **marks: bool) -> None:
        if all(self.property(name) == value for name, value in marks.items()):
            return
        for name, value in marks.items():
            self.setProperty(name, value)
        _restyle(self)
        for widget in self.findChildren(QWidget):
            if widget.objectName() in _MARKED:  # restyling every widget would be slow
                _restyle(widget)


def paragraph(text: str = "", name: str = "inkSmall") -> QLabel:
    """Return a label that wraps its text and never widens the panel."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def show_text(label: QLabel, text: str) -> None:
    """Set the text of a label, and hide the label if the text is empty."""
    if label.text() != text:
        label.setText(text)
    label.setVisible(bool(text))


def mark(widget: QWidget, name: str) -> None:
    """Change the name of a widget in the style sheet."""
    if widget.objectName() != name:
        widget.setObjectName(name)
        _restyle(widget)


def _restyle(widget: QWidget) -> None:
    # Qt evaluates the selectors of a style sheet again only on request.
    if (style := widget.style()) is not None:
        style.unpolish(widget)
        style.polish(widget)


def button(text: str, tip: str, primary: bool = False) -> QPushButton:
    """Return a button with a tooltip; the primary button of a step is filled."""
    made = QPushButton(text)
    made.setToolTip(tip)
    if primary:
        made.setObjectName("inkPrimary")
    return made
