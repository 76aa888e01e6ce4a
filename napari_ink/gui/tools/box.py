"""A box in the hand: drag it around a stroke, and what looks like it is searched for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from napari_ink.gui.models.actions import Tool
from napari_ink.gui.models.edit_window import EditWindow
from napari_ink.gui.tools.base import CanvasTool

if TYPE_CHECKING:
    from napari_ink.gui.tools.base import Key, Pointer
    from napari_ink.gui.tools.context import ToolContext


class BoxTool(CanvasTool):
    """A drag draws a box; releasing the button emits `box_drawn`."""

    name = Tool.FIND_SIMILAR
    hint = "Drag a box around a stroke or letter: what looks like it is searched for on the whole segment."
    takes_drags = True

    box_drawn = Signal(object)

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._start: tuple[int, int] | None = None

    def press(self, at: Pointer) -> None:
        """Set the first corner."""
        self._start = at.pixel

    def move(self, at: Pointer, pressed: bool) -> None:
        """Draw the box up to the mouse."""
        if pressed and (box := self._box(at)) is not None:
            self._context.preview.draw(boxes=[(box.y0 - 0.5, box.y1 - 0.5, box.x0 - 0.5, box.x1 - 0.5)])

    def release(self, at: Pointer) -> None:
        """Hand the box over."""
        box, self._start = self._box(at), None
        self._context.preview.clear()
        if box is not None and min(box.shape) > 1:
            self.box_drawn.emit(box)

    def key(self, key: Key) -> None:
        """Give the box up."""
        self.drop()

    def drop(self) -> None:
        """Give the box up."""
        self._start = None
        self._context.preview.clear()

    def _box(self, at: Pointer) -> EditWindow | None:
        if self._start is None:
            return None
        (y, x), (height, width) = at.pixel, self._context.shape
        (y0, y1), (x0, x1) = (sorted(pair) for pair in zip(self._start, (y, x), strict=True))
        y0, y1, x0, x1 = max(y0, 0), min(y1 + 1, height), max(x0, 0), min(x1 + 1, width)
        return EditWindow(y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None
