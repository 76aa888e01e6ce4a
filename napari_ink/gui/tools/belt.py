"""Every canvas tool, by the name that buttons and keys know it by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ink.gui.tools.box_tool import BoxTool
from napari_ink.gui.tools.edge_brush_tool import EdgeBrushTool
from napari_ink.gui.tools.line_tools import EraseFragmentTool, JoinTool
from napari_ink.gui.tools.livewire_tool import LivewireTool
from napari_ink.gui.tools.region_tools import FillTool, GrowTool

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ink.gui.edit_window import EditWindow
    from napari_ink.gui.tools.bench import Bench
    from napari_ink.gui.tools.tool import CanvasTool


def tool_belt(bench: Bench, boxed: Callable[[EditWindow], None]) -> dict[str, CanvasTool]:
    """Return the tools that work on a bench; `boxed` gets what is boxed to be searched for."""
    tools: list[CanvasTool] = [
        LivewireTool(bench), EdgeBrushTool(bench), EraseFragmentTool(bench), JoinTool(bench), FillTool(bench),
        GrowTool(bench), BoxTool(bench, boxed),
    ]  # fmt: skip
    return {tool.name: tool for tool in tools}
