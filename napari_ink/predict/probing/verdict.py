"""What a probe's separations amount to: pure arithmetic, and the sentence that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from napari_ink.model import Direction

Kind = Literal["fits", "reversed", "shifted", "reversed and shifted", "cannot tell"]

MARGIN = 0.1
"""How much worse than the best, as a part of it, the model's own window may separate and still fit."""

_PLATEAU = 0.95


@dataclass(frozen=True, slots=True)
class Window:
    """A place of the model's window, and how well it separates ink from papyrus there.

    Attributes
    ----------
    direction
        Which end of the stack comes first.
    offset
        Layers from the stack's middle to the window's, counted in that direction, as ``napari-ink predict --offset``
        takes them.
    separation
        -255 to 255, see `napari_ink.predict.probing.separation`.
    is_clear
        Whether anything can be told by it.
    """

    direction: Direction
    offset: int
    separation: float
    is_clear: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe found.

    Attributes
    ----------
    kind
        In a word.
    direction, offset
        What to predict with; the model's own where it fits or nothing can be told.
    shift
        Layers from the model's own window to that one; 0 unless it is shifted.
    sentence
        For a person: what was found, and what to do.
    """

    kind: Kind
    direction: Direction
    offset: int
    shift: int
    sentence: str


def decide(windows: Sequence[Window], own: tuple[Direction, int], margin: float = MARGIN) -> Verdict:
    """Say whether a model's own window fits a stack, or which other does.

    Another one is named only where the model's own separates worse by more than the margin: a network that tolerates a
    wandering surface separates about as well a few layers off, and there is nothing to mend.

    Parameters
    ----------
    windows
        What was probed, the model's own window among it.
    own
        Direction and offset of the model's own window.
    margin
        Part of the best separation that the model's own may fall short of it.
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
        said = f"The stack looks reversed: predict with {_flags(best.direction, own[1])}."
        return Verdict("reversed", best.direction, own[1], 0, said)
    offset = _middle_of_the_plateau(row, best)
    shift = offset - own[1]
    at_the_end = "or more " if len(row) > 1 and best.offset in (row[0].offset, row[-1].offset) else ""
    layers = f"{abs(shift)} {'layer' if abs(shift) == 1 else 'layers'}"
    # The sentence names layers by their numbers, which fall where the offset rises in a stack that is read in reverse.
    is_later = (shift > 0) == (best.direction == "as stored")
    moved = f"shifted by {layers} {at_the_end}towards {'later' if is_later else 'earlier'} ones"
    looks = f"reversed and {moved}" if is_reversed else moved
    kind: Kind = "reversed and shifted" if is_reversed else "shifted"
    said = f"The stack looks {looks}: predict with {_flags(best.direction, offset)}."
    return Verdict(kind, best.direction, offset, shift, said)


_CANNOT_TELL = (
    "Nothing can be told: ink stands out clearly in no window; probe a --region with more ink, give its --labels, or "
    "try another model."
)


def _middle_of_the_plateau(row: Sequence[Window], best: Window) -> int:
    """Return the middle of the offsets around the best that separate nearly as well: the peak is flat."""
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
