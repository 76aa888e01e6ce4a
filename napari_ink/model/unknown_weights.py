"""Description of weights of an unknown network, so that a person can tell which file they have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_MOST_CHARACTERS = 60  # names come from a file, and may have any length
_MARKS = (
    ("depth_fusion.", "a network of the ink_9um family"),
    ("canonical.decoder.", "Hecate"),
    ("decoder.depth_collapse.", "ink_canonical_2um"),
    ("to_patch_embedding.", "a TimeSformer"),
    ("segformer.", "a SegFormer"),
    ("backbone.layer4.", "a ResNet with another decoder"),
)
"""Parts of names of weights that tell a family, the more special ones first."""


def in_words(weights: Mapping[str, Tensor]) -> str:
    """Return the first names, the largest weight and the probable family of weights, as part of a sentence."""
    names = sorted(weights)
    largest = max(names, key=lambda name: math.prod(weights[name].shape))
    size = " × ".join(map(str, weights[largest].shape)) or "one number"
    family = next((words for mark, words in _MARKS if any(mark in name for name in names)), None)
    guess = "" if family is None else f", and it looks like {family}"
    first = ", ".join(name[:_MOST_CHARACTERS] for name in names[:3])
    return f"it begins with {first}; its largest weight is {largest[:_MOST_CHARACTERS]}, {size}{guess}"
