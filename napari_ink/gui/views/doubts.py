"""Sentences on why a map may be wrong; each begins on a line of its own."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_ink.gui.views.step_panel import Lines

_BELOW_PX = 1  # less than below other lines, so that four fit where they fit in one piece
_MOST = 3  # outside of the training, too much or too little ink, and places that the training did not have


class Doubts(QWidget):
    """Sentences that share a number of lines, so that none is hidden behind a long one before it.

    What is longer than its lines is shown in full in the tooltip. Without sentences the widget takes no room.

    Parameters
    ----------
    count
        Number of lines; each sentence has at least one.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._count = count
        self.lines = tuple(Lines(1, name="inkWarning", below_px=_BELOW_PX) for _ in range(_MOST))
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        for line in self.lines:
            rows.addWidget(line)
        self.show_sentences(())

    @property
    def shown(self) -> tuple[str, ...]:
        """Sentences that are shown."""
        return tuple(line.text() for line in self.lines if line.text())

    def show_sentences(self, sentences: Sequence[str]) -> None:
        """Show other sentences."""
        texts = [*sentences[: _MOST - 1], " ".join(sentences[_MOST - 1 :])]
        texts += [""] * (_MOST - len(texts))
        for line, text in zip(self.lines, texts, strict=True):
            line.show_text(text)
            line.setVisible(bool(text))
        self.setVisible(bool(sentences))
        self._share()

    def set_count(self, count: int) -> None:
        """Reserve room for another number of lines."""
        self._count = count
        self._share()

    def _share(self) -> None:
        for line in self.lines:
            line.set_count(max(self._count // max(len(self.shown), 1), 1))
