"""Description of weights of an unknown network, so that a person can tell which file they have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

EXPORT_IT = "export it as TorchScript or ONNX, see docs/models.md"
"""What to do with a network of no known family, as the end of a sentence."""

_MOST_CHARACTERS = 80  # names come from a file, and may have any length
_MARKS = (
    ("depth_fusion.", "a network of the ink_9um family"),
    ("canonical.decoder.", "Hecate"),
    ("decoder.depth_collapse.", "ink_canonical_2um"),
    ("to_patch_embedding.", "a TimeSformer"),
    ("segformer.", "a SegFormer"),
    ("backbone.layer4.", "a ResNet with another decoder"),
)
"""Parts of names of weights that tell a family, the more special ones first."""


def short(name: str) -> str:
    """Return a name from a file as a sentence can show it: without control characters, and of bounded length."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in name[: _MOST_CHARACTERS + 1])
    return shown if len(shown) <= _MOST_CHARACTERS else shown[: _MOST_CHARACTERS - 1] + "…"


def in_words(weights: Mapping[str, Tensor]) -> str:
    """Return the first names, the largest weight and the probable family of weights, as part of a sentence."""
    return shapes_in_words({name: tuple(weight.shape) for name, weight in weights.items()})


def shapes_in_words(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return what `in_words` does, for the shapes of weights, of which there is at least one."""
    names = sorted(shapes)
    largest = max(names, key=lambda name: math.prod(shapes[name]))
    size = " × ".join(map(str, shapes[largest])) or "one number"
    family = next((words for mark, words in _MARKS if any(mark in name for name in names)), None)
    guess = "" if family is None else f", and it looks like {family}"
    first = ", ".join(map(short, names[:3]))
    return f"it begins with {first}; its largest weight is {short(largest)}, {size}{guess}"
