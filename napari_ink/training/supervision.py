"""Supervision of a pixel in one byte: ink label, edge label and hint, so that augmentation moves all three alike.

A hint is another model's prediction for an unlabelled pixel. It counts less than a label, and prevents a network that
learns from a few strokes from forgetting the rest of the segment.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_ink.typing import UInt8Array

# Label values, with `OUTSIDE`, and edge label values fit into two bits each.
_EDGE_BIT, _HINT_BIT = 2, 4
_LABEL_MASK = 0b11
# The upper four bits hold 16 values, of which 0 is for pixels without a hint.
HINT_LEVELS = 15
"""Probabilities that a hint can have; 0 stands for no hint."""


def pack(labels: UInt8Array, edges: UInt8Array | None = None, hints: UInt8Array | None = None) -> UInt8Array:
    """Return label values, edge label values and hints ``(y, x)`` in one plane."""
    packed = labels.copy()
    if edges is not None:
        packed |= edges << _EDGE_BIT
    if hints is not None:
        packed |= hints << _HINT_BIT
    return packed


def unpack_labels(packed: UInt8Array) -> UInt8Array:
    """Return the label values of a packed plane."""
    return packed & np.uint8(_LABEL_MASK)


def to_hints(probabilities: UInt8Array) -> UInt8Array:
    """Return the hints of probabilities, uint8 with 255 for 1: levels 1 to `HINT_LEVELS`."""
    levels: UInt8Array = (1 + np.rint(probabilities / np.float32(255) * (HINT_LEVELS - 1))).astype(np.uint8)
    return levels


def ink_labels(packed: Tensor) -> Tensor:
    """Return the label values of packed planes ``(b, y, x)``."""
    return packed & _LABEL_MASK


def edge_labels(packed: Tensor) -> Tensor:
    """Return the edge label values of packed planes ``(b, y, x)``."""
    return (packed >> _EDGE_BIT) & _LABEL_MASK


def hinted_ink(packed: Tensor) -> Tensor:
    """Return the hinted probability of ink ``(b, y, x)``, float32; −1 where there is none."""
    levels = (packed >> _HINT_BIT).to(torch.float32)
    return torch.where(levels > 0, (levels - 1) / (HINT_LEVELS - 1), -1.0)
