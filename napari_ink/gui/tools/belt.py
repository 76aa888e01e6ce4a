"""Every canvas tool, by the name that buttons and keys know it by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ink.gui.tools.box import BoxTool
from napari_ink.gui.tools.edge_brush import EdgeBrushTool
from napari_ink.gui.tools.fill_grow import FillTool, GrowTool
from napari_ink.gui.tools.lines import EraseFragmentTool, JoinTool
from napari_ink.gui.tools.livewire import LivewireTool

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ink.gui.models.edit_window import EditWindow
    from napari_ink.gui.tools.base import CanvasTool
    from napari_ink.gui.tools.context import ToolContext


def make_tools(context: ToolContext, boxed: Callable[[EditWindow], None]) -> dict[str, CanvasTool]:
    """Return the tools that work on a bench; `boxed` gets what is boxed to be searched for."""
    tools: list[CanvasTool] = [
        LivewireTool(context), EdgeBrushTool(context), EraseFragmentTool(context), JoinTool(context), FillTool(context),
        GrowTool(context), BoxTool(context, boxed),
    ]  # fmt: skip
    return {tool.name: tool for tool in tools}
