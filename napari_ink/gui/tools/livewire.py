"""Livewire in the hand: click along an edge, close the outline, and what it encloses becomes ink or papyrus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ink.annotation import EdgeValue, LabelValue, Livewire, region_inside, snap
from napari_ink.gui.models.actions import Tool
from napari_ink.gui.models.edit_window import EditWindow
from napari_ink.gui.tools.base import CanvasTool

if TYPE_CHECKING:
    from napari_ink.gui.layers.label_layers import Block
    from napari_ink.gui.tools.base import Key, Pointer
    from napari_ink.gui.tools.context import ToolContext

_SNAP_PX = 4
_GRAB_PX = 6


class LivewireTool(CanvasTool):
    """Left click sets an anchor, right click takes the last back, Ctrl goes straight; Enter or a double click closes.

    An anchor is moved by a click on it and a click where it should go; it settles on the edge there. Closing fills the
    region with ink, with Shift held with papyrus, and draws its outline as an edge.
    """

    name = Tool.LIVEWIRE
    hint = (
        "Click along an edge; the line follows it. Ctrl: straight. Right click: take the last anchor back. Click an "
        "anchor, then elsewhere, to move it. Enter or double click: close and fill with ink (double click with Shift: "
        "papyrus). Esc: clear."
    )

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._wire: Livewire | None = None
        self._moving: int | None = None

    def press(self, at: Pointer) -> None:
        """Set an anchor, take one back, or take one up to be moved."""
        wire = self._begun()
        if at.button == "right":
            wire.remove_last()
        elif self._moving is not None:
            wire.move(self._moving, *self._settled(*at.pixel))
            self._moving = None
        elif (grabbed := self._anchor_at(at)) is not None:
            self._moving = grabbed
        elif self._context.holds(at.y, at.x):
            wire.add(*(at.pixel if at.control else self._settled(*at.pixel)), straight=at.control)
        # The ways from a new anchor are found when the mouse moves on: a click and they together would take too long.
        self._context.preview.draw([wire.contour()], wire.anchors)

    def move(self, at: Pointer, pressed: bool) -> None:
        """Show the way to the mouse."""
        if self._wire is not None and self._wire.anchors and not pressed:
            self._draw(at)

    def double_click(self, at: Pointer) -> None:
        """Close the outline, and fill it."""
        self._close(LabelValue.PAPYRUS if at.shift else LabelValue.INK)

    def key(self, key: Key) -> None:
        """Enter closes and fills, Escape clears."""
        if key == "Enter":
            self._close(LabelValue.INK)
        else:
            self.drop()

    def drop(self) -> None:
        """Forget the outline."""
        self._wire, self._moving = None, None
        self._context.preview.clear()

    def _begun(self) -> Livewire:
        if self._wire is None:
            self._wire = Livewire(self._context.shape, self._context.edge_cost)
        return self._wire

    def _settled(self, y: int, x: int) -> tuple[int, int]:
        part = self._context.around(y, x, _SNAP_PX + 4)
        cost = self._context.edge_cost(part.y0, part.y1, part.x0, part.x1, 1)
        return snap(y, x, cost, (part.y0, part.x0), _SNAP_PX)

    def _anchor_at(self, at: Pointer) -> int | None:
        anchors = [] if self._wire is None else self._wire.anchors
        # The last one is where the line is being drawn from: a second click there is the first half of a double one.
        near = [n for n, (y, x) in enumerate(anchors[:-1]) if max(abs(y - at.y), abs(x - at.x)) <= _GRAB_PX]
        return near[0] if near else None

    def _draw(self, at: Pointer) -> None:
        wire = self._begun()
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
        part = EditWindow(y, y + inside.shape[0], x, x + inside.shape[1])
        ink, edge = self._context.labels("ink", part), self._context.labels("edge", part)
        ink[inside] = value
        edge[tuple((contour - (y, x)).T)] = EdgeValue.EDGE
        blocks: list[Block] = [("ink", y, x, ink), ("edge", y, x, edge)]
        self._context.apply(blocks, "outline " + ("ink" if value == LabelValue.INK else "papyrus"))
        self.drop()
