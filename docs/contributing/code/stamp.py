"""A tool that stamps a disc of ink with each click: example of a tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ink.annotation import LabelValue
from napari_ink.gui.models.actions import Tool
from napari_ink.gui.tools.base import CanvasTool

if TYPE_CHECKING:
    from napari_ink.gui.tools.base import Pointer


class StampTool(CanvasTool):
    """Tool that paints a disc of the brush's size at each click."""

    name = Tool.INK  # a tool of its own has an entry of its own in `Tool`
    hint = "Click to stamp a disc of ink (Shift: papyrus)."

    def press(self, at: Pointer) -> None:
        """Paint a disc around the click, as one undo step."""
        if not self._context.holds(at.y, at.x):
            return
        radius = self._context.brush_radius()
        part = self._context.around(at.y, at.x, radius)
        rows, columns = np.ogrid[part.y0 : part.y1, part.x0 : part.x1]
        disc = (rows - at.y) ** 2 + (columns - at.x) ** 2 <= radius**2
        values = self._context.labels("ink", part)  # a copy
        values[disc] = LabelValue.PAPYRUS if at.shift else LabelValue.INK
        self._context.apply([("ink", part.y0, part.x0, values)], self.name)
