"""Canvas tools that make use of the edges, and actions on the visible region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ink.gui.tools.box import BoxTool
from napari_ink.gui.tools.edge_brush import EdgeBrushTool
from napari_ink.gui.tools.fill_grow import FillTool, GrowTool
from napari_ink.gui.tools.lines import EraseFragmentTool, JoinTool
from napari_ink.gui.tools.livewire import LivewireTool

if TYPE_CHECKING:
    from napari_ink.gui.models.actions import Tool
    from napari_ink.gui.tools.base import CanvasTool
    from napari_ink.gui.tools.context import ToolContext
from napari_ink.gui.tools.context import ToolContext
from napari_ink.gui.tools.tool_manager import ToolManager
from napari_ink.gui.tools.visible_region import (
    bridge_visible_gaps,
    edges_from_visible_ink,
    ink_from_visible_edges,
    remove_visible_specks,
)

__all__ = [
    "ToolContext",
    "ToolManager",
    "bridge_visible_gaps",
    "edges_from_visible_ink",
    "ink_from_visible_edges",
    "remove_visible_specks",
    "make_tools",
]


def make_tools(context: ToolContext) -> dict[Tool, CanvasTool]:
    """Return all canvas tools, by name."""
    kinds = (LivewireTool, EdgeBrushTool, EraseFragmentTool, JoinTool, FillTool, GrowTool, BoxTool)
    return {kind.name: kind(context) for kind in kinds}
