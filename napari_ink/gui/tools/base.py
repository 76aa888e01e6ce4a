"""The base of all canvas tools: they get the mouse and a few keys while they are active."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from napari_ink.gui.models.actions import Tool
    from napari_ink.gui.tools.context import ToolContext

Key = Literal["Enter", "Escape"]


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where the mouse is, in full-resolution pixels of the segment, and what is held down with it."""

    y: float
    x: float
    button: Literal["left", "right"] = "left"
    control: bool = False
    shift: bool = False

    @property
    def pixel(self) -> tuple[int, int]:
        """The pixel that it points at."""
        return round(self.y), round(self.x)


class CanvasTool:
    """A tool that works on the canvas with the mouse; what it does not override does nothing.

    Parameters
    ----------
    context
        Labels, predictions and the preview.

    Attributes
    ----------
    name : Tool
        Which tool it is.
    hint : str
        How it is used, in one sentence.
    takes_drags : bool
        Whether it takes drags of the left button for itself; otherwise they move the picture.
    """

    name: Tool
    hint: str
    takes_drags = False

    def __init__(self, context: ToolContext) -> None:
        self._context = context

    def press(self, at: Pointer) -> None:
        """Begin at a place; comes after `release` for a tool that leaves drags to the picture."""

    def move(self, at: Pointer, pressed: bool) -> None:
        """Follow the mouse."""

    def release(self, at: Pointer) -> None:
        """End what `press` began."""

    def double_click(self, at: Pointer) -> None:
        """Finish, if the tool has something to finish."""

    def key(self, key: Key) -> None:
        """Finish or give up."""

    def drop(self) -> None:
        """Put away what is half done."""
