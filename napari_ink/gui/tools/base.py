"""Base class of the canvas tools, which receive the mouse and a few keys while they are active."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from napari_ink.gui.models.actions import Tool
    from napari_ink.gui.tools.context import ToolContext

Key = Literal["Enter", "Escape"]


@dataclass(frozen=True, slots=True)
class Pointer:
    """Position of the mouse in full-resolution pixels of the segment, and the buttons and keys held down."""

    y: float
    x: float
    button: Literal["left", "right"] = "left"
    control: bool = False
    shift: bool = False

    @property
    def pixel(self) -> tuple[int, int]:
        """Pixel under the mouse."""
        return round(self.y), round(self.x)


class CanvasTool:
    """Base of the tools that work on the canvas with the mouse; methods that are not overridden do nothing.

    Parameters
    ----------
    context
        Access to labels, predictions and the preview.

    Attributes
    ----------
    name : Tool
        Name of the tool.
    hint : str
        Instructions for the user, shown while the tool is active.
    takes_drags : bool
        Whether the tool handles drags of the left button; otherwise they move the picture.
    """

    name: Tool
    hint: str
    takes_drags = False

    def __init__(self, context: ToolContext) -> None:
        self._context = context

    def press(self, at: Pointer) -> None:
        """Handle a pressed button; if the tool does not handle drags, called once a click is complete."""

    def move(self, at: Pointer, pressed: bool) -> None:
        """Handle a move of the mouse, with or without a button pressed."""

    def release(self, at: Pointer) -> None:
        """Handle the release of the button after `press`."""

    def double_click(self, at: Pointer) -> None:
        """Handle a double click, which finishes an outline."""

    def key(self, key: Key) -> None:
        """Handle Enter or Escape, which finish or cancel."""

    def drop(self) -> None:
        """Discard unfinished work, because the tool is deactivated or cancelled."""
