"""A sentence that stays in a panel, whole: it wraps anywhere, long paths too, and can be selected and copied."""

from __future__ import annotations

import math

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent, QTextOption
from qtpy.QtWidgets import QFrame, QSizePolicy, QTextEdit


class Message(QTextEdit):
    """A read-only text as high as it needs to be; hidden while there is nothing to say.

    `QLabel` is not used: it breaks lines between words only, and cuts off what has no space in it.
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
        """Show a sentence, or nothing."""
        if text != self.toPlainText():
            self.setPlainText(text)
            self._fit()
        self.setVisible(bool(text))

    def resizeEvent(self, e: QResizeEvent | None) -> None:  # noqa: N802
        """Wrap anew, and be as high as that takes."""
        super().resizeEvent(e)
        self._fit()

    def _fit(self) -> None:
        if (document := self.document()) is not None:
            self.setFixedHeight(math.ceil(document.size().height()) + 2)
