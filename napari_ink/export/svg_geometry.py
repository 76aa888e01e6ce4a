"""Geometry of SVG files: page size, transforms, and the outlines of shapes as points in pixels."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_ink.errors import LabelError

Affine = npt.NDArray[np.float64]
Point = tuple[float, float]
# Possessive quantifiers, since backtracking would take quadratic time on damaged text.
_NUMBER = re.compile(r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?", re.ASCII)
_SEPARATED = re.compile(rf"\s*+(?:{_NUMBER.pattern}(?:\s*+,\s*+|\s++|(?=[-+.])|$))*+", re.ASCII)
_FUNCTION = re.compile(r"\s*(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^()]*)\)\s*,?")
_ARGUMENTS = {"matrix": (6,), "translate": (1, 2), "scale": (1, 2), "rotate": (1, 3), "skewX": (1,), "skewY": (1,)}
_LENGTH = re.compile(rf"({_NUMBER.pattern})\s*(px|mm|cm|in|pt|pc|%|)")
_WITHOUT_ARGUMENTS = re.compile(r"[MLHVCSQTAmlhvcsqta][\s,]*(?:[A-Za-z]|$)")
_POINT_AT_END = re.compile(r"(?<=\d)\.(?!\d)")
_SIDES = {
    "rect": ("x", "y", "width", "height", "rx", "ry"),
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry"),
}
SHAPES = ("path", "polygon", "polyline", *_SIDES)
# The largest distance between a curve and the line segments that replace it.
_TOLERANCE_PX = 0.01
_MOST_POINTS_OF_CURVES = 2_000_000
_MOST_POINTS_OF_ONE = 1024
# How far a size in other units may be from whole pixels, since files round it.
_ROUNDED_PX = 0.05


def affine_of(text: str) -> Affine:
    """Return the ``(2, 3)`` matrix of an SVG transform attribute, for points ``(x, y)``.

    Raises
    ------
    ValueError
        If the text contains anything but the six transform functions of SVG, in user units and degrees.
    """
    from svgelements import Matrix

    # The functions are checked and written again one by one, since the library skips what it does not know.
    place, parts = 0, []
    text = "" if text.strip() == "none" else text
    while found := _FUNCTION.match(text, place):
        numbers = numbers_of(re.sub(r"(?<=[\d.])(px|deg)\b", "", found[2]))
        if len(numbers) not in _ARGUMENTS[found[1]]:
            raise ValueError(f"damaged transform: {found[0].strip()[:60]!r}")
        parts.append(f"{found[1]}({','.join(map(repr, numbers))})")
        place = found.end()
    if text[place:].strip():
        raise ValueError(f"damaged transform: {text.strip()[:60]!r}")
    matrix = Matrix(" ".join(parts))
    return np.array([[matrix.a, matrix.c, matrix.e], [matrix.b, matrix.d, matrix.f]], np.float64)


def joined(outer: Affine, inner: Affine) -> Affine:
    """Return the matrix that applies `inner` first, then `outer`."""
    matrix = outer[:, :2] @ inner
    matrix[:, 2] += outer[:, 2]
    return matrix


def page_of(attributes: Mapping[str, str], path: Path) -> tuple[tuple[int, int], Affine]:
    """Return the height and width of a page in pixels, and the matrix from its user units to pixels.

    There are two candidates: the view box, one pixel per user unit, and the printed size at 96 dpi. Only candidates
    of whole pixels are used. `write_svg` stores the size in pixels, and a candidate that agrees with it is preferred;
    otherwise the view box is.

    Parameters
    ----------
    attributes
        The attributes of the ``<svg>`` element.
    path
        The file, for messages.

    Raises
    ------
    ValueError
        If a length or the view box is damaged.
    LabelError
        If neither size is a whole number of pixels.
    """
    from svgelements import Viewbox

    box = numbers_of(attributes["viewBox"]) if "viewBox" in attributes else None
    if box is not None and (len(box) != 4 or min(box[2:]) <= 0):
        raise ValueError(f"damaged viewBox: {attributes['viewBox'][:60]!r}")
    if box is None:
        box = [0, 0, length_of(attributes["width"]), length_of(attributes["height"])]
    printed = [length_of(attributes.get(key, "100%"), box[place]) for key, place in (("width", 2), ("height", 3))]
    sizes = {"user": box[2:], "printed": printed}
    whole = {name: size for name, size in sizes.items() if all(_is_whole(side) for side in size)}
    exported = attributes.get("data-width"), attributes.get("data-height")
    same = [name for name, size in whole.items() if tuple(f"{side:.0f}" for side in size) == exported]
    name = next(iter(same or whole), None)
    if name is None:
        page_size = " × ".join(f"{side:g}" for side in box[:1:-1])
        raise LabelError(
            f"{path} has a page of {page_size} units, not a whole number of pixels; set its size in pixels (px)."
        )
    width, height = (round(side) for side in sizes[name])
    if name == "user":
        return (height, width), np.array([[1.0, 0, -box[0]], [0, 1, -box[1]]])
    fit = attributes.get("preserveAspectRatio")
    return (height, width), affine_of(Viewbox.viewbox_transform(0, 0, width, height, *box, fit))


def length_of(text: str, whole: float | None = None) -> float:
    """Return a length in user units, at 96 per inch.

    Parameters
    ----------
    text
        A number with an optional unit.
    whole
        The length that is 100 %; None if percentages are not allowed.

    Raises
    ------
    ValueError
        If the text is not a finite length, or a percentage without `whole`.
    """
    from svgelements import Length

    found = _LENGTH.fullmatch(text.strip())
    if found is None or (found[2] == "%" and whole is None):
        raise ValueError(f"unknown length: {text[:40]!r}")
    value = float(Length(f"{float(found[1])!r}{found[2]}").value(ppi=96, relative_length=whole))
    if not math.isfinite(value):
        raise ValueError(f"unknown length: {text[:40]!r}")
    return value


def numbers_of(text: str) -> list[float]:
    """Return the numbers of a list that is separated by spaces or commas.

    Raises
    ------
    ValueError
        If the text contains anything else, or a number that is not finite.
    """
    if not _SEPARATED.fullmatch(text):
        raise ValueError(f"{text.strip()[:40]!r} where numbers belong")
    numbers = [float(word) for word in _NUMBER.findall(text)]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{text.strip()[:40]!r} where numbers belong")
    return numbers


class Outlines:
    """Reader of the outlines of one document's shapes, as points ``(y, x)`` in pixels.

    Parameters
    ----------
    size
        Width and height of the page in user units, to which percentages refer.
    """

    def __init__(self, size: tuple[float, float]) -> None:
        self._size = size
        self._points_left = _MOST_POINTS_OF_CURVES

    def of(self, tag: str, attributes: Mapping[str, str], affine: Affine) -> list[npt.NDArray[np.float64]]:
        """Return the rings of a path or a basic shape; open subpaths are closed, as they are when filled.

        Parameters
        ----------
        tag
            One of `SHAPES`.
        attributes
            The element's attributes and style properties.
        affine
            The matrix from user units to pixels.

        Returns
        -------
        list of numpy.ndarray
            An array ``(points, 2)`` of float64 for each ring, ``(y, x)``.

        Raises
        ------
        ValueError
            If its numbers are damaged, or the document has too many curves.
        """
        # The largest number of pixels that a user unit becomes in any direction.
        scale = float(np.linalg.norm(affine[:, :2], 2))
        if tag in ("polygon", "polyline"):
            numbers = numbers_of(attributes.get("points", ""))
            rings = [list(zip(numbers[::2], numbers[1::2], strict=True))]
        else:
            data = attributes.get("d", "") if tag == "path" else self._data(tag, attributes)
            reader = _PathReader(min(scale, 1e9), self._points_left)
            rings = reader.read(data)
            self._points_left = reader.points_left
        return [_in_pixels(ring, affine) for ring in rings if len(ring) > 2]

    def _data(self, tag: str, attributes: Mapping[str, str]) -> str:
        """Return a basic shape as path data; empty for a shape without an area."""
        import svgelements

        width, height = self._size
        # As SVG defines percentages: along the width, along the height, and of the diagonal for radii.
        wholes = {"x": width, "cx": width, "rx": width, "width": width, "r": math.hypot(width, height) / math.sqrt(2)}
        sides = {
            key: length_of(attributes[key], wholes.get(key, height))
            for key in _SIDES[tag]
            if attributes.get(key, "auto") != "auto"
        }
        if tag == "ellipse" and len({"rx", "ry"} & set(sides)) == 1:
            sides["rx"] = sides["ry"] = sides.get("rx", sides.get("ry", 0.0))
        if any(sides.get(key, 0) < 0 for key in ("width", "height", "r", "rx", "ry")):
            raise ValueError(f"a {tag} of negative size")
        shape: Any = {"rect": svgelements.Rect, "circle": svgelements.Circle, "ellipse": svgelements.Ellipse}[tag]
        return str(shape(**sides).d(relative=False)) if _has_area(tag, sides) else ""


def _has_area(tag: str, sides: Mapping[str, float]) -> bool:
    needed = {"rect": ("width", "height"), "circle": ("r",), "ellipse": ("rx", "ry")}[tag]
    return all(sides.get(key, 0) > 0 for key in needed)


def _in_pixels(ring: list[Point], affine: Affine) -> npt.NDArray[np.float64]:
    with np.errstate(all="ignore"):  # `Canvas.paint` refuses points that are not finite
        moved = np.array(ring, np.float64) @ affine[:, :2].T + affine[:, 2]
        # Without this, rounding errors would decide about pixels whose centre lies on an edge.
        return np.asarray(np.round(moved[:, ::-1], 6))


def _is_whole(side: float) -> bool:
    return side > 0.5 and abs(side - round(side)) <= _ROUNDED_PX


class _PathReader:
    """Receiver of the path commands that svgelements' parser finds; curves become short straight sides."""

    def __init__(self, scale: float, points_left: int) -> None:
        self.points_left = points_left
        self._at: Point = (0.0, 0.0)
        self._scale = scale
        self._rings: list[list[Point]] = []
        self._control: tuple[Literal["cubic", "quad"], Point] | None = None
        self._is_open = False

    def read(self, data: str) -> list[list[Point]]:
        """Return the rings ``(x, y)`` of path data, in user units."""
        from svgelements.svgelements import SVGLexicalParser

        # SVG 1.1 allows a decimal point without a digit after it, which the library does not.
        data = _POINT_AT_END.sub("", data)
        damage = ValueError(f"damaged path data: {data.strip()[:40]!r}")
        if _WITHOUT_ARGUMENTS.search(data):
            raise damage
        lexer = SVGLexicalParser()
        try:
            lexer.parse(self, data)
        except (TypeError, ValueError) as error:
            raise damage from error
        if data[lexer.pos :].strip():
            raise damage
        return self._rings

    @property
    def current_point(self) -> _Place:
        """The point from which relative coordinates are measured."""
        return _Place(*self._at)

    def start(self) -> None:
        """Do nothing at the beginning of a path; the parser calls this."""

    def move(self, to: Point, relative: bool) -> None:
        """Begin a new ring."""
        self._rings.append([to])
        self._is_open = True
        self._go(to)

    def closed(self, relative: bool) -> None:
        """Close the ring and return to its first point; the next side begins a new ring there."""
        self._is_open = False
        self._go(self._rings[-1][0] if self._rings else (0.0, 0.0))

    def line(self, to: Point, relative: bool) -> None:
        """Add a straight side."""
        self._add([to])

    def horizontal(self, to: float, relative: bool) -> None:
        """Add a side along a row."""
        x, y = self._at
        self._add([(x + to if relative else float(to), y)])

    def vertical(self, to: float, relative: bool) -> None:
        """Add a side along a column."""
        x, y = self._at
        self._add([(x, y + to if relative else float(to))])

    def cubic(self, first: Point, second: Point, to: Point, relative: bool) -> None:
        """Add a cubic Bézier curve."""
        self._curve([self._at, first, second, to])
        self._control = "cubic", second

    def smooth_cubic(self, second: Point, to: Point, relative: bool) -> None:
        """Add a cubic curve that continues the previous one without a corner."""
        self.cubic(self._reflected("cubic"), second, to, relative)

    def quad(self, control: Point, to: Point, relative: bool) -> None:
        """Add a quadratic Bézier curve."""
        self._curve([self._at, control, to])
        self._control = "quad", control

    def smooth_quad(self, to: Point, relative: bool) -> None:
        """Add a quadratic curve that continues the previous one without a corner."""
        self.quad(self._reflected("quad"), to, relative)

    def arc(self, rx: float, ry: float, turn: float, large: bool, sweep: bool, to: Point, relative: bool) -> None:
        """Add an arc of an ellipse."""
        from svgelements import Arc

        begin = self._at
        if rx == 0 or ry == 0 or begin == to:
            self._add([to] if begin != to else [])
            return
        arc = Arc(begin, abs(rx), abs(ry), turn, large, sweep, to)
        bend = max(abs(arc.rx), abs(arc.ry)) * self._scale / _TOLERANCE_PX
        self._sample(arc.npoint, abs(arc.sweep) * math.sqrt(bend / 8), to)

    def _curve(self, controls: list[Any]) -> None:
        points = np.array([tuple(point) for point in controls], np.float64)
        degree = len(points) - 1
        # A bound on the second derivative: n pieces deviate from the curve by at most bend / (8 n²).
        bend = np.linalg.norm(np.diff(points, 2, axis=0), axis=1).max() * degree * (degree - 1)
        binomial = [math.comb(degree, k) for k in range(degree + 1)]

        def at(t: npt.NDArray[np.float64]) -> Any:
            powers = [binomial[k] * t**k * (1 - t) ** (degree - k) for k in range(degree + 1)]
            return np.stack(powers, axis=1) @ points

        self._sample(at, math.sqrt(bend * self._scale / (8 * _TOLERANCE_PX)), (points[-1, 0], points[-1, 1]))

    def _sample(self, at: Callable[[npt.NDArray[np.float64]], Any], pieces: float, to: Point) -> None:
        number = math.ceil(min(max(pieces, 1), _MOST_POINTS_OF_ONE))
        self.points_left -= number
        if self.points_left < 0:
            raise ValueError("too many curves")
        inner = np.asarray(at(np.arange(1, number) / number), np.float64).reshape(-1, 2)
        self._add([*map(tuple, inner.tolist()), to])

    def _reflected(self, kind: str) -> Point:
        x, y = self._at
        if self._control is None or self._control[0] != kind:
            return x, y
        return 2 * x - self._control[1][0], 2 * y - self._control[1][1]

    def _add(self, points: list[Any]) -> None:
        if not self._rings:
            raise ValueError("a side before the path begins")
        if not self._is_open:
            self._rings.append([self._at])
            self._is_open = True
        self._rings[-1].extend(points)
        if points:
            self._go(points[-1])

    def _go(self, to: Point) -> None:
        self._at = to
        self._control = None


class _Place(NamedTuple):
    """A point with the attribute names that svgelements needs."""

    x: float
    y: float
