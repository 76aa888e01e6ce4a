"""Region tools: fill an enclosed region, or grow a region from a stroke."""

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
    from napari_ink.gui.tools.base import Pointer
    from napari_ink.gui.tools.context import ToolContext
    from napari_ink.region import Region

_NEAR_PX = 192


class FillTool(CanvasTool):
    """Tool that fills the region around a click that is enclosed by drawn or predicted edges."""

    name = Tool.FILL_INK
    hint = "Click inside a closed outline to fill it (Shift: with the other label)."

    def press(self, at: Pointer) -> None:
        """Fill the region around the click; Shift exchanges the label for the other one."""
        if not self._context.holds(at.y, at.x):
            return
        value = self._context.value_to_paint(at.shift)
        try:
            self._put(*self._find(at, min(_NEAR_PX, self._context.reach_px[Tool.FILL_INK])), value)
        except LabelError:
            # The region is not closed within the small box, or the click is on an edge. The large box takes longer, so
            # it is searched on a worker thread, and its error is the one to show.
            self._context.run_in_background(
                lambda: self._find_or_explain(at), lambda found: self._show_result(found, value)
            )

    def _find_or_explain(self, at: Pointer) -> tuple[Region, Mask] | str:
        try:
            return self._find(at, self._context.reach_px[Tool.FILL_INK])
        except LabelError as error:
            return str(error)

    def _show_result(self, found: tuple[Region, Mask] | str, value: int) -> None:
        if isinstance(found, str):
            self._context.notify(found)
        else:
            self._put(*found, value)

    def _put(self, part: Region, region: Mask, value: int) -> None:
        """Fill a region, and the drawn edge pixels beside it."""
        # The outline of ink belongs to the ink: without it, a rim of unreviewed pixels would remain.
        drawn, values = self._context.labels("edge", part), self._context.labels("ink", part)
        filled = region | ((drawn == EdgeValue.EDGE) & _beside(region))
        rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
        least = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        values[filled] = value
        where = part.y0 + int(rows[0]), part.x0 + int(columns[0])
        self._context.apply([("ink", *where, values[least])], self.name)

    def _find(self, at: Pointer, margin: int) -> tuple[Region, Mask]:
        """Return the region around a place that is enclosed by drawn edges, or else by drawn and predicted edges."""
        part = self._context.around(at.y, at.x, margin)
        y, x = at.pixel[0] - part.y0, at.pixel[1] - part.x0
        drawn, values = self._context.labels("edge", part), self._context.labels("ink", part)
        other = values != values[y, x]  # pixels with another label are a border, as in any painting program
        try:
            return part, enclosed((drawn == EdgeValue.EDGE) | other, y, x)
        except LabelError:
            predicted = self._context.probability("edge", part)
            if predicted is None:
                raise
            return part, enclosed(barrier_of(drawn, predicted, self._context.edge_threshold()) | other, y, x)


class GrowTool(CanvasTool):
    """Tool that grows a drawn stroke of ink up to the edges, within a box around the stroke."""

    name = Tool.GROW
    hint = "Drag a stroke inside the ink; on release it grows up to the edges around it. Undo reverts it."
    takes_drags = True

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._stroke: list[tuple[int, int]] = []

    def press(self, at: Pointer) -> None:
        """Begin a stroke, if the mouse is on the segment."""
        self._stroke = [at.pixel] if self._context.holds(at.y, at.x) else []

    def move(self, at: Pointer, pressed: bool) -> None:
        """Extend the stroke."""
        if pressed and self._stroke and self._context.holds(at.y, at.x):
            self._stroke.append(at.pixel)
            self._context.preview.draw([self._stroke])

    def release(self, at: Pointer) -> None:
        """Grow the stroke on a worker thread."""
        stroke, self._stroke = self._stroke, []
        self._context.preview.clear()
        if not stroke:
            return
        part = self._context.spanning(stroke, self._context.reach_px[Tool.GROW])
        seed = np.zeros(part.shape, bool)
        for start, end in zip(stroke, [*stroke[1:], stroke[-1]], strict=True):
            rows, columns = straight_path(start, end).T
            seed[rows - part.y0, columns - part.x0] = True
        # Read here, since layers must not be read from the worker thread.
        cost = self._context.edge_cost(part.y0, part.y1, part.x0, part.x1, 1)
        papyrus = self._context.labels("ink", part) == LabelValue.PAPYRUS
        self._context.run_in_background(
            lambda: grow(cost, seed, papyrus & ~seed), lambda found: self._grown(part, *found)
        )

    def _grown(self, part: Region, grown: Mask, is_at_border: bool) -> None:
        if is_at_border:
            self._context.notify(
                "The region grew as far as it may reach; raise the reach, or draw a longer stroke or the missing edge."
            )
        values = self._context.labels("ink", part)  # read again: they may have changed while the region grew
        values[grown] = LabelValue.INK
        self._context.apply([("ink", part.y0, part.x0, values)], self.name)

    def drop(self) -> None:
        """Discard the stroke."""
        self._stroke = []
        self._context.preview.clear()


def _beside(region: Mask) -> Mask:
    beside: Mask = ndimage.binary_dilation(region, np.ones((3, 3), bool))
    return beside
