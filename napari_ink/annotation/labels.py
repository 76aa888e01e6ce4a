"""Label values, their colours, and the first draft of labels from a prediction."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

DRAFT = "draft"
"""Name of the tool in the history of edits that draft labels from a prediction."""

Labels = npt.NDArray[np.uint8]
Colour = tuple[float, float, float, float]


class LabelValue(IntEnum):
    """Values of ink labels. An unreviewed pixel is never background: it is simply not known."""

    UNREVIEWED = 0
    PAPYRUS = 1
    INK = 2


class EdgeValue(IntEnum):
    """Values of edge labels."""

    UNREVIEWED = 0
    EDGE = 1
    NOT_EDGE = 2


# Warm colours, and green for papyrus; predictions are cool. Chosen by a search for the largest distance between any two
# under deuteranopia, protanopia and normal sight (tests/gui/test_palette.py holds it).
INK_COLOURS: dict[LabelValue, Colour] = {
    LabelValue.UNREVIEWED: (0.0, 0.0, 0.0, 0.0),
    LabelValue.PAPYRUS: (0.05, 0.80, 0.38, 0.9),
    LabelValue.INK: (0.84, 0.33, 0.0, 0.9),
}
EDGE_COLOURS: dict[EdgeValue, Colour] = {
    EdgeValue.UNREVIEWED: (0.0, 0.0, 0.0, 0.0),
    EdgeValue.EDGE: (1.0, 0.97, 0.80, 1.0),
    EdgeValue.NOT_EDGE: (0.80, 0.52, 0.70, 0.95),
}


def draft_ink_labels(ink: npt.NDArray[np.uint8], threshold: float) -> Labels:
    """Return ink labels ``(y, x)`` of the pixels that reach a threshold; all others stay unreviewed.

    Parameters
    ----------
    ink
        Probability of ink, uint8 with 255 for 1.
    threshold
        Lowest probability that counts as ink, 0 to 1.
    """
    return np.where(ink >= threshold * 255, LabelValue.INK, LabelValue.UNREVIEWED).astype(np.uint8)


def draft_edge_labels(edge: npt.NDArray[np.uint8], threshold: float) -> Labels:
    """Return edge labels ``(y, x)`` of pixels that reach a threshold, thinned to lines; others stay unreviewed."""
    from skimage.morphology import skeletonize

    lines = skeletonize(edge >= threshold * 255)  # type: ignore[no-untyped-call]
    return np.where(lines, EdgeValue.EDGE, EdgeValue.UNREVIEWED).astype(np.uint8)
