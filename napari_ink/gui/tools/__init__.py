"""Tools for the canvas that know where the edges are."""

from napari_ink.gui.tools.belt import tool_belt
from napari_ink.gui.tools.bench import Bench
from napari_ink.gui.tools.hand import Hand

__all__ = ["Bench", "Hand", "tool_belt"]
