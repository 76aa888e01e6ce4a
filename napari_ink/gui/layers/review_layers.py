"""Layers of the review: a tint over each region by its state, a frame around the current region, and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels, Points, Vectors
from napari.utils.colormaps import DirectLabelColormap

from napari_ink.annotation import ReviewState
from napari_ink.annotation.store.edits import REGION_PX
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from napari_ink.annotation import Note

# From the palette of Okabe & Ito, faint enough to leave the fibres visible.
_TINTS: dict[int | None, tuple[float, float, float, float]] = {
    ReviewState.UNREVIEWED: (0, 0, 0, 0),
    ReviewState.IN_PROGRESS: (0.94, 0.89, 0.26, 0.12),
    ReviewState.REVIEWED: (0.0, 0.62, 0.45, 0.16),
    ReviewState.FLAGGED: (0.80, 0.47, 0.65, 0.38),
    None: (0, 0, 0, 0),
}
_FRAME = (0.94, 0.89, 0.26, 1.0)
_NOTE_PX = 14
_CELL_PX = 16


def tint(states: UInt8Array, shape: tuple[int, int]) -> UInt8Array:
    """Return the state of every cell of a segment; cells are small, so that no tint reaches far beyond its edge."""
    height, width = (-(-length // _CELL_PX) for length in shape)
    cells = REGION_PX // _CELL_PX
    return states.repeat(cells, axis=0)[:height].repeat(cells, axis=1)[:, :width]


def review_layer(states: UInt8Array, shape: tuple[int, int]) -> Labels:
    """Return a layer that tints each region of a segment of this height and width by its state."""
    layer = Labels(tint(states, shape), name="Review", colormap=DirectLabelColormap(color_dict=_TINTS), opacity=1.0)
    layer.scale = (_CELL_PX, _CELL_PX)
    # napari places a pixel's centre, not its corner, at its coordinates.
    layer.translate = ((_CELL_PX - 1) / 2, (_CELL_PX - 1) / 2)
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
