"""The edge-aware brush: a disc that paints only pixels connected to its centre without crossing an edge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.typing import Mask

_AROUND = ndimage.generate_binary_structure(2, 1)


def reach(barrier: Mask, y: int, x: int, radius_px: int) -> Mask:
    """Return the mask ``(y, x)`` that a brush paints in a box.

    Parameters
    ----------
    barrier
        Edges, bool ``(y, x)``, in a box around the disc, clipped to the segment.
    y, x
        Centre of the disc in the box. On an edge it paints nothing, since the side is ambiguous.
    radius_px
        Radius of the disc, in pixels.
    """
    rows, columns = np.ogrid[: barrier.shape[0], : barrier.shape[1]]
    free = ((rows - y) ** 2 + (columns - x) ** 2 <= radius_px**2) & ~barrier
    if not free[y, x]:
        return np.zeros_like(free)
    # Four neighbours only: with eight, the brush would pass through a diagonal edge of one pixel's width.
    labels, _ = ndimage.label(free, _AROUND)
    mask: Mask = labels == labels[y, x]
    return mask


def barrier_of(edge_labels: npt.NDArray[np.uint8], probability: npt.NDArray[np.uint8] | None, threshold: float) -> Mask:
    """Return a mask of the edges: drawn ones, and predicted ones that are not labelled as "not an edge".

    Parameters
    ----------
    edge_labels
        Edge labels ``(y, x)``.
    probability
        Probability of edges, uint8, or None without a prediction.
    threshold
        Lowest probability that counts as an edge, 0…1.
    """
    from skimage.morphology import skeletonize

    from napari_ink.annotation.labels import EdgeValue

    drawn: Mask = edge_labels == EdgeValue.EDGE
    if probability is None:
        return drawn
    likely = (probability >= max(threshold * 255, 1)) & (edge_labels != EdgeValue.NOT_EDGE)
    # A predicted edge is several pixels wide; its centre line is the best estimate.
    middle: Mask = skeletonize(likely)  # type: ignore[no-untyped-call]
    return drawn | middle
