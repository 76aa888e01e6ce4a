"""Label planes as SVG files: one path for each value, along the pixels' edges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import numpy as np

from napari_ink.annotation import EDGE_COLOURS, INK_COLOURS, EdgeValue, LabelValue
from napari_ink.decoding import decoder_errors, read_document
from napari_ink.errors import LabelError
from napari_ink.export.canvas import Canvas, checked_names
from napari_ink.export.outlines import FillRule, Polygon, Ring, trace
from napari_ink.export.planes import LabelPlane
from napari_ink.export.svg_document import Styles, parse_xml
from napari_ink.export.svg_geometry import SHAPES, Affine, Outlines, affine_of, joined, length_of, page_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_COLOURS = {
    "ink": INK_COLOURS[LabelValue.INK],
    "papyrus": INK_COLOURS[LabelValue.PAPYRUS],
    "edge": EDGE_COLOURS[EdgeValue.EDGE],
    "not an edge": EDGE_COLOURS[EdgeValue.NOT_EDGE],
}
_GROUPS = ("g", "a", "switch")
_DEFINITIONS = ("defs", "symbol", "clipPath", "mask", "marker", "pattern")
_NO_GRAPHICS = (
    "style",
    "metadata",
    "title",
    "desc",
    "script",
    "foreignObject",
    "linearGradient",
    "radialGradient",
    "filter",
)
_INHERITED = ("visibility", "fill", "fill-rule", "fill-opacity", "stroke", "stroke-width")
_OBSTACLES = {
    "clip-path": "clipped (clip-path); release the clip",
    "mask": "masked; release the mask",
    "filter": "filtered; remove the filter",
}
_STROKE = "stroke"
_XLINK = "http://www.w3.org/1999/xlink href"
# Bytes of memory for one byte of text: the XML tree and the points of the paths.
_GROWS = 30


def write_svg(plane: LabelPlane, path: Path) -> None:
    """Write a label plane as an SVG whose user unit is a pixel.

    There is one path for each value, with the value in ``data-value`` and its meaning in ``data-name``.

    Parameters
    ----------
    plane
        The labels to write; the whole plane is read into memory.
    path
        The file to write.
    """
    values = plane.whole()
    height, width = plane.shape
    with path.open("w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" data-width="{width}" data-height="{height}">\n'
        )
        for value, name in plane.names.items():
            file.write(
                f'<path data-value="{value}" data-name={quoteattr(name)} fill="{colour_of(name)}" '
                f'fill-rule="evenodd" d="{path_data(trace(values == value))}"/>\n'
            )
        file.write("</svg>\n")


def read_svg(path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    """Read an SVG that `write_svg` wrote, also after a drawing program has saved it again.

    A shape is labelled if it, or a group around it, has a ``data-value``. The filled areas of labelled shapes are
    painted in document order, after transforms, units and the view box are applied; strokes are ignored. Shapes that
    are hidden, or have no fill or no label, are left out, and the notes of the plane say so. Labelled shapes that are
    clipped, masked, filtered or cloned are refused.

    Parameters
    ----------
    path
        The file to read.
    shape
        Not used: an SVG contains its own size. All readers of vector formats take it.

    Returns
    -------
    LabelPlane
        The painted plane, of the page's height and width.

    Raises
    ------
    LabelError
        If the file is no SVG, has no labelled shapes, or has labelled shapes that cannot be read.
    """
    remedy = "save it as plain SVG, or export it again"
    data = read_document(path, LabelError, _GROWS, "export it in another format")
    with decoder_errors(LabelError, path, remedy):
        root = parse_xml(data, path)
        labelled = [element for element in root.iter() if "data-value" in element.attrib]
        if not labelled:
            raise LabelError(f"{path} has no shape with a data-value; only SVGs that were exported here are read.")
        names = {int(one.attrib["data-value"]): one.get("data-name") or "ink" for one in labelled}
        return _Drawing(root, path).plane(checked_names(names, path))


def colour_of(name: str) -> str:
    """Return the colour of the label value called `name`, as ``#rrggbb``; white for an unknown name."""
    colour = _COLOURS.get(name, (1.0, 1.0, 1.0, 1.0))
    return "#" + "".join(f"{round(part * 255):02x}" for part in colour[:3])


def path_data(polygons: list[Polygon]) -> str:
    """Return polygons as the ``d`` attribute of one SVG path, for the even-odd fill rule."""
    return "".join(_ring_data(ring) for polygon in polygons for ring in (polygon.outline, *polygon.holes))


def _ring_data(ring: Ring) -> str:
    # Sides alternate between rows and columns, so relative h and v commands suffice and keep the file small.
    steps = np.diff(ring, axis=0).tolist()
    along = "".join(f"h{x}" if x else f"v{y}" for y, x in steps)
    return f"M{ring[0, 1]} {ring[0, 0]}{along}z"


