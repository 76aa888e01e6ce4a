"""The verdict of a probe: which window fits, from the separations alone, and the sentence for the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from napari_ink.model import Direction

Kind = Literal["fits", "reversed", "shifted", "reversed and shifted", "cannot tell"]

MARGIN = 0.1
"""The model's own window still fits if its separation is less than the best by at most this share of the best."""

# Offsets with at least this share of the best separation count as equally good.
_PLATEAU = 0.95


@dataclass(frozen=True, slots=True)
class Window:
    """A window of layers, and how well the model separates ink from papyrus with it.

    Attributes
    ----------
    direction
        Direction in which layers are read.
    offset
        Layers from the middle of the stack to the middle of the window, counted in that direction; the same number as
        in ``napari-ink predict --offset``.
    separation
        -255 to 255, see `napari_ink.predict.probing.separation`.
    is_clear
        Whether the separation is high enough to draw conclusions.
    """

    direction: Direction
    offset: int
    separation: float
    is_clear: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a probe.

    Attributes
    ----------
    kind
        Whether the model fits, or how another window differs from its own.
    direction, offset
        Window to predict with; the model's own if it fits or the probe cannot tell.
    shift
        Layers from the model's own window to that one; 0 if it is not shifted.
    sentence
        Sentence for the user: what was found, and what to do.
    """

    kind: Kind
    direction: Direction
    offset: int
    shift: int
    sentence: str


def decide(windows: Sequence[Window], own: tuple[Direction, int], margin: float = MARGIN) -> Verdict:
    """Return whether a model's own window fits a stack, or which other window does.

    Another window is recommended only if the model's own separates worse by more than the margin: a network that
    tolerates an uneven surface separates about as well a few layers off, and then nothing needs to change.

    Parameters
    ----------
    windows
        All probed windows, including the model's own.
    own
        Direction and offset of the model's own window.
    margin
        Share of the best separation by which the model's own may be worse.
    """
    best = max(windows, key=lambda window: window.separation)
    mine = next(window for window in windows if (window.direction, window.offset) == own)
    if not best.is_clear:
        return Verdict("cannot tell", *own, 0, _CANNOT_TELL)
    enough = (1 - margin) * best.separation
    if mine.separation >= enough:
        return Verdict("fits", *own, 0, f"The model fits as it is, {own[0]} at offset {own[1]}.")
    row = sorted((w for w in windows if w.direction == best.direction), key=lambda window: window.offset)
    is_reversed = best.direction != mine.direction
    if is_reversed and any(window.offset == own[1] and window.separation >= enough for window in row):
        sentence = f"The stack looks reversed: predict with {_flags(best.direction, own[1])}."
        return Verdict("reversed", best.direction, own[1], 0, sentence)
    offset = _middle_of_the_plateau(row, best)
    shift = offset - own[1]
    # At the end of the probed offsets the best window may lie further out.
    at_the_end = "or more " if len(row) > 1 and best.offset in (row[0].offset, row[-1].offset) else ""
    layers = f"{abs(shift)} {'layer' if abs(shift) == 1 else 'layers'}"
    # The sentence speaks of layer numbers, which decrease as the offset increases if the stack is read in reverse.
    is_later = (shift > 0) == (best.direction == "as stored")
    moved = f"shifted by {layers} {at_the_end}towards {'later' if is_later else 'earlier'} ones"
    looks = f"reversed and {moved}" if is_reversed else moved
    kind: Kind = "reversed and shifted" if is_reversed else "shifted"
    sentence = f"The stack looks {looks}: predict with {_flags(best.direction, offset)}."
    return Verdict(kind, best.direction, offset, shift, sentence)


_CANNOT_TELL = (
    "The probe cannot tell: ink does not stand out clearly in any window; probe a --region with more ink, give its "
    "--labels, or try another model."
)


def _middle_of_the_plateau(row: Sequence[Window], best: Window) -> int:
    """Return the middle of the offsets around the best that separate nearly as well.

    The peak is flat, and its middle is a better estimate of the surface than its highest point.
    """
    first = last = row.index(best)
    enough = _PLATEAU * best.separation
    while first > 0 and row[first - 1].separation >= enough:
        first -= 1
    while last + 1 < len(row) and row[last + 1].separation >= enough:
        last += 1
    middle = (row[first].offset + row[last].offset) / 2
    return min((window.offset for window in row[first : last + 1]), key=lambda offset: abs(offset - middle))


def _flags(direction: Direction, offset: int) -> str:
    return f"`--direction {direction.replace(' ', '-')} --offset {offset}`"
