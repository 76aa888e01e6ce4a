"""Base of the six steps: a hint or the reason why the step must wait, and below it the controls of the step."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_ink.gui.models.state import InkState, Step

_HINT_LINES = 2
_SPACING = 6
_TOP_LEFT = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft


class StepPanel(QFrame):
    """Panel of one step, which is a page of the dock.

    Controls are disabled, never hidden, while the step must wait, so that nothing moves once it is possible.

    Parameters
    ----------
    step
        Step that the panel shows.
    hint
        Sentence that explains the step, of at most two lines.

    Attributes
    ----------
    step : Step
        Step that the panel shows.
    """

    def __init__(self, step: Step, hint: str) -> None:
        super().__init__()
        self.setObjectName("inkStep")
        self.step, self._hint_text, self._reason, self._is_compact = step, hint, "", False
        self.hint = Lines(_HINT_LINES, hint, "inkHint")
        self.body = QWidget()
        self.rows = QVBoxLayout(self.body)
        self.rows.setContentsMargins(0, 2, 0, 0)
        self.rows.setSpacing(_SPACING)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.hint)
        layout.addWidget(self.body)
        layout.addStretch(1)

    def show_state(self, state: InkState) -> None:
        """Show the hint, or why the step is not possible yet."""
        self._reason = why_not = state.why_not(self.step)
        # The panel of the stack stays usable during a prediction, to move through the depth.
        self.body.setEnabled(not why_not or self.step is Step.STACK)
        self.hint.show_text(why_not or self._hint_text)
        mark(self.hint, "inkWarning" if why_not else "inkHint")
        self._show_hint()

    def set_compact(self, is_compact: bool) -> None:
        """Take less height, in a window that is low for its font, or as much as is comfortable."""
        self._is_compact = is_compact
        self._show_hint()
        self.rows.setSpacing(_SPACING // 2 if is_compact else _SPACING)

    def _show_hint(self) -> None:
        # A reason is shown in any case; where it comes and goes, the controls below are disabled, except in Stack.
        self.hint.setVisible(bool(self._reason) or not self._is_compact or self.step is Step.STACK)


class Lines(QElidingLabel):
    """Text with a fixed number of lines: what is longer ends in "…", and is shown in full in the tooltip.

    Its height does not depend on the text, so that what is below never moves.

    Parameters
    ----------
    count
        Number of lines.
    text
        Text to begin with.
    name
        Name in the style sheet.
    below_px
        Height that is left below the last line.
    """

    def __init__(self, count: int, text: str = "", name: str = "inkSmall", below_px: int = 2) -> None:
        super().__init__(text)
        self._count, self._below_px = count, below_px
        self.setObjectName(name)
        self.setWordWrap(True)
        self.setAlignment(_TOP_LEFT)
        self.setIndent(0)  # which would apply to the top as well
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip(text)

    def show_text(self, text: str) -> None:
        """Show another text."""
        if text != self.text():
            self.setText(text)
            self.setToolTip(text)

    def set_count(self, count: int) -> None:
        """Reserve room for another number of lines."""
        self._count = count
        self.updateGeometry()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the height of the lines in the current font."""
        self.ensurePolished()
        return QSize(0, self._count * self.fontMetrics().lineSpacing() + self._below_px)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the same as `sizeHint`."""
        return self.sizeHint()

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """Return False, because the height is fixed."""
        return False


def paragraph(text: str = "", name: str = "inkSmall") -> QLabel:
    """Return a label that wraps its text and never widens the panel."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setIndent(0)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def show_text(label: QLabel, text: str) -> None:
    """Set the text of a label, and hide the label if the text is empty."""
    if isinstance(label, Lines):
        label.show_text(text)  # with the whole text in the tooltip
    elif label.text() != text:
        label.setText(text)
    label.setVisible(bool(text))


def mark(widget: QWidget, name: str) -> None:
    """Change the name of a widget in the style sheet."""
    if widget.objectName() != name:
        widget.setObjectName(name)
        restyle(widget)


def restyle(widget: QWidget) -> None:
    """Evaluate the selectors of the style sheet again, which Qt does only on request."""
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
