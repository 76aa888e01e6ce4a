"""Growing a region from a stroke within a box: a watershed on the edges, and a flood fill."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.errors import LabelError
from napari_ink.typing import Mask


def grow(cost: npt.NDArray[np.float32], ink: Mask, papyrus: Mask) -> tuple[Mask, bool]:
    """Return the region that a stroke grows to ``(y, x)``, and whether it reaches the border of the box.

    The stroke and the papyrus grow towards each other over the edge map, and meet on the edges between them: a
    watershed from markers (Meyer 1991, as in scikit-image), which is the cut between the two whose weakest edge is
    strongest. A random walker (Grady 2006) on the same map left a rim of the edge's width and took longer.

    Parameters
    ----------
    cost
        Edge costs ``(y, x)`` of the box, small on edges.
    ink
        Pixels of the stroke, bool ``(y, x)``.
    papyrus
        Pixels that are known not to belong to the region; so is the border of the box, except under the stroke.
    """
    from skimage.segmentation import watershed

    # The order matters: papyrus overrides the border, and the stroke overrides both.
    seeds = np.zeros(cost.shape, np.int32)
    seeds[0], seeds[-1], seeds[:, 0], seeds[:, -1] = 2, 2, 2, 2
    seeds[papyrus] = 2
    seeds[ink] = 1
    grown: Mask = watershed(-cost, seeds) == 1  # type: ignore[no-untyped-call]
    return grown, bool(grown[1].any() or grown[-2].any() or grown[:, 1].any() or grown[:, -2].any())


def enclosed(barrier: Mask, y: int, x: int) -> Mask:
    """Return the region ``(y, x)`` around a pixel that a barrier encloses within a box.

    Raises
    ------
    LabelError
        If the region is open, or larger than the box.
    """
    if barrier[y, x]:
        raise LabelError("There is an edge under the mouse; click inside the region to be filled.")
    labels, _ = ndimage.label(~barrier)
    region: Mask = labels == labels[y, x]
    if region[0].any() or region[-1].any() or region[:, 0].any() or region[:, -1].any():
        raise LabelError(
            "The region is not closed, or larger than can be filled at once; close its outline (Join, Outline) first."
        )
    return region
