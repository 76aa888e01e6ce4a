"""Tools for the canvas that know where the edges are."""

from napari_ink.gui.tools.belt import make_tools
from napari_ink.gui.tools.context import ToolContext
from napari_ink.gui.tools.tool_manager import ToolManager
from napari_ink.gui.tools.visible_region import (
    bridge_gaps_in_sight,
    edges_in_sight_from_ink,
    ink_in_sight_from_edges,
    remove_specks_in_sight,
)

__all__ = [
    "ToolContext",
    "ToolManager",
    "bridge_gaps_in_sight",
    "edges_in_sight_from_ink",
    "ink_in_sight_from_edges",
    "remove_specks_in_sight",
    "make_tools",
]
