"""Every canvas tool, by the name that buttons and keys know it by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_ink.gui.tools.bench import Bench
    from napari_ink.gui.tools.tool import CanvasTool


def tool_belt(bench: Bench) -> dict[str, CanvasTool]:
    """Return the tools that work on a bench."""
    tools: list[CanvasTool] = []
    return {tool.name: tool for tool in tools}
