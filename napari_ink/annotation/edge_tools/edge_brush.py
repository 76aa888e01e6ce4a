"""The edge-aware brush: a disc that paints what it reaches from its centre without crossing an edge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.typing import Mask

_AROUND = ndimage.generate_binary_structure(2, 1)


def reach(barrier: Mask, y: int, x: int, radius_px: int) -> Mask:
    """Return what a brush paints ``(y, x)`` in a box.

    Parameters
    ----------
    barrier
        Where edges are, in a box that holds the disc as far as the segment goes.
    y, x
        The disc's centre in the box. On an edge it paints nothing: nobody can tell which side is meant.
    radius_px
        The disc's radius.
    """
    rows, columns = np.ogrid[: barrier.shape[0], : barrier.shape[1]]
    free = ((rows - y) ** 2 + (columns - x) ** 2 <= radius_px**2) & ~barrier
    if not free[y, x]:
        return np.zeros_like(free)
    # Four neighbours only, so that an edge of one pixel's width, drawn diagonally, is not slipped through.
    labels, _ = ndimage.label(free, _AROUND)
    mask: Mask = labels == labels[y, x]
    return mask


def barrier_of(edge_labels: npt.NDArray[np.uint8], probability: npt.NDArray[np.uint8] | None, threshold: float) -> Mask:
    """Return where edges are: those drawn, and those predicted unless they were called no edge.

    Parameters
    ----------
    edge_labels
        Edge labels ``(y, x)``.
    probability
        Probability of an edge, 0…255, or None where nothing is predicted.
    threshold
        Least probability that counts, 0…1.
    """
    from skimage.morphology import skeletonize

    from napari_ink.annotation.labels import EdgeValue

    drawn: Mask = edge_labels == EdgeValue.EDGE
    if probability is None:
        return drawn
    likely = (probability >= max(threshold * 255, 1)) & (edge_labels != EdgeValue.NOT_EDGE)
    # A predicted edge is several pixels wide: its middle is where it is.
    middle: Mask = skeletonize(likely)  # type: ignore[no-untyped-call]
    return drawn | middle
