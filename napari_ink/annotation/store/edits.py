"""Changes of labels: blocks of values before and after, and who made them when with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_ink.typing import UInt8Array

Plane = Literal["ink", "edge", "review"]
PLANES: tuple[Plane, ...] = ("ink", "edge", "review")
# Of `LabelValue`, `EdgeValue` and `ReviewState`, which would import far more than this module needs.
LARGEST_VALUE: Mapping[Plane, int] = {"ink": 2, "edge": 2, "review": 3}
REGION_PX = 256
CHUNK_PX = 512
Block = tuple[Plane, int, int, UInt8Array]


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One block of one plane, before and after.

    Attributes
    ----------
    plane
        ``"ink"`` and ``"edge"``: a value a pixel. ``"review"``: a value a region of `REGION_PX` pixels square.
    y, x
        Where the block begins on its plane.
    before, after
        Its values ``(y, x)``, uint8.
    """

    plane: Plane
    y: int
    x: int
    before: UInt8Array
    after: UInt8Array


@dataclass(frozen=True, slots=True)
class EditHeader:
    """Who changed what, and when.

    Attributes
    ----------
    number
        Counts everything that was ever done in a project, from 1; undoing and redoing count too.
    tool
        What it was done with.
    author, at
        Who did it, and when (ISO 8601, UTC).
    bounds
        Plane and ``y0, y1, x0, x1`` of each block, half open.
    """

    number: int
    tool: str
    author: str
    at: str
    bounds: tuple[tuple[Plane, int, int, int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """One step to undo: who, what and when, with the values themselves."""

    header: EditHeader
    changes: tuple[Change, ...]

    @property
    def number(self) -> int:
        """Its number in the project."""
        return self.header.number

    @property
    def tool(self) -> str:
        """What it was done with."""
        return self.header.tool


def plane_shape(plane: Plane, shape: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of a plane for a segment of so many pixels."""
    return (-(-shape[0] // REGION_PX), -(-shape[1] // REGION_PX)) if plane == "review" else shape


def known_values(plane: Plane, values: UInt8Array) -> UInt8Array:
    """Return values of which those that mean nothing on a plane are 0, unreviewed; the same array if there are none."""
    largest = LARGEST_VALUE[plane]
    if not values.size or int(values.max()) <= largest:
        return values
    return np.where(values <= largest, values, np.uint8(0))
