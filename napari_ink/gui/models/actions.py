"""Actions of the keys, buttons and commands: name, title and default key of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tool(StrEnum):
    """Tools to draw with, named alike for actions, buttons and the canvas; their values are stored in the journal."""

    INK = "ink"
    PAPYRUS = "papyrus"
    ERASE_INK = "erase ink"
    EDGE = "edge"
    NOT_EDGE = "not edge"
    ERASE_EDGE = "erase edge"
    EDGE_BRUSH = "edge brush"
    FILL_INK = "fill"
    GROW = "grow"
    LIVEWIRE = "livewire"
    ERASE_FRAGMENT = "erase fragment"
    JOIN = "join"
    FIND_SIMILAR = "find similar"

    @property
    def action(self) -> str:
        """Name of the action that activates this tool."""
        return self.name.lower()


INK_BRUSHES = (Tool.INK, Tool.PAPYRUS, Tool.ERASE_INK, Tool.EDGE_BRUSH)
EDGE_BRUSHES = (Tool.EDGE, Tool.NOT_EDGE, Tool.ERASE_EDGE)
WITH_REACH = (Tool.FILL_INK, Tool.GROW)
WITH_LABEL = (Tool.EDGE_BRUSH, Tool.FILL_INK, Tool.LIVEWIRE)
DEFAULT_REACH_PX = {Tool.FILL_INK: 1024, Tool.GROW: 96}


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """Settings of the active tool; None where the tool has no such setting.

    Attributes
    ----------
    brush_px
        Diameter of its brush.
    reach_px
        Distance from the click or stroke up to which it looks for edges.
    paints_papyrus
        Whether it paints papyrus instead of ink; Shift does the other one.
    """

    brush_px: int | None = None
    reach_px: int | None = None
    paints_papyrus: bool | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Action that a key, a button or a command triggers.

    Attributes
    ----------
    name
        Name in the code and in Preferences.
    key
        Default key in napari's notation: ``Q``, ``Shift-K``, ``Control-Z``.
    title
        Short description, shown in tooltips, in Preferences and in the list of keys.
    group
        Heading in the list of keys.
    """

    name: str
    key: str
    title: str
    group: str

    @property
    def needs_labels(self) -> bool:
        """Whether the action works with labels."""
        return self.group in (PAINT, OUTLINE, SIMILAR, REVIEW) or self.name in (
            "undo",
            "redo",
            "blink_labels",
            "difference",
            "swap",
            "live",
        )


PAINT, OUTLINE, SIMILAR, REVIEW, DISPLAY, DEPTH, CHANGES = (
    "Paint",
    "Edges and outlines",
    "Find similar",
    "Review",
    "Display",
    "Depth",
    "Changes and help",
)

# No key is used by napari itself for the viewer, image layers or labels layers. The plain arrow keys move through the
# depth, and Space moves the picture.
ACTIONS: tuple[Action, ...] = (
    Action("ink", "Q", "Paint ink", PAINT),
    Action("papyrus", "W", "Paint papyrus: reviewed, without ink", PAINT),
    Action("edge", "A", "Paint an edge of ink", PAINT),
    Action("not_edge", "S", "Paint pixels that are certainly not an edge", PAINT),
    Action("edge_brush", "R", "Brush up to edges: paint ink, but not across an edge", PAINT),
    Action("fill_ink", "G", "Fill an enclosed region with ink", PAINT),
    Action("grow", "T", "Draw a stroke of ink that grows up to the edges", PAINT),
    Action("livewire", "D", "Outline a region along its edges, anchor by anchor", OUTLINE),
    Action("erase_fragment", "H", "Remove an edge line", OUTLINE),
    Action("join", "J", "Bridge a gap between two line ends", OUTLINE),
    Action("remove_specks", "Shift-H", "Remove all short edge lines in the visible region", OUTLINE),
    Action("bridge_gaps", "Shift-J", "Bridge all small gaps between edge lines in the visible region", OUTLINE),
    Action("ink_from_edges", "Shift-I", "Fill closed edge lines in the visible region with ink", OUTLINE),
    Action("edges_from_ink", "Shift-O", "Draw the outlines of ink in the visible region as edges", OUTLINE),
    Action("find_similar", "U", "Draw a box around a stroke and find similar strokes", SIMILAR),
    Action("accept", "Shift-A", "Accept the current candidate", SIMILAR),
    Action("reject", "Shift-R", "Reject the current candidate", SIMILAR),
    Action("next_region", ".", "Go to the next region of the queue", REVIEW),
    Action("previous_region", ",", "Go back to the previous region", REVIEW),
    Action("reviewed", "K", "Mark the region reviewed", REVIEW),
    Action("flagged", "Shift-K", "Flag the region as doubtful", REVIEW),
    Action("in_progress", "I", "Mark the region in progress", REVIEW),
    Action("unreviewed", "Shift-U", "Mark the region unreviewed", REVIEW),
    Action("note", "N", "Write a note about the place under the mouse", REVIEW),
    Action("blink_labels", "8", "Show or hide the labels", DISPLAY),
    Action("blink_prediction", "9", "Show or hide the prediction", DISPLAY),
    Action("difference", "0", "Show where labels and prediction differ", DISPLAY),
    Action("flicker", "Shift-F", "Alternate between the prediction in use and the compared one", DISPLAY),
    Action("live", "Shift-T", "Turn live predictions after each stroke on or off", DISPLAY),
    Action("fainter", "Shift-Down", "Decrease the opacity of labels and prediction", DISPLAY),
    Action("stronger", "Shift-Up", "Increase the opacity of labels and prediction", DISPLAY),
    Action("swap", "Shift-G", "Show the prediction instead of the labels, or the reverse", DISPLAY),
    Action("projection", "Shift-P", "Show or hide the projection of several layers", DEPTH),
    Action("surface", "Home", "Go to the surface", DEPTH),
    Action("shallower", "PageUp", "Go five layers up", DEPTH),
    Action("deeper", "PageDown", "Go five layers down", DEPTH),
    Action("flip", "End", "Go to the previous layer, or back again", DEPTH),
    Action("explain", "Shift-L", "Plot how much each layer contributes to ink under the mouse", DEPTH),
    Action("undo", "Control-Z", "Undo", CHANGES),
    Action("redo", "Control-Shift-Z", "Redo", CHANGES),
    Action("help", "Shift-/", "Show all keys", CHANGES),
)

TOOL_ACTIONS = {tool.action: tool for tool in Tool if tool.action in {action.name for action in ACTIONS}}
"""Tool of each action that activates one."""

TITLES = {action.name: action.title for action in ACTIONS}
"""Title of each action, the one text for its buttons, commands and keys."""
