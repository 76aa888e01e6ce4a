"""Edits of labels: blocks of values before and after, with author, time and tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_ink.typing import UInt8Array

Plane = Literal["ink", "edge", "review"]
PLANES: tuple[Plane, ...] = ("ink", "edge", "review")
# The largest of `LabelValue`, `EdgeValue` and `ReviewState`; importing those would import far more than needed here.
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
        ``"ink"`` and ``"edge"`` have a value for each pixel, ``"review"`` one for each region of `REGION_PX` pixels.
    y, x
        First row and column of the block on its plane.
    before, after
        Values ``(y, x)`` uint8 before and after the edit.
    """

    plane: Plane
    y: int
    x: int
    before: UInt8Array
    after: UInt8Array


@dataclass(frozen=True, slots=True)
class EditHeader:
    """The author, time, tool and place of an edit, without its values.

    Attributes
    ----------
    number
        Number of the edit in the project, from 1; undo and redo are counted as well.
    tool
        Name of the tool.
    author, at
        Author, and time (ISO 8601, UTC).
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
    """One undoable step: its header and the changed values."""

    header: EditHeader
    changes: tuple[Change, ...]

    @property
    def number(self) -> int:
        """Number of the edit in the project."""
        return self.header.number

    @property
    def tool(self) -> str:
        """Name of the tool."""
        return self.header.tool


def plane_shape(plane: Plane, shape: tuple[int, int]) -> tuple[int, int]:
    """Return the height and width of a plane for a segment of `shape` pixels."""
    return (-(-shape[0] // REGION_PX), -(-shape[1] // REGION_PX)) if plane == "review" else shape


def known_values(plane: Plane, values: UInt8Array) -> UInt8Array:
    """Return values with unknown ones replaced by 0, unreviewed; the same array if there are none."""
    largest = LARGEST_VALUE[plane]
    if not values.size or int(values.max()) <= largest:
        return values
    return np.where(values <= largest, values, np.uint8(0))
