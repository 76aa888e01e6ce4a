"""Regions in the hand: fill one that is enclosed, or grow one from a stroke."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_ink.annotation import EdgeValue, LabelValue, barrier_of, enclosed, grow, straight_path
from napari_ink.errors import LabelError
from napari_ink.gui.models.actions import Tool
from napari_ink.gui.tools.base import CanvasTool
from napari_ink.typing import Mask

if TYPE_CHECKING:
    from napari_ink.gui.models.edit_window import EditWindow
    from napari_ink.gui.tools.base import Pointer
    from napari_ink.gui.tools.context import ToolContext

_NEAR_PX, _FILL_PX = 192, 1024
_GROW_PX = 96


class FillTool(CanvasTool):
    """A click fills the region that edges enclose around it, drawn ones and predicted ones."""

    name = Tool.FILL_INK
    hint = "Click inside a closed outline to fill it with ink (Shift: papyrus)."

    def press(self, at: Pointer) -> None:
        """Fill the region that is clicked."""
        if not self._context.holds(at.y, at.x):
            return
        value = LabelValue.PAPYRUS if at.shift else LabelValue.INK
        try:
            self._put(*self._found(at, _NEAR_PX), value)
        except LabelError:
            # It is open within the small box, or on an edge: the large one, which takes its time, tells.
            self._context.run_in_background(
                lambda: self._found_or_why(at), lambda found: self._say_or_put(found, value)
            )

    def _found_or_why(self, at: Pointer) -> tuple[EditWindow, Mask] | str:
        try:
            return self._found(at, _FILL_PX)
        except LabelError as error:
            return str(error)

    def _say_or_put(self, found: tuple[EditWindow, Mask] | str, value: int) -> None:
        if isinstance(found, str):
            self._context.notify(found)
        else:
            self._put(*found, value)

    def _put(self, part: EditWindow, region: Mask, value: int) -> None:
        """Fill a region of a part, and the drawn edge around it."""
        drawn, values = self._context.labels("edge", part), self._context.labels("ink", part)
        filled = region | ((drawn == EdgeValue.EDGE) & _beside(region))
        rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
        least = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        values[filled] = value
        where = part.y0 + int(rows[0]), part.x0 + int(columns[0])
        self._context.apply([("ink", *where, values[least])], self.name)

    def _found(self, at: Pointer, margin: int) -> tuple[EditWindow, Mask]:
        """Return the region around a place within a box, held by drawn edges, or else by the predicted ones too."""
        part = self._context.around(at.y, at.x, margin)
        y, x = at.pixel[0] - part.y0, at.pixel[1] - part.x0
        drawn, values = self._context.labels("edge", part), self._context.labels("ink", part)
        other = values != values[y, x]  # what has another label already is a border, as in any painting program
        try:
            return part, enclosed((drawn == EdgeValue.EDGE) | other, y, x)
        except LabelError:
            predicted = self._context.probability("edge", part)
            if predicted is None:
                raise
            return part, enclosed(barrier_of(drawn, predicted, self._context.edge_threshold()) | other, y, x)


class GrowTool(CanvasTool):
    """A drag draws a stroke in ink; on release it grows until edges hold it, within a box around it."""

    name = Tool.GROW
    hint = "Drag a stroke inside the ink; on release it grows up to the edges around it. Undo takes it back."
    takes_drags = True

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._stroke: list[tuple[int, int]] = []

    def press(self, at: Pointer) -> None:
        """Begin a stroke."""
        self._stroke = [at.pixel] if self._context.holds(at.y, at.x) else []

    def move(self, at: Pointer, pressed: bool) -> None:
        """Draw on."""
        if pressed and self._stroke and self._context.holds(at.y, at.x):
            self._stroke.append(at.pixel)
            self._context.preview.draw([self._stroke])

    def release(self, at: Pointer) -> None:
        """Grow the stroke."""
        stroke, self._stroke = self._stroke, []
        self._context.preview.clear()
        if not stroke:
            return
        part = self._context.spanning(stroke, _GROW_PX)
        seed = np.zeros(part.shape, bool)
        for start, end in zip(stroke, [*stroke[1:], stroke[-1]], strict=True):
            rows, columns = straight_path(start, end).T
            seed[rows - part.y0, columns - part.x0] = True
        cost = self._context.edge_cost(part.y0, part.y1, part.x0, part.x1, 1)
        papyrus = self._context.labels("ink", part) == LabelValue.PAPYRUS
        self._context.run_in_background(
            lambda: grow(cost, seed, papyrus & ~seed), lambda found: self._grown(part, *found)
        )

    def _grown(self, part: EditWindow, grown: Mask, is_at_border: bool) -> None:
        if is_at_border:
            self._context.notify(
                "The region grew to the border of its box; draw a longer stroke, or an edge where it ends."
            )
        values = self._context.labels("ink", part)
        values[grown] = LabelValue.INK
        self._context.apply([("ink", part.y0, part.x0, values)], self.name)

    def drop(self) -> None:
        """Forget the stroke."""
        self._stroke = []
        self._context.preview.clear()


def _beside(region: Mask) -> Mask:
    beside: Mask = ndimage.binary_dilation(region, np.ones((3, 3), bool))
    return beside
