"""Message of the status area that wraps anywhere, even in long paths, and can be selected and copied."""

from __future__ import annotations

import math

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QResizeEvent, QTextOption
from qtpy.QtWidgets import QFrame, QSizePolicy, QTextEdit

_LEAST_LINES = 2


class Message(QTextEdit):
    """Read-only text that is as high as its content, and at least as high as two lines, so that nothing moves.

    `QLabel` is not used, because it breaks lines between words only and cuts off text without spaces.
    """

    def __init__(self) -> None:
        super().__init__()
        self._least_lines = _LEAST_LINES
        self.setObjectName("inkMessage")
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        if (document := self.document()) is not None:
            document.setDocumentMargin(1)

    def set_least_lines(self, lines: int) -> None:
        """Reserve room for a number of lines."""
        self._least_lines = lines
        self._fit()

    def show_message(self, text: str) -> None:
        """Show a sentence; an empty one leaves the space blank."""
        if text != self.toPlainText():
            self.setPlainText(text)
            self._fit()

    def resizeEvent(self, e: QResizeEvent | None) -> None:  # noqa: N802
        """Wrap the text to the new width, and fit the height."""
        super().resizeEvent(e)
        self._fit()

    def changeEvent(self, e: QEvent | None) -> None:  # noqa: N802
        """Fit the height to another font."""
        super().changeEvent(e)
        if e is not None and e.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        # Without scroll bars, the last line would be cut off if the height were rounded down.
        if (document := self.document()) is not None:
            least = self._least_lines * self.fontMetrics().lineSpacing()
            self.setFixedHeight(max(math.ceil(document.size().height()), least) + 2)
