"""Rectangles of full-resolution pixels of a segment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import Self

from napari_ink.errors import BadInputError

Slices = tuple[slice, slice]
_TEXT = re.compile(r"\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*")


@dataclass(frozen=True, slots=True)
class Region:
    """Half-open ranges of rows and columns, with the origin at the segment's top left.

    Raises
    ------
    BadInputError
        If it begins before the origin or contains no pixel.
    """

    y0: int
    y1: int
    x0: int
    x1: int

    def __post_init__(self) -> None:
        if not (0 <= self.y0 < self.y1 and 0 <= self.x0 < self.x1):
            raise BadInputError(f"The region {self} holds no pixel; give rising numbers of at least 0, Y0:Y1,X0:X1.")

    def __str__(self) -> str:
        return f"{self.y0}:{self.y1},{self.x0}:{self.x1}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the region that a text such as ``"Y0:Y1,X0:X1"`` states.

        Raises
        ------
        BadInputError
            If the text has another form, or the region holds no pixel.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise BadInputError(f"The region {text!r} cannot be read; write it as Y0:Y1,X0:X1, like 0:512,256:1024.")
        y0, y1, x0, x1 = map(int, match.groups())
        return cls(y0, y1, x0, x1)

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> Self:
        """Return the region of all pixels of a segment of `shape` ``(y, x)``."""
        return cls(0, shape[0], 0, shape[1])

    @classmethod
    def grid_square(cls, square: tuple[int, int], side: int) -> Self:
        """Return the region of a square of a grid over the segment, given by its row and column in the grid."""
        y, x = square[0] * side, square[1] * side
        return cls(y, y + side, x, x + side)

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.y1 - self.y0

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.x1 - self.x0

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def slices(self) -> Slices:
        """Slices ``(y, x)`` that cut this region out of a segment."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def slices_in(self, outer: Region) -> Slices:
        """Return slices ``(y, x)`` that cut this region out of an array of the region `outer`."""
        y0, x0 = outer.y0, outer.x0
        return slice(self.y0 - y0, self.y1 - y0), slice(self.x0 - x0, self.x1 - x0)

    def touches(self, other: Region) -> bool:
        """Whether the two regions share a pixel."""
        return self.y0 < other.y1 and other.y0 < self.y1 and self.x0 < other.x1 and other.x0 < self.x1

    def within(self, other: Region) -> Region:
        """Return the part of this region that lies in `other`, which it must touch."""
        return Region(max(self.y0, other.y0), min(self.y1, other.y1), max(self.x0, other.x0), min(self.x1, other.x1))

    def holds(self, other: Region) -> bool:
        """Whether another region lies within this one."""
        return self.y0 <= other.y0 and other.y1 <= self.y1 and self.x0 <= other.x0 and other.x1 <= self.x1

    def grid_squares(self, side: int) -> list[tuple[int, int]]:
        """Return the squares of a grid over the segment that touch this region, by row and column in the grid."""
        return list(product(range(self.y0 // side, -(-self.y1 // side)), range(self.x0 // side, -(-self.x1 // side))))

    def joined(self, other: Region) -> Region:
        """Return the smallest region that holds both."""
        return Region(min(self.y0, other.y0), max(self.y1, other.y1), min(self.x0, other.x0), max(self.x1, other.x1))

    def overlap(self, y: int, x: int, shape: tuple[int, int]) -> tuple[Slices, Slices] | None:
        """Return where this region and a block of `shape` at ``(y, x)`` overlap.

        Returns
        -------
        tuple or None
            Slices into an array of this region and into the block, or None if they share no pixel.
        """
        top, bottom = max(y, self.y0), min(y + shape[0], self.y1)
        left, right = max(x, self.x0), min(x + shape[1], self.x1)
        if top >= bottom or left >= right:
            return None
        here = slice(top - self.y0, bottom - self.y0), slice(left - self.x0, right - self.x0)
        return here, (slice(top - y, bottom - y), slice(left - x, right - x))

    def clip(self, shape: tuple[int, int]) -> Region:
        """Return the part of this region in a segment of `shape` ``(y, x)``.

        Raises
        ------
        BadInputError
            If they share no pixel.
        """
        segment = Region.whole(shape)
        if not self.touches(segment):
            raise BadInputError(
                f"The region {self} lies outside the segment, which is {shape[0]} pixels high and {shape[1]} wide; "
                "choose one inside."
            )
        return self.within(segment)