class _Drawing:
    """An SVG document, and the canvas on which its labelled shapes are painted."""

    def __init__(self, root: Element, path: Path) -> None:
        self._root, self._path = root, path
        self._styles = Styles(root, path)
        self._labelled: set[Element] = set()
        for element in reversed(list(root.iter())):  # reversed, so that children come before their parents
            if "data-value" in element.attrib or any(child in self._labelled for child in element):
                self._labelled.add(element)
        self._labelled_ids = {f"#{one.attrib['id']}" for one in self._labelled if "id" in one.attrib}
        self._left_out: Counter[str] = Counter()
        (height, width), self._affine = page_of(root.attrib, path)
        self._canvas = Canvas(height, width, path)
        self._outlines = Outlines((width, height))

    def plane(self, names: Mapping[int, str]) -> LabelPlane:
        """Paint the whole document, and return it as a plane with these names of values."""
        self._paint_children(self._root, _Context(self._affine).within(self._root, self._styles.of(self._root)))
        return self._canvas.plane(names, [*self._notes_on_page(), *self._notes()])

    def _notes_on_page(self) -> list[str]:
        exported = [self._root.get(f"data-{side}") for side in ("height", "width")]
        if None in exported or [str(side) for side in self._canvas.shape] == exported:
            return []
        now, before = " × ".join(map(str, self._canvas.shape)), " × ".join(map(str, exported))
        return [f"{self._path.name}: the page has {now} pixels now, but had {before} when it was exported."]

    def _notes(self) -> list[str]:
        strokes = self._left_out.pop(_STROKE, 0)
        listed = ", ".join(f"{number} {what}" for what, number in sorted(self._left_out.items()) if number)
        notes = [f"{self._path.name}: shapes are left out ({listed})."] if listed else []
        if strokes:
            notes.append(
                f"{self._path.name}: strokes are ignored, only filled areas are read ({strokes} shapes have a stroke)."
            )
        return notes

    def _paint_children(self, parent: Element, context: _Context) -> None:
        for element in parent:
            tag = element.tag
            if " " in tag or tag in _NO_GRAPHICS:  # a space: other name spaces hold settings of drawing programs
                continue
            own = self._styles.of(element)
            if tag in _DEFINITIONS:
                self._leave_out("in definitions", element)
            elif own.get("display") == "none" or _is_zero(own.get("opacity")):
                self._leave_out("hidden", element, is_labelled=context.value is not None)
            elif tag in _GROUPS:
                self._paint_children(element, context.within(element, own))
            else:
                self._paint(element, context.within(element, own))

    def _leave_out(self, why: str, element: Element, is_labelled: bool = False) -> None:
        if is_labelled or element in self._labelled:
            self._left_out[why] += sum(one.tag in SHAPES for one in element.iter())

    def _paint(self, element: Element, context: _Context) -> None:
        tag, style = element.tag, context.style
        obstacle = context.obstacle
        # The order of the cases matters: an obstacle is an error only for a shape that is labelled and visible.
        if tag == "use":
            is_labelled = (element.get("href") or element.get(_XLINK) or "").strip() in self._labelled_ids
            obstacle = "a clone; unlink the clone"
        else:
            is_labelled = element in self._labelled
            obstacle = obstacle or (
                "" if tag in SHAPES or not is_labelled else f"in <{tag[:20]}>; take it out of there"
            )
        if context.value is None and not is_labelled:
            self._left_out["without a data-value"] += tag in SHAPES
        elif style.get("visibility", "visible") != "visible":
            self._left_out["hidden"] += 1
        elif obstacle:
            raise LabelError(f"{self._path} has a labelled shape that is {obstacle}, and save it again.")
        elif context.value is None or tag not in SHAPES:
            self._left_out[f"of <{tag[:20]}>"] += 1
        elif style.get("fill") in ("none", "transparent") or _is_zero(style.get("fill-opacity")):
            self._left_out["without a fill"] += 1
        else:
            self._fill(element, context, context.value)

    def _fill(self, element: Element, context: _Context, value: int) -> None:
        style = context.style
        rule: FillRule = "evenodd" if style.get("fill-rule") == "evenodd" else "nonzero"
        rings = self._outlines.of(element.tag, {**element.attrib, **self._styles.of(element)}, context.affine)
        if not self._canvas.paint(rings, value, rule) and rings:
            self._left_out["outside of the page"] += 1
        self._left_out[_STROKE] += style.get("stroke", "none") != "none" and not _is_zero(style.get("stroke-width"))


@dataclass(frozen=True)
class _Context:
    """What an element inherits from its ancestors.

    Attributes
    ----------
    affine
        The matrix from user units to pixels.
    value
        The label value; None outside of labelled groups.
    style
        The inherited style properties.
    obstacle
        Why the element cannot be painted, with a remedy; empty if it can.
    """

    affine: Affine
    value: int | None = None
    style: Mapping[str, str] = field(default_factory=dict)
    obstacle: str = ""

    def within(self, element: Element, own: Mapping[str, str]) -> _Context:
        """Return the context for an element with the properties `own`, and for its children."""
        affine, obstacle = self.affine, self.obstacle
        if "transform" in own:
            affine = joined(affine, affine_of(own["transform"]))
            if "transform-origin" in own:
                obstacle = "turned about a point of its own (transform-origin); apply its transform"
        for key, what in _OBSTACLES.items():
            if own.get(key, "none") != "none":
                obstacle = what
        value = int(element.attrib["data-value"]) if "data-value" in element.attrib else self.value
        inherited = {key: setting for key, setting in own.items() if key in _INHERITED and setting != "inherit"}
        return _Context(affine, value, {**self.style, **inherited}, obstacle)


def _is_zero(text: str | None) -> bool:
    return text is not None and length_of(text, 1) == 0
