"""Comparison of the maps of both directions of reading: in which of them ink stands out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_ink.errors import BadInputError
from napari_ink.predict.probing.separation import LEVELS, Separation, separation_of_counts, separation_of_labelled
from napari_ink.predict.probing.verdict import MARGIN
from napari_ink.predict.storage.store import Prediction
from napari_ink.predict.tiles import BLOCK
from napari_ink.typing import Mask


@dataclass(frozen=True, slots=True)
class DirectionComparison:
    """How well ink stands out in the maps of both directions.

    Attributes
    ----------
    as_stored, reversed_
        The separations.
    has_labels
        Whether they were measured with labels.
    sentence
        Sentence for the user.
    """

    as_stored: Separation
    reversed_: Separation
    has_labels: bool
    sentence: str


def compare_directions(
    as_stored: Prediction, reversed_: Prediction, ink: Mask | None = None, inside: Mask | None = None
) -> DirectionComparison:
    """Compare the maps of both directions over their region, a row of blocks at a time.

    Without labels, pixels count that one of the maps has ink in, so that masked ones do not.

    Parameters
    ----------
    as_stored, reversed_
        Complete predictions of one region.
    ink, inside
        Labels, and pixels that count, ``(y, x)`` bool of the region; None if there are none.

    Raises
    ------
    BadInputError
        If they are of different regions, or not complete.
    """
    region = as_stored.region
    if reversed_.region != region or reversed_.shape != as_stored.shape:
        raise BadInputError(f"{as_stored.path} and {reversed_.path} are of different regions; predict the same region.")
    for one in (as_stored, reversed_):
        if not one.complete:
            raise BadInputError(f"{one.path} is not complete; continue it with `napari-ink predict --resume`.")
    has_labels = ink is not None and bool(ink.any()) and not bool(ink.all())
    # Of each map, how many pixels have a level: on papyrus and on ink if there are labels, else all of them together.
    counts = np.zeros((2, 2, LEVELS), np.int64)
    for top in range(region.y0, region.y1, BLOCK):
        rows = slice(top, min(top + BLOCK, region.y1))
        levels = [one.read("ink", rows, slice(region.x0, region.x1)) for one in (as_stored, reversed_)]
        here = slice(rows.start - region.y0, rows.stop - region.y0)
        counted = (levels[0] | levels[1]) > 0 if not has_labels else np.ones(levels[0].shape, bool)
        if inside is not None:
            counted &= inside[here]
        kinds = [counted & ~ink[here], counted & ink[here]] if has_labels and ink is not None else [counted]
        for number, plane in enumerate(levels):
            for kind, where in enumerate(kinds):
                counts[number, kind] += np.bincount(plane[where], minlength=LEVELS)
    first, second = (
        separation_of_labelled(one[0], one[1]) if has_labels else separation_of_counts(one[0]) for one in counts
    )
    return DirectionComparison(first, second, has_labels, _sentence(first, second, has_labels))


def _sentence(first: Separation, second: Separation, has_labels: bool) -> str:
    how = "with labels" if has_labels else "without labels"
    values = f"{first.value:.0f} as stored and {second.value:.0f} reversed, of 255, {how}"
    better, other = (first, second) if first.value >= second.value else (second, first)
    name = "as stored" if better is first else "reversed"
    if not better.is_clear:
        return f"Ink stands out clearly in neither direction ({values})."
    if other.is_clear and other.value > (1 - MARGIN) * better.value:
        return f"Ink stands out about equally in both directions ({values}); look at both maps."
    return f"Ink stands out better read {name} ({values})."
