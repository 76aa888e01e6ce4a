"""Livewire tool: click along an edge and close the outline to fill the region with ink or papyrus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ink.annotation import EdgeValue, LabelValue, Livewire, region_inside, snap
from napari_ink.gui.models.actions import Tool
from napari_ink.gui.tools.base import CanvasTool
from napari_ink.region import Region

if TYPE_CHECKING:
    from napari_ink.gui.layers.label_layers import Block
    from napari_ink.gui.tools.base import Key, Pointer
    from napari_ink.gui.tools.context import ToolContext

_SNAP_PX = 4
_GRAB_PX = 6


class LivewireTool(CanvasTool):
    """Tool that draws an outline along edges, anchor by anchor.

    A left click sets an anchor, a right click removes the last one, and Ctrl makes the line straight. To move an
    anchor, click it and then its new place, where it snaps to the nearest edge. Enter or a double click closes the
    outline, fills the region with ink (papyrus with Shift), and draws the outline as an edge.
    """

    name = Tool.LIVEWIRE
    hint = (
        "Click along an edge; the line follows. Ctrl: straight. Right click: remove the last anchor. Click an anchor "
        "to move it. Enter or double click: close and fill. Esc: clear."
    )

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._wire: Livewire | None = None
        self._moving: int | None = None

    def press(self, at: Pointer) -> None:
        """Set, remove, pick up or put down an anchor."""
        wire = self._current_wire()
        if at.button == "right":
            wire.remove_last()
        elif self._moving is not None:
            wire.move(self._moving, *self._snapped(*at.pixel))
            self._moving = None
        elif (grabbed := self._anchor_at(at)) is not None:
            self._moving = grabbed
        elif self._context.holds(at.y, at.x):
            wire.add(*(at.pixel if at.control else self._snapped(*at.pixel)), straight=at.control)
        # Paths from a new anchor are computed at the next move of the mouse; at the click they would cause a delay.
        self._context.preview.draw([wire.contour()], wire.anchors)

    def move(self, at: Pointer, pressed: bool) -> None:
        """Preview the line from the last anchor to the mouse."""
        if self._wire is not None and self._wire.anchors and not pressed:
            self._draw(at)

    def double_click(self, at: Pointer) -> None:
        """Close the outline, and fill the region."""
        self._close(self._context.value_to_paint(at.shift))

    def key(self, key: Key) -> None:
        """Close and fill on Enter, discard on Escape."""
        if key == "Enter":
            self._close(self._context.value_to_paint(shift=False))
        else:
            self.drop()

    def drop(self) -> None:
        """Discard the outline."""
        self._wire, self._moving = None, None
        self._context.preview.clear()

    def _current_wire(self) -> Livewire:
        if self._wire is None:
            self._wire = Livewire(self._context.shape, self._context.edge_cost)
        return self._wire

    def _snapped(self, y: int, x: int) -> tuple[int, int]:
        y, x = self._context.nearest_pixel(y, x)
        part = self._context.around(y, x, _SNAP_PX + 4)
        cost = self._context.edge_cost(part.y0, part.y1, part.x0, part.x1, 1)
        return snap(y, x, cost, (part.y0, part.x0), _SNAP_PX)

    def _anchor_at(self, at: Pointer) -> int | None:
        anchors = [] if self._wire is None else self._wire.anchors
        # The last anchor is excluded, since the line starts there: a second click on it belongs to a double click.
        near = [n for n, (y, x) in enumerate(anchors[:-1]) if max(abs(y - at.y), abs(x - at.x)) <= _GRAB_PX]
        return near[0] if near else None

    def _draw(self, at: Pointer) -> None:
        wire = self._current_wire()
        paths = [wire.contour()]
        if wire.anchors and self._moving is None:
            paths.append(wire.path_to(*at.pixel, straight=at.control))
        self._context.preview.draw(paths, wire.anchors)

    def _close(self, value: LabelValue) -> None:
        wire = self._wire
        if wire is None or len(wire.anchors) < 3:
            self._context.notify("Set at least three anchors around a region before you close it.")
            return
        contour = wire.contour(closed=True)
        y, x, inside = region_inside(contour)
        part = Region(y, y + inside.shape[0], x, x + inside.shape[1])
        ink, edge = self._context.labels("ink", part), self._context.labels("edge", part)
        ink[inside] = value
        edge[tuple((contour - (y, x)).T)] = EdgeValue.EDGE
        # Ink and edge in one edit, so that a single undo removes both.
        blocks: list[Block] = [("ink", y, x, ink), ("edge", y, x, edge)]
        self._context.apply(blocks, "outline " + ("ink" if value == LabelValue.INK else "papyrus"))
        self.drop()
