"""Layers of the review: a pattern over each region by its state, a frame around the current region, and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels, Points, Vectors
from napari.utils.colormaps import DirectLabelColormap

from napari_ink.annotation.store.edits import REGION_PX
from napari_ink.gui.models.review_marks import MARK_RGBA, Mark, all_patterns
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from napari_ink.annotation import Note

_FRAME = (0.94, 0.89, 0.26, 1.0)
_NOTE_PX = 14
_CELLS_PX = (4, 8, 16, 32)
_MOST_CELLS = 2048**2


def cell_px(shape: tuple[int, int]) -> int:
    """Return the side of the cells of the patterns: finer lines for small segments, little memory for large ones."""
    fits = (side for side in _CELLS_PX if shape[0] * shape[1] <= _MOST_CELLS * side**2)
    return next(fits, _CELLS_PX[-1])


def marks(states: UInt8Array, shape: tuple[int, int]) -> UInt8Array:
    """Return the pattern of the state of each region, in cells; those at the edge of the segment are cut off there."""
    side = cell_px(shape)
    height, width = (-(-length // side) for length in shape)
    patterns = all_patterns(REGION_PX // side)
    # From (row, column, y, x) to a picture of all regions.
    whole = np.concatenate(np.concatenate(patterns[states], axis=1), axis=1)
    return np.ascontiguousarray(whole[:height, :width])


def review_layer(states: UInt8Array, shape: tuple[int, int]) -> Labels:
    """Return a layer that marks each region of a segment of this height and width by its state."""
    colours: dict[int | None, tuple[float, ...]] = {int(mark): colour for mark, colour in MARK_RGBA.items()}
    colours[None] = MARK_RGBA[Mark.NONE]  # of other values, which napari asks for
    layer = Labels(marks(states, shape), name="Review", colormap=DirectLabelColormap(color_dict=colours), opacity=1.0)
    side = cell_px(shape)
    layer.scale = (side, side)
    # napari places a pixel's centre, not its corner, at its coordinates.
    layer.translate = ((side - 1) / 2, (side - 1) / 2)
    layer.editable = False
    return layer


def frame_layer(y0: int, y1: int, x0: int, x1: int) -> Vectors:
    """Return a layer with a frame around a region."""
    top, left, height, width = y0 - 0.5, x0 - 0.5, y1 - y0, x1 - x0
    sides = [
        ((top, left), (0, width)),
        ((top + height, left), (0, width)),
        ((top, left), (height, 0)),
        ((top, left + width), (height, 0)),
    ]
    return Vectors(
        np.array(sides, np.float32),
        name="Region",
        edge_color=[_FRAME],
        edge_width=1.5,
        vector_style="line",
        opacity=0.9,
    )


def notes_layer(notes: tuple[Note, ...]) -> Points:
    """Return a layer that marks the place of each note and shows its text."""
    places = np.array([(note.y, note.x) for note in notes], np.float32).reshape(-1, 2)
    layer = Points(
        places,
        ndim=2,
        name="Notes",
        size=_NOTE_PX,
        face_color=[_FRAME],
        border_color="black",
        symbol="diamond",
        text={"string": [note.text for note in notes], "color": "white", "anchor": "upper_left", "size": 9},
    )
    layer.editable = False
    return layer
