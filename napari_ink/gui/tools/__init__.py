"""Tools for the canvas that know where the edges are."""

from napari_ink.gui.tools.belt import tool_belt
from napari_ink.gui.tools.bench import Bench
from napari_ink.gui.tools.hand import Hand
from napari_ink.gui.tools.in_sight import (
    bridge_gaps_in_sight,
    edges_in_sight_from_ink,
    ink_in_sight_from_edges,
    remove_specks_in_sight,
)

__all__ = [
    "Bench",
    "Hand",
    "bridge_gaps_in_sight",
    "edges_in_sight_from_ink",
    "ink_in_sight_from_edges",
    "remove_specks_in_sight",
    "tool_belt",
]
