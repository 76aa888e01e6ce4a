"""Everything that has a key: its name, what it does, and the key that it has unless Preferences say otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tool(StrEnum):
    """A way to draw: the same name for its action, its button and the canvas; its value stands in the journal."""

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
        """Name of the action that takes this tool."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a key does.

    Attributes
    ----------
    name
        What it is called in the code, and in Preferences.
    key
        The key, as napari writes it: ``Q``, ``Shift-K``, ``Control-Z``.
    title
        What it does, in a few words.
    group
        The heading that it stands under.
    """

    name: str
    key: str
    title: str
    group: str

    @property
    def needs_labels(self) -> bool:
        """Whether it does something with labels, or for them."""
        return self.group in (PAINT, OUTLINE, SIMILAR, REVIEW) or self.name in (
            "undo",
            "redo",
            "blink_labels",
            "difference",
            "swap",
        )


PAINT, OUTLINE, SIMILAR, REVIEW, LOOK, DEPTH, CHANGES = (
    "Paint",
    "Edges and outlines",
    "Find similar",
    "Review",
    "Look",
    "Depth",
    "Changes and help",
)

# No key here is one of napari's own for its viewer, its image or its labels layers; the arrows' plain keys move through
# the depth, and Space moves the picture.
ACTIONS: tuple[Action, ...] = (
    Action("ink", "Q", "Paint ink", PAINT),
    Action("papyrus", "W", "Paint papyrus: looked at, and no ink there", PAINT),
    Action("edge", "A", "Paint an edge of ink", PAINT),
    Action("not_edge", "S", "Paint what is surely no edge", PAINT),
    Action("edge_brush", "R", "Paint ink up to the edges, not across", PAINT),
    Action("fill_ink", "G", "Fill an enclosed region with ink", PAINT),
    Action("grow", "T", "Grow ink from a stroke", PAINT),
    Action("livewire", "D", "Outline along the edges, anchor by anchor", OUTLINE),
    Action("erase_fragment", "H", "Remove an edge line", OUTLINE),
    Action("join", "J", "Bridge a gap between two line ends", OUTLINE),
    Action("remove_specks", "Shift-H", "Remove all short edge lines in sight", OUTLINE),
    Action("bridge_gaps", "Shift-J", "Bridge all small gaps in sight", OUTLINE),
    Action("ink_from_edges", "Shift-I", "Make closed edge lines in sight ink", OUTLINE),
    Action("edges_from_ink", "Shift-O", "Draw the outlines of the ink in sight", OUTLINE),
    Action("find_similar", "U", "Box a stroke and find its like", SIMILAR),
    Action("accept", "Shift-A", "Accept the candidate shown", SIMILAR),
    Action("reject", "Shift-R", "Reject the candidate shown", SIMILAR),
    Action("next_region", ".", "Go to the region most worth a look", REVIEW),
    Action("previous_region", ",", "Go back to the region before", REVIEW),
    Action("reviewed", "K", "Mark the region reviewed", REVIEW),
    Action("flagged", "Shift-K", "Flag the region as doubtful", REVIEW),
    Action("in_progress", "I", "Mark the region in progress", REVIEW),
    Action("unreviewed", "Shift-U", "Mark the region unreviewed", REVIEW),
    Action("note", "N", "Write a note about the place under the mouse", REVIEW),
    Action("blink_labels", "8", "Show or hide the labels", LOOK),
    Action("blink_prediction", "9", "Show or hide the prediction", LOOK),
    Action("difference", "0", "Show where labels and prediction differ", LOOK),
    Action("fainter", "Shift-Down", "Make the labels fainter", LOOK),
    Action("stronger", "Shift-Up", "Make the labels stronger", LOOK),
    Action("swap", "Shift-G", "Swap labels and prediction", LOOK),
    Action("projection", "Shift-P", "Show several layers at once: the projection", DEPTH),
    Action("surface", "Home", "Go to the surface", DEPTH),
    Action("shallower", "PageUp", "Go five layers up", DEPTH),
    Action("deeper", "PageDown", "Go five layers down", DEPTH),
    Action("flip", "End", "Flip between this layer and the one looked at before", DEPTH),
    Action("explain", "Shift-L", "Ask the model which layers speak for ink under the mouse", DEPTH),
    Action("undo", "Control-Z", "Undo", CHANGES),
    Action("redo", "Control-Shift-Z", "Redo", CHANGES),
    Action("help", "Shift-/", "Show these keys (the ? key)", CHANGES),
)

TOOL_ACTIONS = {tool.action: tool for tool in Tool if tool.action in {action.name for action in ACTIONS}}
"""The tool that each action takes, for actions that take one."""
