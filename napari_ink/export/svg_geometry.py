"""Where an SVG's shapes lie: its page, transforms, and outlines with all curves, as points in pixels."""

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
# Possessive, so that damaged text takes no time that grows with its square.
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
_TOLERANCE_PX = 0.01
_MOST_POINTS_OF_CURVES = 2_000_000
_MOST_POINTS_OF_ONE = 1024
# How far a size in other units may be from whole pixels, as it is rounded in files.
_ROUNDED_PX = 0.05


def affine_of(text: str) -> Affine:
    """Return the ``(2, 3)`` matrix of a transform attribute; points are ``(x, y)``.

    Raises
    ------
    ValueError
        If it holds anything but the six functions of SVG, in user units and degrees.
    """
    from svgelements import Matrix

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
    """Return height and width of a page in pixels, and the matrix from its user units to pixels.

    A user unit is a pixel, and the view box is the page, whatever size it is printed at; only where the view box is
    no whole number of units does the page's own size count, at 96 dpi. `write_svg` also notes the size in pixels, and
    of the two the one that agrees with it is taken.

    Raises
    ------
    ValueError
        If a length or the view box is none.
    LabelError
        If there is no page of whole pixels.
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
        said = " × ".join(f"{side:g}" for side in box[:1:-1])
        raise LabelError(f"{path} has a page of {said} units, no whole number of pixels; set its size in pixels (px).")
    width, height = (round(side) for side in sizes[name])
    if name == "user":
        return (height, width), np.array([[1.0, 0, -box[0]], [0, 1, -box[1]]])
    fit = attributes.get("preserveAspectRatio")
    return (height, width), affine_of(Viewbox.viewbox_transform(0, 0, width, height, *box, fit))


def length_of(text: str, whole: float | None = None) -> float:
    """Return a length in user units, at 96 to the inch; percentages are of `whole`.

    Raises
    ------
    ValueError
        If it is no length, or a percentage of nothing.
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
    """Return the numbers of a list with spaces or commas.

    Raises
    ------
    ValueError
        If anything else is in it.
    """
    if not _SEPARATED.fullmatch(text):
        raise ValueError(f"{text.strip()[:40]!r} where numbers belong")
    numbers = [float(word) for word in _NUMBER.findall(text)]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{text.strip()[:40]!r} where numbers belong")
    return numbers


class Outlines:
    """Outlines of the shapes of one document, in pixels ``(y, x)``.

    Parameters
    ----------
    size
        Width and height that percentages are of, in user units.
    """

    def __init__(self, size: tuple[float, float]) -> None:
        self._size = size
        self._points_left = _MOST_POINTS_OF_CURVES

    def of(self, tag: str, attributes: Mapping[str, str], affine: Affine) -> list[npt.NDArray[np.float64]]:
        """Return the closed rings of a path or a basic shape; open ones are filled as if they were closed.

        Raises
        ------
        ValueError
            If its numbers are damaged.
        """
        # The longest that a user unit becomes.
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
        """Return a basic shape as the data of a path."""
        import svgelements

        width, height = self._size
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
    with np.errstate(all="ignore"):  # what is not finite is refused where it is painted
        moved = np.array(ring, np.float64) @ affine[:, :2].T + affine[:, 2]
        # Rounding of the sums must not decide about pixels whose centre lies on an edge.
        return np.asarray(np.round(moved[:, ::-1], 6))


def _is_whole(side: float) -> bool:
    return side > 0.5 and abs(side - round(side)) <= _ROUNDED_PX


class _PathReader:
    """What svgelements' reader of path data calls for each command; curves become points that hardly leave them."""

    def __init__(self, scale: float, points_left: int) -> None:
        self.points_left = points_left
        self._at: Point = (0.0, 0.0)
        self._scale = scale
        self._rings: list[list[Point]] = []
        self._control: tuple[Literal["cubic", "quad"], Point] | None = None
        self._is_open = False

    def read(self, data: str) -> list[list[Point]]:
        """Return the rings of path data."""
        from svgelements.svgelements import SVGLexicalParser

        # SVG 1.1 allows a point without a digit after it, which the library does not know.
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
        """Where relative coordinates begin."""
        return _Place(*self._at)

    def start(self) -> None:
        """Begin; nothing to do."""

    def move(self, to: Point, relative: bool) -> None:
        """Begin a ring."""
        self._rings.append([to])
        self._is_open = True
        self._go(to)

    def closed(self, relative: bool) -> None:
        """Go back to where the ring began; what goes on there begins another."""
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
        """Add a cubic curve that goes on in the direction of the last one."""
        self.cubic(self._reflected("cubic"), second, to, relative)

    def quad(self, control: Point, to: Point, relative: bool) -> None:
        """Add a quadratic Bézier curve."""
        self._curve([self._at, control, to])
        self._control = "quad", control

    def smooth_quad(self, to: Point, relative: bool) -> None:
        """Add a quadratic curve that goes on in the direction of the last one."""
        self.quad(self._reflected("quad"), to, relative)

    def arc(self, rx: float, ry: float, turn: float, large: bool, sweep: bool, to: Point, relative: bool) -> None:
        """Add a piece of an ellipse."""
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
    """A point with the names that svgelements asks for."""

    x: float
    y: float
