"""What a tool for the canvas is: something that gets the mouse and a few keys while it is in hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

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


class CanvasTool(Protocol):
    """A tool that works on the canvas with the mouse."""

    name: str
    hint: str
    # Whether it takes drags of the left button for itself; otherwise they move the picture.
    takes_drags: bool

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
