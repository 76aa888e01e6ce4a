"""The ``calibration.json`` that holds a threshold calibrated on labelled segments, ours or that of other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_ink.decoding import parse_json, read_bounded
from napari_ink.errors import BadInputError

NAME = "calibration.json"
LEVELS = 256
_LEAST_SEGMENTS = 2


@dataclass(frozen=True, slots=True)
class Calibration:
    """A threshold and what it was calibrated on.

    Attributes
    ----------
    threshold
        Level, 0 to 255.
    segments
        Number of labelled segments.
    checkpoint
        Model that it is for, as the file names it; empty if it names none.
    """

    threshold: int
    segments: int
    checkpoint: str = ""

    @property
    def is_guess(self) -> bool:
        """Whether it was calibrated on fewer than two segments."""
        return self.segments < _LEAST_SEGMENTS

    @property
    def in_words(self) -> str:
        """The threshold in a sentence."""
        segments = f"{self.segments} {'segment' if self.segments == 1 else 'segments'}"
        guess = ", which makes it a guess: calibrate on at least two" if self.is_guess else ""
        return f"The threshold {self.threshold / 255:.3f} was calibrated on {segments}{guess}."


def read_calibration(path: Path) -> Calibration:
    """Read a ``calibration.json``, ours or that of another program.

    Raises
    ------
    BadInputError
        If it is none.
    """
    stated = parse_json(read_bounded(path, BadInputError), BadInputError, path)
    level = stated.get("threshold") if isinstance(stated, Mapping) else None
    if not isinstance(level, int) or isinstance(level, bool) or not 0 <= level < LEVELS:
        raise BadInputError(f"{path} holds no threshold of 0 to {LEVELS - 1}; give a calibration.json.")
    cells, checkpoint = stated.get("cells"), stated.get("checkpoint")
    number = len(cells) if isinstance(cells, list) else 0
    return Calibration(level, number, checkpoint if isinstance(checkpoint, str) else "")
