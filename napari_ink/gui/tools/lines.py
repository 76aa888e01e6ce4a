"""Line tools: remove a spurious edge line, or bridge a gap between two lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ink.annotation import EdgeValue, Livewire, fragment_at, nearest_end
from napari_ink.gui.models.actions import Tool
from napari_ink.gui.tools.base import CanvasTool

if TYPE_CHECKING:
    from napari_ink.gui.tools.base import Key, Pointer
    from napari_ink.gui.tools.context import ToolContext

_BOX_PX = 512
_END_PX = 8


class EraseFragmentTool(CanvasTool):
    """Tool that removes the edge line under a click."""

    name = Tool.ERASE_FRAGMENT
    hint = "Click an edge line to remove it."

    def press(self, at: Pointer) -> None:
        """Remove the edge line under the click."""
        part = self._context.around(at.y, at.x, _BOX_PX)
        edges = self._context.labels("edge", part)
        y, x = at.pixel
        line = fragment_at(edges, y - part.y0, x - part.x0)
        if not line.any():
            self._context.notify("There is no edge line here; click closer to one.")
            return
        edges[line] = EdgeValue.UNREVIEWED
        self._context.apply([("edge", part.y0, part.x0, edges)], self.name)


class JoinTool(CanvasTool):
    """Tool that bridges the gap between two line ends, following the predicted edge."""

    name = Tool.JOIN
    hint = "Drag from one line's end to another's: the gap is bridged along the edge (Ctrl: straight)."
    takes_drags = True

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._wire: Livewire | None = None

    def press(self, at: Pointer) -> None:
        """Begin at the nearest line end."""
        if self._context.holds(at.y, at.x):
            self._wire = Livewire(self._context.shape, self._context.edge_cost)
            self._wire.add(*self._end(at))

    def move(self, at: Pointer, pressed: bool) -> None:
        """Preview the bridge up to the mouse."""
        if pressed and self._wire is not None:
            self._context.preview.draw([self._wire.path_to(*at.pixel, straight=at.control)], self._wire.anchors)

    def release(self, at: Pointer) -> None:
        """Draw the bridge to the nearest line end, as one undo step."""
        wire, self._wire = self._wire, None
        self._context.preview.clear()
        if wire is None:
            return
        path = wire.path_to(*self._end(at), straight=at.control)
        # A click without a drag begins and ends at the same line end.
        if len(path) < 2:
            return
        part = self._context.spanning([tuple(path.min(axis=0)), tuple(path.max(axis=0))], 0)
        edges = self._context.labels("edge", part)
        edges[tuple((path - (part.y0, part.x0)).T)] = EdgeValue.EDGE
        self._context.apply([("edge", part.y0, part.x0, edges)], self.name)

    def key(self, key: Key) -> None:
        """Discard the bridge on Escape."""
        if key == "Escape":
            self.drop()

    def drop(self) -> None:
        """Discard the bridge."""
        self._wire = None
        self._context.preview.clear()

    def _end(self, at: Pointer) -> tuple[int, int]:
        # Twice the radius, since a line that the border of the part cuts off seems to end there.
        y, x = at.pixel
        part = self._context.around(y, x, 2 * _END_PX)
        near = nearest_end(self._context.labels("edge", part), y - part.y0, x - part.x0, _END_PX)
        return near[0] + part.y0, near[1] + part.x0
