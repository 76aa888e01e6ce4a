"""What the values of a mask or label file mean: decided here alone, for every command, the window and every format.

Files come as 0 and 1, 0 and 255, soft greys of any depth, palettes, our label values, and numbers of objects or classes
of other programs. The rule, and why it is so, is in ``docs/decisions/0024-masks-meaning.md``.
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
# Our exports of label values say so with this key in a PNG, and at the start of a TIFF's description. The values alone
# could not: labels of which nobody has found any ink yet are 0 and 1, as most masks are.
LABELS_KEY, LABELS_TEXT = "napari-ink", "label values"
# What white is where values take fewer bits than they are stored in.
_WHITES = (255, 1023, 4095, 16383, 65535)
_MOST_CLASSES = 15
_FAINT = 8
_MOST_VALUES = 2**16
_MOST_LISTED = 8
_AT_ONCE_PX = 2**18


@dataclass(frozen=True, slots=True)
class Samples:
    """What a file says about its values.

    Attributes
    ----------
    bits
        Bits of a value; None where the file gives it more room than anybody needs, as int64 does.
    palette
        The colour of each value, where values are numbers of colours; else empty.
    are_labels
        Whether the file says itself that it holds our label values, as our exports do.
    is_turned
        Whether the file says that 0 is white, so that its values were turned round where they were read.
    note
        A sentence about which plane of the file they are, where that was guessed.
    """

    bits: int | None = None
    palette: tuple[Colour, ...] = ()
    are_labels: bool = False
    is_turned: bool = False
    note: str = ""


def bits_of(dtype: np.dtype[Any]) -> int | None:
    """Return the bits of a value where no file says them: those of 8 and 16 bits, which people fill up to white."""
    return 8 * dtype.itemsize if dtype.kind == "u" and dtype.itemsize <= 2 else None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What each value of one file means.

    Attributes
    ----------
    are_labels
        Whether they are label values: 0 unreviewed, 1 papyrus, 2 ink; or 1 edge, 2 not an edge. Else they are a mask.
    white
        The value that is white in a mask.
    note
        A sentence about what was guessed; empty where nothing was.
    greys
        The grey of each value, where values are numbers in a palette of greys; else empty.
    """

    are_labels: bool
    white: int = 1
    note: str = ""
    greys: tuple[int, ...] = ()

    def is_white(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return where a mask is at least half white."""
        return np.asarray(self._greys_of(values) > self.white // 2)

    def levels(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return how white a mask is, 0 to 255; at least half white is 128 and more."""
        values = self._greys_of(values)
        if self.white > _WHITES[-1]:  # such a mask has two values
            return (values > self.white // 2).astype(np.uint8) * np.uint8(255)
        table = np.rint(np.arange(self.white + 1) * (255 / self.white)).astype(np.uint8)
        return np.asarray(table[np.minimum(values.astype(np.intp), self.white)])

    def labels(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return label values."""
        return self._greys_of(values).astype(np.uint8)

    def _greys_of(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(self.greys, np.uint8)[values] if self.greys else values


class ValuesSeen:
    """The distinct values of a plane that is read a part at a time; of very many, the smallest and largest are kept."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def add(self, part: npt.NDArray[Any]) -> None:
        """Take note of the values in a part."""
        if part.size == 0 or self._knows_all_of(part):
            return
        flat = part.reshape(-1)
        for start in range(0, flat.size, _AT_ONCE_PX):
            self._seen.update(_distinct(flat[start : start + _AT_ONCE_PX]))
        if len(self._seen) > _MOST_VALUES:
            ends = sorted(self._seen)
            self._seen = {*ends[:_MOST_LISTED], ends[-1]}

    def _knows_all_of(self, part: npt.NDArray[Any]) -> bool:
        # Nearly all of a mask is of two values, and counting these is much quicker than looking for others.
        known = sorted(self._seen)[:: max(len(self._seen) - 1, 1)]
        return sum(int(np.count_nonzero(part == value)) for value in known) == part.size

    def values(self) -> tuple[int, ...]:
        """Return the distinct values in their order."""
        return tuple(sorted(self._seen))


def _distinct(flat: npt.NDArray[Any]) -> list[int]:
    if flat.dtype.kind == "u" and flat.dtype.itemsize <= 2:
        return [int(value) for value in np.flatnonzero(np.bincount(flat))]
    return [int(value) for value in np.unique(flat)]


def values_of(parts: Iterable[npt.NDArray[Any]]) -> tuple[int, ...]:
    """Return the distinct values of the parts of a plane in their order."""
    seen = ValuesSeen()
    for part in parts:
        seen.add(part)
    return seen.values()


def meaning_of(values: Sequence[int], samples: Samples, where: object, threshold: float | None = None) -> Meaning:
    """Decide what the values of a file mean.

    Parameters
    ----------
    values
        The distinct values of the whole file, in their order.
    samples
        What the file says about them.
    where
        The file, for the messages.
    threshold
        Where somebody says that a soft mask is to be cut, 0 to 1, and 0 where all its greys count; half of white where
        nobody does.

    Raises
    ------
    LabelError
        If they are neither a mask nor label values, or a mask that is not black would come out empty. The sentence
        lists the values.
    """
    if samples.palette:
        return _meaning_of_palette(values, samples, where, threshold)
    found = _meaning_of_greys(values, samples, where, threshold)
    turned = f"{where} says that its 0 is white, so 0 counts (TIFF's photometric interpretation 0)."
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
    if set(values) <= {0, top}:
        is_plain = top in _WHITES or (samples.bits is not None and 2 * top >= (1 << samples.bits) - 1)
        note = "" if is_plain else f"{where} holds the {listed(values)}: {top} counts as white."
        return Meaning(are_labels=False, white=top, note=note)
    return _meaning_of_soft(values, samples, where, threshold)


def _note_on_labels(values: Sequence[int], samples: Samples, where: object) -> str:
    """Say what was guessed of label values: numbers of objects, 1 and 2 only, look the same."""
    if not samples.are_labels:
        return (
            f"{where} holds the {listed(values)}: read as label values (1 papyrus and 2 ink; or 1 edge and 2 no edge), "
            "not as a mask or numbers of objects."
        )
    return "" if 2 in values else f"{where} says that it holds label values, and it has no 2 (ink)."


def _meaning_of_soft(values: Sequence[int], samples: Samples, where: object, threshold: float | None) -> Meaning:
    """Return the meaning of more than two values, if they can be greys."""
    white = _white_of(values[-1], samples.bits, threshold)
    if white is None or _are_classes(values, white):
        raise _no_mask(values, where)
    least = max(1, -(-white * (HALF if threshold is None else threshold) // 1))
    if values[-1] < least:
        raise LabelError(
            f"{where} holds the {listed(values)} with {white} for white, and none of them reaches the threshold of "
            f"{threshold}; choose a lower one."
        )
    note = "" if threshold == 0 else f"{where} holds the {listed(values)}: those from {least:.0f} on count as white."
    if white >= _FAINT * values[-1]:
        note = f"{where} holds the {listed(values)}, and white would be {white}: all of it is next to black."
    return Meaning(are_labels=False, white=white, note=note)


def _white_of(top: int, bits: int | None, threshold: float | None) -> int | None:
    """Return the value that is white in a soft mask; None where its values don't say so."""
    stored = None if bits is None else (1 << bits) - 1
    if stored is not None and 2 * top >= stored:
        return stored
    if top in _WHITES:
        return top
    if threshold is None:
        return None  # half of white is not reached: numbers of something, rather than greys
    return stored or next((white for white in (255, 65535) if white >= top), None)


def _are_classes(values: Sequence[int], white: int) -> bool:
    """Whether values are 1, 2, … and white: numbers of classes, of which white often says *unknown*."""
    others = [value for value in values if value not in (0, white)]
    return white >= _WHITES[0] and len(others) <= _MOST_CLASSES and others == list(range(1, len(others) + 1))


def _meaning_of_palette(values: Sequence[int], samples: Samples, where: object, threshold: float | None) -> Meaning:
    """Decide by the numbers of colours; by their greys where there are only greys, and many of them."""
    plain = replace(samples, palette=(), bits=None)
    colours = [samples.palette[value] if value < len(samples.palette) else (0, 0, 1) for value in values]
    greys = [colour[0] for colour in colours]
    if all(len(set(colour)) == 1 for colour in colours) and greys != (ordered := sorted(greys)):
        raise LabelError(
            f"{where} has a palette in which number {values[greys.index(ordered[-1])]} is brighter than the numbers "
            "after it, so numbers and greys say opposite things; save it as a grey image."
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
    return replace(found, note=note)


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def _no_mask(values: Sequence[int], where: object) -> LabelError:
    return LabelError(
        f"{where} holds the {listed(values)}, which are neither a mask (black and white) nor label values (0, 1 and "
        "2); save what is meant as 255 and all else as 0."
    )


def listed(values: Sequence[int]) -> str:
    """Return distinct values in words: all of a few, of many the first and the last."""
    *others, last = values
    if not others:
        return f"value {last}"
    if len(values) <= _MOST_LISTED:
        return f"values {', '.join(map(str, others))} and {last}"
    return f"values {', '.join(map(str, values[:3]))}, … {last}"
