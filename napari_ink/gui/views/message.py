"""Message in a panel that wraps anywhere, even in long paths, and can be selected and copied."""

from __future__ import annotations

import math

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent, QTextOption
from qtpy.QtWidgets import QFrame, QSizePolicy, QTextEdit


class Message(QTextEdit):
    """Read-only text that is as high as its content; hidden while it is empty.

    `QLabel` is not used, because it breaks lines between words only and cuts off text without spaces.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("inkMessage")
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setVisible(False)

    def show_message(self, text: str) -> None:
        """Show a sentence; an empty one hides the message."""
        if text != self.toPlainText():
            self.setPlainText(text)
            self._fit()
        self.setVisible(bool(text))

    def resizeEvent(self, e: QResizeEvent | None) -> None:  # noqa: N802
        """Wrap the text to the new width, and fit the height."""
        super().resizeEvent(e)
        self._fit()

    def _fit(self) -> None:
        # Without scroll bars, the last line would be cut off if the height were rounded down.
        if (document := self.document()) is not None:
            self.setFixedHeight(math.ceil(document.size().height()) + 2)
