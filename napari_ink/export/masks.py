"""Label values as masks: true or false for each pixel of the stack."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import EdgeValue, LabelValue

Mask = npt.NDArray[np.bool_]


def ink_mask(labels: npt.NDArray[np.uint8]) -> Mask:
    """Return where ink labels ``(y, x)`` say ink."""
    return np.asarray(labels == LabelValue.INK)


def edge_mask(labels: npt.NDArray[np.uint8]) -> Mask:
    """Return where edge labels ``(y, x)`` say edge."""
    return np.asarray(labels == EdgeValue.EDGE)


def supervision_mask(labels: npt.NDArray[np.uint8]) -> Mask:
    """Return where somebody has looked: what is not ink there is papyrus, and outside it nothing is known."""
    return np.asarray(labels != LabelValue.UNREVIEWED)
