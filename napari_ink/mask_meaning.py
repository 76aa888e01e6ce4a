"""Meaning of the values in a mask or label file, for all commands, the window and all formats.

Files hold 0 and 1, 0 and 255, soft greys of any bit depth, palettes, our label values, or object and class numbers of
other programs. ``docs/decisions/0024-masks-meaning.md`` states the rule and its reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.errors import LabelError

Colour = tuple[int, int, int]
INK_LABELS: Mapping[int, str] = {1: "papyrus", 2: "ink"}
EDGE_LABELS: Mapping[int, str] = {1: "edge", 2: "not an edge"}
HALF = 0.5
# Our exports of label values carry this key in a PNG's text, and both at the start of a TIFF's description. The values
# alone are ambiguous: labels without any ink yet are 0 and 1, like most masks.
LABELS_KEY, LABELS_TEXT = "napari-ink", "label values"
# White in values of 8, 10, 12, 14 and 16 bits; files often store fewer bits than their dtype has.
_WHITES = (255, 1023, 4095, 16383, 65535)
_MOST_CLASSES = 15
_FAINT = 8
_MOST_VALUES = 2**16
_MOST_LISTED = 8
_AT_ONCE_PX = 2**18


@dataclass(frozen=True, slots=True)
class Samples:
    """What the metadata of a file state about its values.

    Attributes
    ----------
    bits
        Bits per value; None if they say nothing about white, as with int64.
    palette
        Colour of each value, if values are indices of a palette; else empty.
    are_labels
        Whether the file states that it holds our label values, as our exports do.
    is_turned
        Whether the file states that 0 is white, so that its values were inverted on reading.
    note
        Sentence on what was guessed about the plane, such as which one of the file was read, or on its orientation;
        empty if there is nothing to say.
    """

    bits: int | None = None
    palette: tuple[Colour, ...] = ()
    are_labels: bool = False
    is_turned: bool = False
    note: str = ""


def bits_of(dtype: np.dtype[Any]) -> int | None:
    """Return the bits per value of a dtype whose maximum people use as white: uint8 and uint16; None for others."""
    return 8 * dtype.itemsize if dtype.kind == "u" and dtype.itemsize <= 2 else None


@dataclass(frozen=True, slots=True)
class Meaning:
    """Meaning of the values in one file.

    Attributes
    ----------
    are_labels
        Whether they are label values (0 unreviewed; 1 papyrus and 2 ink, or 1 edge and 2 not an edge) rather than a
        mask.
    white
        Value of white in a mask.
    note
        Sentence on guesses about the values; empty if there were none.
    greys
        Grey of each value, if values are indices of a palette of greys; else empty.
    """

    are_labels: bool
    white: int = 1
    note: str = ""
    greys: tuple[int, ...] = ()

    def is_white(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return where the values of a mask are at least half of white, as bool of the same shape."""
        return np.asarray(self._greys_of(values) > self.white // 2)

    def levels(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return a mask scaled to 0 to 255; half of white or more becomes 128 or more."""
        values = self._greys_of(values)
        if self.white > _WHITES[-1]:  # only a mask of two values has such a white, and a table would be huge
            return (values > self.white // 2).astype(np.uint8) * np.uint8(255)
        table = np.rint(np.arange(self.white + 1) * (255 / self.white)).astype(np.uint8)
        return np.asarray(table[np.minimum(values.astype(np.intp), self.white)])

    def labels(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return label values as uint8."""
        return self._greys_of(values).astype(np.uint8)

    def _greys_of(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(self.greys, np.uint8)[values] if self.greys else values


class ValuesSeen:
    """The distinct values of a plane that is read in parts; if they are too many, the first few and the last."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def add(self, part: npt.NDArray[Any]) -> None:
        """Add the values of a part."""
        if part.size == 0 or self._knows_all_of(part):
            return
        flat = part.reshape(-1)
        for start in range(0, flat.size, _AT_ONCE_PX):
            self._seen.update(_distinct(flat[start : start + _AT_ONCE_PX]))
        if len(self._seen) > _MOST_VALUES:
            ends = sorted(self._seen)
            self._seen = {*ends[:_MOST_LISTED], ends[-1]}

    def _knows_all_of(self, part: npt.NDArray[Any]) -> bool:
        # Masks mostly have two values, and counting these is much faster than finding distinct ones.
        known = sorted(self._seen)[:: max(len(self._seen) - 1, 1)]
        return sum(int(np.count_nonzero(part == value)) for value in known) == part.size

    def values(self) -> tuple[int, ...]:
        """Return the distinct values in ascending order."""
        return tuple(sorted(self._seen))


def _distinct(flat: npt.NDArray[Any]) -> list[int]:
    # Counting needs no sorting, which makes it several times faster than `np.unique`.
    if flat.dtype.kind == "u" and flat.dtype.itemsize <= 2:
        return [int(value) for value in np.flatnonzero(np.bincount(flat))]
    return [int(value) for value in np.unique(flat)]


def values_of(parts: Iterable[npt.NDArray[Any]]) -> tuple[int, ...]:
    """Return the distinct values of the parts of a plane in ascending order."""
    seen = ValuesSeen()
    for part in parts:
        seen.add(part)
    return seen.values()


def meaning_of(values: Sequence[int], samples: Samples, where: object, threshold: float | None = None) -> Meaning:
    """Return the meaning of a file's values.

    Parameters
    ----------
    values
        Distinct values of the whole file, in ascending order.
    samples
        What the file's metadata state about them.
    where
        The file, for messages and notes.
    threshold
        Share of white, 0 to 1, from which the greys of a soft mask count; with 0, all greys count. Half of white if
        the user gave none.

    Raises
    ------
    LabelError
        If the values are neither a mask nor label values, or no value reaches the threshold. The message lists them.
    """
    if samples.palette:
        return _meaning_of_palette(values, samples, where, threshold)
    found = _meaning_of_greys(values, samples, where, threshold)
    turned = f"{where} states that 0 is white, so 0 counts (TIFF's photometric interpretation 0)."
    notes = (samples.note, turned if samples.is_turned else "", found.note)
    return replace(found, note=" ".join(filter(None, notes)))


def _meaning_of_greys(values: Sequence[int], samples: Samples, where: object, threshold: float | None) -> Meaning:
    top = max(values, default=0)
    if min(values, default=0) < 0:
        raise _no_mask(values, where)
    if top == 2 or (top < 2 and samples.are_labels):
        return Meaning(are_labels=True, note=_note_on_labels(values, samples, where))
    if top <= 1:
        return Meaning(are_labels=False)
    # A mask of two values: any value but 0 is white, with a note unless its file's bits make that obvious.
    if set(values) <= {0, top}:
        is_plain = top in _WHITES or (samples.bits is not None and 2 * top >= (1 << samples.bits) - 1)
        note = "" if is_plain else f"{where} holds the {listed(values)}: {top} counts as white."
        return Meaning(are_labels=False, white=top, note=note)
    return _meaning_of_soft(values, samples, where, threshold)


def _note_on_labels(values: Sequence[int], samples: Samples, where: object) -> str:
    """Return a sentence on guessed label values: object numbers 1 and 2 look the same."""
    if not samples.are_labels:
        return (
            f"{where} holds the {listed(values)}: read as label values (1 papyrus and 2 ink; or 1 edge and 2 no edge), "
            "not as a mask or numbers of objects."
        )
    return "" if 2 in values else f"{where} is marked as label values, and has no 2 (ink)."


def _meaning_of_soft(values: Sequence[int], samples: Samples, where: object, threshold: float | None) -> Meaning:
    """Return the meaning of more than two values, if they can be the greys of a soft mask."""
    white = _white_of(values[-1], samples.bits, threshold)
    if white is None or _are_classes(values, white):
        raise _no_mask(values, where)
    least = max(1, -(-white * (HALF if threshold is None else threshold) // 1))  # rounded up; black never counts
    if values[-1] < least:
        raise LabelError(
            f"{where} holds the {listed(values)} with {white} for white, and none of them reaches the threshold of "
            f"{threshold}; choose a lower one."
        )
    note = "" if threshold == 0 else f"{where} holds the {listed(values)}: those from {least:.0f} on count as white."
    if white >= _FAINT * values[-1]:
        note = f"{where} holds the {listed(values)}, and white would be {white}: all of it is nearly black."
    return Meaning(are_labels=False, white=white, note=note)


def _white_of(top: int, bits: int | None, threshold: float | None) -> int | None:
    """Return the value of white in a soft mask; None if the values do not show it."""
    stored = None if bits is None else (1 << bits) - 1
    if stored is not None and 2 * top >= stored:
        return stored
    if top in _WHITES:
        return top
    if threshold is None:
        return None  # no value reaches half of white: probably object numbers, not greys
    return stored or next((white for white in (255, 65535) if white >= top), None)


def _are_classes(values: Sequence[int], white: int) -> bool:
    """Whether values are 1, 2, … and white: class numbers, among which white often stands for *unknown*."""
    others = [value for value in values if value not in (0, white)]
    return white >= _WHITES[0] and len(others) <= _MOST_CLASSES and others == list(range(1, len(others) + 1))


def _meaning_of_palette(values: Sequence[int], samples: Samples, where: object, threshold: float | None) -> Meaning:
    """Return the meaning of palette indices; a palette of more than three greys counts as greys."""
    plain = replace(samples, palette=(), bits=None)
    colours = [samples.palette[value] if value < len(samples.palette) else (0, 0, 1) for value in values]
    greys = [colour[0] for colour in colours]
    # Programs that ignore palettes see the indices, others see the greys: both must give the same mask.
    if all(len(set(colour)) == 1 for colour in colours) and greys != (ordered := sorted(greys)):
        raise LabelError(
            f"{where} has a palette in which number {values[greys.index(ordered[-1])]} is brighter than the numbers "
            "after it, so numbers and greys contradict each other; save it as a grey image."
        )
    if all(len(set(colour)) == 1 for colour in colours) and len(set(greys)) == len(greys):
        if max(values, default=0) <= 2:
            return meaning_of(values, plain, where)
        found = meaning_of(greys, replace(plain, bits=8), where, threshold)
        return replace(found, greys=tuple(colour[0] for colour in samples.palette))
    if max(values, default=0) > 2 and not set(values) <= {0, values[-1]}:
        raise _no_mask(values, where)
    found = meaning_of(values, plain, where)
    if found.are_labels or max(values, default=0) == 0:
        return found
    note = f"{where} has a palette: its colour number {values[-1]}, {_hex(colours[-1])}, counts as white."
    return replace(found, note=" ".join(filter(None, (samples.note, note))))


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def _no_mask(values: Sequence[int], where: object) -> LabelError:
    return LabelError(
        f"{where} holds the {listed(values)}, which are neither a mask (black and white) nor label values (0, 1 and "
        "2); save the wanted pixels as 255 and all others as 0."
    )


def listed(values: Sequence[int]) -> str:
    """Return distinct values in words: all of them if they are few, else the first three and the last."""
    *others, last = values
    if not others:
        return f"value {last}"
    if len(values) <= _MOST_LISTED:
        return f"values {', '.join(map(str, others))} and {last}"
    return f"values {', '.join(map(str, values[:3]))}, … {last}"
