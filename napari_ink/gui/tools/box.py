"""Box tool: drag a box around a stroke to search for similar strokes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from napari_ink.gui.models.actions import Tool
from napari_ink.gui.tools.base import CanvasTool
from napari_ink.region import Region

if TYPE_CHECKING:
    from napari_ink.gui.tools.base import Key, Pointer
    from napari_ink.gui.tools.context import ToolContext


class BoxTool(CanvasTool):
    """Tool that draws a box with a drag, and emits `box_drawn` when the button is released; Escape emits `given_up`."""

    name = Tool.FIND_SIMILAR
    hint = "Drag a box around a stroke or letter to search the whole segment for similar ones."
    takes_drags = True

    box_drawn = Signal(object)
    given_up = Signal()

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._start: tuple[int, int] | None = None

    def press(self, at: Pointer) -> None:
        """Set the first corner of the box."""
        self._start = at.pixel

    def move(self, at: Pointer, pressed: bool) -> None:
        """Draw the box from the first corner to the mouse."""
        if pressed and (box := self._box(at)) is not None:
            # napari places whole numbers at the centers of pixels, so the outline runs half a pixel outside.
            self._context.preview.draw(boxes=[(box.y0 - 0.5, box.y1 - 0.5, box.x0 - 0.5, box.x1 - 0.5)])

    def release(self, at: Pointer) -> None:
        """Emit the box, unless it is narrower than two pixels."""
        box, self._start = self._box(at), None
        self._context.preview.clear()
        if box is not None and min(box.shape) > 1:
            self.box_drawn.emit(box)

    def key(self, key: Key) -> None:
        """Discard the box, or give up with Escape if there is none; Enter has nothing to finish here."""
        was_drawing = self._start is not None
        self.drop()
        if key == "Escape" and not was_drawing:
            self.given_up.emit()

    def drop(self) -> None:
        """Discard the box."""
        self._start = None
        self._context.preview.clear()

    def _box(self, at: Pointer) -> Region | None:
        if self._start is None:
            return None
        (y, x), (height, width) = at.pixel, self._context.shape
        (y0, y1), (x0, x1) = (sorted(pair) for pair in zip(self._start, (y, x), strict=True))
        y0, y1, x0, x1 = max(y0, 0), min(y1 + 1, height), max(x0, 0), min(x1 + 1, width)
        return Region(y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None
