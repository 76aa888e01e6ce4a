"""Mouse events for a tool, and positions on the disc."""

import numpy as np

from napari_ink.annotation import Annotation
from napari_ink.gui.tools.base import CanvasTool, Pointer
from napari_ink.typing import LabelKind

HEIGHT, WIDTH, CENTRE, RADIUS = 160, 220, (80, 100), 40


def pixels_of_the_disc() -> np.ndarray:
    """Return the disc as a mask of `HEIGHT` × `WIDTH` pixels."""
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    return (rows - CENTRE[0]) ** 2 + (columns - CENTRE[1]) ** 2 <= RADIUS**2


def on_circle(degrees: float, radius: float = RADIUS) -> tuple[float, float]:
    """Return the position at an angle on a circle around the disc's centre."""
    angle = np.radians(degrees)
    return CENTRE[0] + radius * np.sin(angle), CENTRE[1] + radius * np.cos(angle)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection of two masks divided by their union."""
    return float((one & other).sum() / (one | other).sum())


def click(tool: CanvasTool, place: tuple[float, float], **modifiers) -> None:
    """Move to a position and click there."""
    at = Pointer(*place, **modifiers)
    tool.move(at, pressed=False)
    tool.press(at)
    if tool.takes_drags:
        tool.release(at)


def drag(tool: CanvasTool, *places: tuple[float, float], **modifiers) -> None:
    """Press at the first position, move over the others and release at the last."""
    tool.press(Pointer(*places[0], **modifiers))
    for place in places[1:]:
        tool.move(Pointer(*place, **modifiers), pressed=True)
    tool.release(Pointer(*places[-1], **modifiers))


def draw(annotation: Annotation, what: LabelKind, *corners: tuple[int, int]) -> None:
    """Draw a line one pixel wide from corner to corner, along rows and columns only."""
    values = annotated(annotation, what)
    for (y0, x0), (y1, x1) in zip(corners, corners[1:], strict=False):
        values[min(y0, y1) : max(y0, y1) + 1, min(x0, x1) : max(x0, x1) + 1] = 1
    annotation.apply([(what, 0, 0, values)], what)


def annotated(annotation: Annotation, what: LabelKind) -> np.ndarray:
    """Return a copy of all label values."""
    return annotation.read(what, (0, HEIGHT), (0, WIDTH))
