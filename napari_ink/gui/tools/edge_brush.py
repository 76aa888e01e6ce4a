"""Edge-aware brush, which paints up to the edges and not across them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ink.annotation import barrier_of, reach
from napari_ink.gui.models.actions import Tool
from napari_ink.gui.tools.base import CanvasTool
from napari_ink.region import Region

if TYPE_CHECKING:
    from napari_ink.gui.tools.base import Pointer
    from napari_ink.gui.tools.context import ToolContext


class EdgeBrushTool(CanvasTool):
    """Brush that paints only pixels of its disc that the centre reaches without crossing an edge."""

    name = Tool.EDGE_BRUSH
    hint = "Drag to paint up to drawn or predicted edges (Shift: the other label)."
    takes_drags = True

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._part: Region | None = None
        self._last = (0, 0)
        self._barrier = self._painted = np.zeros((0, 0), bool)

    def press(self, at: Pointer) -> None:
        """Begin a stroke of ink, or of papyrus with Shift."""
        self._part, self._last = None, self._context.nearest_pixel(*at.pixel)
        self.move(at, pressed=True)

    def move(self, at: Pointer, pressed: bool) -> None:
        """Continue the stroke from the last position of the mouse."""
        if not pressed:
            return
        if not self._context.holds(at.y, at.x):
            self._last = self._context.nearest_pixel(*at.pixel)  # the stroke re-enters the segment from there
            return
        radius = self._context.brush_radius()
        self._make_room([self._last, at.pixel], radius)
        part = self._part
        if part is None:
            return
        # The mouse reports positions far apart when it moves fast, so discs are placed every half radius in between.
        (y0, x0), (y1, x1) = self._last, at.pixel
        steps = max(1, int(np.hypot(y1 - y0, x1 - x0) / max(radius / 2, 1)))
        fresh = np.zeros_like(self._painted)
        for share in np.linspace(0, 1, steps + 1)[1:]:
            y, x = round(y0 + share * (y1 - y0)) - part.y0, round(x0 + share * (x1 - x0)) - part.x0
            box = slice(max(y - radius, 0), y + radius + 1), slice(max(x - radius, 0), x + radius + 1)
            here = self._barrier[box]
            fresh[box] |= reach(here, y - box[0].start, x - box[1].start, radius)
        self._last = at.pixel
        self._painted |= fresh
        self._context.show_painting(part, self._painted, self._context.value_to_paint(at.shift))

    def release(self, at: Pointer) -> None:
        """Finish the stroke, and apply it to the labels as one undo step."""
        part, painted = self._part, self._painted
        self._part = None
        if part is None or not painted.any():
            return
        labels = self._context.labels("ink", part)
        labels[painted] = self._context.value_to_paint(at.shift)
        self._context.apply([("ink", part.y0, part.x0, labels)], self.name)

    def _make_room(self, pixels: list[tuple[int, int]], radius: int) -> None:
        """Extend the part that the stroke may cover, and read the barrier of edges in it."""
        needed = self._context.spanning(pixels, radius + 1)
        part = self._part
        if part is not None and part.holds(needed):
            return
        # With a wide margin the barrier, which is costly to compute, is read only a few times per stroke.
        wider = self._context.spanning(pixels, 2 * radius + 128)
        grown = wider if part is None else part.joined(wider)
        painted = np.zeros(grown.shape, bool)
        if part is not None:
            painted[part.slices_in(grown)] = self._painted
        self._part, self._painted = grown, painted
        self._barrier = barrier_of(
            self._context.labels("edge", grown),
            self._context.probability("edge", grown),
            self._context.edge_threshold(),
        )
