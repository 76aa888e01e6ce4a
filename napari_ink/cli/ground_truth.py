"""Reading of labels, and of masks of the pixels that count, for commands that score."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.errors import BadInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[Any]


def read_truth(
    labels: Path, mask: Path | None, everywhere: bool, shape: tuple[int, int], region: tuple[slice, slice]
) -> tuple[Plane, Plane | None, str]:
    """Read the known ink and the pixels that count.

    Notes on guesses about the images, and on a lack of ink, are printed to standard error.

    Parameters
    ----------
    labels
        Image of the ink, or of label values 0, 1 and 2, of which unreviewed pixels do not count.
    mask
        Image of the pixels that count; None for the supervision mask beside the labels.
    everywhere
        Whether to count every pixel, even with a supervision mask beside the labels.
    shape, region
        The segment's height and width, and the rows and columns to return.

    Returns
    -------
    truth : numpy.ndarray
        Mask ``(y, x)`` of the ink, of bool.
    inside : numpy.ndarray or None
        Mask ``(y, x)`` of the pixels that count, of bool; None if all do.
    counted : str
        The pixels that count, in words.

    Raises
    ------
    LabelError
        If an image cannot be read or does not fit the segment.
    BadInputError
        If no pixel counts.
    """
    from napari_ink.annotation import LabelValue
    from napari_ink.stack import find_mask_of_labels, read_ink, read_segment_mask

    ink = read_ink(labels, shape)
    notes, inside, parts = [ink.note], None, []
    values = ink.values[region]
    truth = values == (LabelValue.INK if ink.are_labels else 1)
    if ink.are_labels and not everywhere:
        inside, parts = values != LabelValue.UNREVIEWED, [f"reviewed pixels of {labels.name}"]
    if mask is None and not everywhere:
        mask = find_mask_of_labels(labels, "supervision_mask")
    if mask is not None:
        found = read_segment_mask(mask, shape)
        notes.append(found.note)
        counted = found[region]
        inside = counted if inside is None else inside & counted
        parts.append(f"pixels inside {mask.name}")
    if inside is not None and not inside.any():
        raise BadInputError(f"{mask or labels} leaves nothing to score; use a mask that is white where pixels count.")
    if not (truth if inside is None else truth & inside).any():
        notes.append(f"{labels} has no ink among the pixels that count, so scores of ink and edges mean nothing.")
    print(*filter(None, notes), sep="\n", end="\n" if any(notes) else "", file=sys.stderr)
    why = "as requested" if everywhere else "since no supervision mask is given or lies beside the labels"
    return truth, inside, " and ".join(parts) or f"every pixel, {why}"
