"""Depth, height and width among the axes of an array; other axes may have one entry only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import Grey
from napari_ink.stack.sizes import check_shape

_SPATIAL = ("z", "y", "x")


@dataclass(frozen=True, slots=True)
class Axes:
    """The positions of depth, height and width among an array's axes; all other axes have one entry.

    Attributes
    ----------
    ndim
        Number of axes.
    places
        Positions of z, y and x.
    """

    ndim: int
    places: tuple[int, int, int]

    def of(self, lengths: Sequence[int]) -> tuple[int, int, int]:
        """Return the entries of z, y and x from a sequence with one entry an axis, such as a shape."""
        z, y, x = (int(lengths[place]) for place in self.places)
        return z, y, x

    def index(self, z: slice, y: slice, x: slice) -> tuple[Any, ...]:
        """Return the index that cuts the block ``(z, y, x)`` out of the array."""
        wanted: list[Any] = [0] * self.ndim
        for place, part in zip(self.places, (z, y, x), strict=True):
            wanted[place] = part
        return tuple(wanted)

    def turned(self, block: Grey) -> Grey:
        """Return a block that was read with `index`, with its axes in the order z, y, x."""
        order = sorted(self.places)
        return np.ascontiguousarray(block.transpose([order.index(place) for place in self.places]))


def find_axes(where: object, shape: Sequence[int], names: Sequence[str] = ()) -> Axes:
    """Find depth, height and width by the names of the axes, or else take the last three.

    Parameters
    ----------
    where
        The file or store, for the message.
    shape
        Shape of the array.
    names
        Names of its axes in lower case; ignored unless there is one an axis and z, y and x are among them.

    Raises
    ------
    StackError
        If another axis has more than one entry.
    """
    if len(shape) < 3:
        check_shape(where, shape)
    is_named = len(names) == len(shape) and all(tuple(names).count(axis) == 1 for axis in _SPATIAL)
    places = [tuple(names).index(axis) for axis in _SPATIAL] if is_named else _last_three(shape)
    others = [place for place in range(len(shape)) if place not in places]
    if len(places) != 3 or any(shape[place] != 1 for place in others):
        axes = f" ({', '.join(names)})" if is_named else ""
        raise StackError(
            f"{where} has the shape {tuple(shape)}{axes}; a depth stack has layers, height and width alone, "
            "so save one image of them by itself."
        )
    z, y, x = places
    return Axes(len(shape), (z, y, x))


def _last_three(shape: Sequence[int]) -> list[int]:
    """Return the positions of the last three axes, ignoring axes of one entry after and before them."""
    places = list(range(len(shape)))
    # Axes of one entry go from the end first, so that a stack of a single layer keeps its depth axis.
    while len(places) > 3 and shape[places[-1]] == 1:
        places.pop()
    while len(places) > 3 and shape[places[0]] == 1:
        places.pop(0)
    return places
