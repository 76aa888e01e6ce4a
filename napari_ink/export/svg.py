"""Planes as SVG: one path for each value, along the pixels' edges."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import EDGE_COLOURS, INK_COLOURS, EdgeValue, LabelValue
from napari_ink.errors import LabelError
from napari_ink.export.outlines import Polygon, Ring, fill, trace
from napari_ink.export.planes import LabelPlane, plane_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_COLOURS = {
    "ink": INK_COLOURS[LabelValue.INK],
    "papyrus": INK_COLOURS[LabelValue.PAPYRUS],
    "edge": EDGE_COLOURS[EdgeValue.EDGE],
    "not an edge": EDGE_COLOURS[EdgeValue.NOT_EDGE],
}
_TOKEN = re.compile(r"[MHVLZmhvlz]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[^\s,]")


def write_svg(plane: LabelPlane, path: Path) -> None:
    """Write an SVG whose user unit is a pixel; each path says its value and what that means."""
    values = plane.whole()
    height, width = plane.shape
    with path.open("w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}">\n'
        )
        for value, name in plane.names.items():
            file.write(
                f'<path data-value="{value}" data-name={quoteattr(name)} fill="{colour_of(name)}" '
                f'fill-rule="evenodd" d="{path_data(trace(values == value))}"/>\n'
            )
        file.write("</svg>\n")


def read_svg(path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    """Read an SVG that `write_svg` wrote, perhaps with its points moved in a drawing program.

    Paths may have straight sides only.

    Raises
    ------
    LabelError
        If it is none, or a path holds curves.
    """
    from xml.etree import ElementTree

    try:
        root = ElementTree.parse(path).getroot()
        size = int(float(root.attrib["height"])), int(float(root.attrib["width"]))
        plane, names = np.zeros(size, np.uint8), {}
        for element in _paths(root):
            value = int(element.attrib["data-value"])
            names[value] = element.attrib["data-name"]
            plane[fill(_rings(element.attrib["d"]), size)] = value
    except (OSError, ElementTree.ParseError, KeyError, ValueError, OverflowError) as error:
        raise LabelError(f"{path} is no SVG that was exported here ({error}); use the one that was.") from error
    if not names:
        raise LabelError(f"{path} has no path with a data-value; only SVGs that were exported here are read.")
    return plane_of(plane, names)


def colour_of(name: str) -> str:
    """Return the colour that a value is shown in, as ``#rrggbb``."""
    colour = _COLOURS.get(name, (1.0, 1.0, 1.0, 1.0))
    return "#" + "".join(f"{round(part * 255):02x}" for part in colour[:3])


def path_data(polygons: list[Polygon]) -> str:
    """Return the outlines as the data of one path, to be filled by the even-odd rule."""
    return "".join(_ring_data(ring) for polygon in polygons for ring in (polygon.outline, *polygon.holes))


def _ring_data(ring: Ring) -> str:
    steps = np.diff(ring, axis=0).tolist()
    along = "".join(f"h{x}" if x else f"v{y}" for y, x in steps)
    return f"M{ring[0, 1]} {ring[0, 0]}{along}z"


def _paths(root: Element) -> list[Element]:
    return [element for element in root.iter() if element.tag.endswith("path") and "data-value" in element.attrib]


def _rings(data: str) -> list[npt.NDArray[np.float64]]:
    """Return the closed rings ``(n, 2)``, ``(y, x)``, of a path of straight sides."""
    rings: list[list[tuple[float, float]]] = []
    tokens, command, y, x = _TOKEN.findall(data), "", 0.0, 0.0
    place = 0

    def number() -> float:
        nonlocal place
        place += 1
        return float(tokens[place - 1])  # a command or a curve's letter here is a ValueError

    while place < len(tokens):
        if tokens[place] in "MHVLZmhvlz":
            command = tokens[place]
            place += 1
        from_y, from_x = (y, x) if command.islower() else (0.0, 0.0)
        match command.upper():
            case "Z":
                y, x = rings[-1][0]
                continue
            case "H":
                x = from_x + number()
            case "V":
                y = from_y + number()
            case "L" | "M":
                x = from_x + number()
                y = from_y + number()
            case _:
                raise ValueError(f"{tokens[place]!r} in a path")
        if command.upper() == "M":
            rings.append([])
            command = "l" if command == "m" else "L"
        rings[-1].append((y, x))
    return [np.array(ring) for ring in rings]
