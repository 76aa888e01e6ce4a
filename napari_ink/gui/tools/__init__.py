"""Tools for the canvas that know where the edges are."""

from napari_ink.gui.tools.belt import tool_belt
from napari_ink.gui.tools.bench import Bench
from napari_ink.gui.tools.hand import Hand
from napari_ink.gui.tools.two_way import edges_in_sight_from_ink, ink_in_sight_from_edges

__all__ = ["Bench", "Hand", "edges_in_sight_from_ink", "ink_in_sight_from_edges", "tool_belt"]
