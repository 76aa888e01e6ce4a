"""Label planes as GeoJSON: polygons with holes along the pixels' edges, in pixels ``[x, y]``, which QuPath reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_ink.decoding import parse_json
from napari_ink.errors import LabelError
from napari_ink.export.canvas import Canvas, checked_names
from napari_ink.export.classes import values_of_classes
from napari_ink.export.outlines import Points, Ring, trace
from napari_ink.export.planes import LabelPlane

_OURS = "napari_ink"
_COLLECTIONS = {"FeatureCollection": "features", "GeometryCollection": "geometries"}
_OTHER_TYPES = ("Point", "MultiPoint", "LineString", "MultiLineString")
_TYPES = ("Feature", "Polygon", "MultiPolygon", *_COLLECTIONS, *_OTHER_TYPES)


def write_geojson(plane: LabelPlane, path: Path) -> None:
    """Write a label plane as GeoJSON, with a feature for each connected piece of each value.

    Rings are oriented as RFC 7946 requires, but coordinates are pixels from the top left, not degrees. GeoJSON has no
    field for the size of the plane, so it is stored under ``"napari_ink"``.

    Parameters
    ----------
    plane
        The labels to write; the whole plane is read into memory.
    path
        The file to write.
    """
    values = plane.whole()
    ours = {"height": plane.shape[0], "width": plane.shape[1], "values": {str(v): n for v, n in plane.names.items()}}
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"type": "FeatureCollection", "{_OURS}": {json.dumps(ours)}, "features": [')
        for number, feature in enumerate(_features(plane, values)):
            file.write(f"{',' if number else ''}\n{json.dumps(feature)}")
        file.write("\n]}\n")


def is_geojson(document: dict[str, Any] | list[Any]) -> bool:
    """Return whether a JSON document is GeoJSON: a collection, or bare features or geometries."""
    first = document if isinstance(document, dict) else next(iter(document), None)
    return isinstance(first, dict) and first.get("type") in _TYPES


def read_geojson(document: dict[str, Any] | list[Any], path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    """Return the label plane of a GeoJSON document, from `write_geojson` or another program.

    Parameters
    ----------
    document
        The parsed document. Its polygons are painted in order; in documents of other programs, the value of a polygon
        follows from its class (`values_of_classes`).
    path
        The file, for messages.
    shape
        Height and width in pixels; needed only for documents of other programs, which do not contain them.

    Raises
    ------
    LabelError
        If there are no polygons that can be read, all lie outside of the plane, or the size is missing.
    ValueError
        If the document is damaged; `decoder_errors` makes a `LabelError` of it.
    """
    ours = document.get(_OURS) if isinstance(document, dict) else None
    left_out: Counter[str] = Counter()
    shapes = list(_shapes(document, left_out))
    if ours is not None:
        canvas = Canvas(ours["height"], ours["width"], path)
        names = checked_names({int(value): str(name) for value, name in ours["values"].items()}, path)
        values: list[int | None] = [_value_of(shape.properties, names) for shape in shapes]
        notes: tuple[str, ...] = ()
    else:
        if not shapes:
            raise LabelError(f"{path} contains no polygons{_listed(left_out)}; export the outlines as polygons.")
        if shape is None:
            raise LabelError(
                f"{path} does not contain the height and width of its plane; give its size (--size HEIGHT WIDTH)."
            )
        canvas = Canvas(*shape, path)
        classes = [_class_of(shape.properties) for shape in shapes]
        found = values_of_classes(Counter(classes), path)
        names, values, notes = found.names, [found.values.get(name) for name in classes], found.notes
        if _lies_on_centres(shapes):
            shapes = [_Shape([ring + 0.5 for ring in shape.rings], shape.properties) for shape in shapes]
            notes += (
                f"{path.name}: all corners lie at half pixels, so whole-number coordinates are read as pixel centres.",
            )
    return canvas.plane(names, (*notes, *_painted(canvas, shapes, values, left_out, path)))


@dataclass(frozen=True)
class _Shape:
    """A polygon's rings of points ``(y, x)``, with the properties of its feature."""

    rings: list[Points]
    properties: dict[str, Any]


def _painted(
    canvas: Canvas, shapes: list[_Shape], values: list[int | None], left_out: Counter[str], path: Path
) -> list[str]:
    """Paint the shapes that have a value; return notes about those that were left out."""
    labelled = [(shape, value) for shape, value in zip(shapes, values, strict=True) if value is not None]
    outside = sum(not canvas.paint(shape.rings, value) for shape, value in labelled)
    if outside and outside == len(labelled):
        raise LabelError(
            f"{path} has no polygon within {canvas.shape[0]} × {canvas.shape[1]} pixels; "
            "its coordinates must be pixels from the top left corner, [x, y]."
        )
    notes = [f"{path.name}: only polygons are read{_listed(left_out)}."] if left_out else []
    if outside:
        notes.append(f"{path.name}: {outside} of {len(labelled)} polygons lie outside of the plane.")
    return notes


def _listed(left_out: Counter[str]) -> str:
    listed = ", ".join(f"{number} {name}" for name, number in sorted(left_out.items()))
    return f"; left out: {listed}" if listed else ""


def _shapes(document: Any, left_out: Counter[str]) -> Iterator[_Shape]:
    """Yield all polygons in order, at any depth of nesting; count everything else in `left_out`."""
    # A stack instead of recursion, which a deeply nested file would exhaust.
    waiting: list[tuple[Any, dict[str, Any]]] = [(document, {})]
    while waiting:
        one, properties = waiting.pop()
        if isinstance(one, list):
            waiting.extend((part, properties) for part in reversed(one))
            continue
        kind = "null" if one is None else one["type"]
        if kind == "Feature":
            waiting.append((one.get("geometry"), one.get("properties") or {}))
        elif kind in _COLLECTIONS:
            waiting.append((list(one[_COLLECTIONS[kind]]), properties))
        elif kind in ("Polygon", "MultiPolygon"):
            polygons = one["coordinates"] if kind == "MultiPolygon" else [one["coordinates"]]
            yield from _polygons(polygons, properties, left_out)
        elif kind in (*_OTHER_TYPES, "null"):
            left_out["features without a geometry" if kind == "null" else kind] += 1
        else:
            raise ValueError(f"{str(kind)[:40]!r} is not a type of GeoJSON")


def _polygons(polygons: list[Any], properties: dict[str, Any], left_out: Counter[str]) -> Iterator[_Shape]:
    for polygon in polygons:
        rings = [_ring(ring) for ring in polygon if len(ring)]
        if rings and len(rings[0]) > 2:
            yield _Shape(rings, properties)
        else:
            left_out["polygons with fewer than 3 corners"] += 1


def _ring(corners: list[list[float]]) -> Points:
    """Return the corners ``(y, x)`` of a ring without the repeated first corner, which some files leave out."""
    xy = np.array([corner[:2] for corner in corners])
    if xy.ndim != 2 or xy.shape[1] != 2 or xy.dtype.kind not in "iuf":
        raise ValueError("a corner that is not a pair of numbers")
    is_closed = len(xy) > 1 and (xy[0] == xy[-1]).all()
    return xy[: -1 if is_closed else None, ::-1].astype(np.float64)


def _class_of(properties: dict[str, Any]) -> str:
    """Return the class of a feature: QuPath's ``classification``, or ``class`` or ``label``; empty without one."""
    for key in ("classification", "class", "label"):
        name = properties.get(key)
        if isinstance(name, str) and name.lstrip().startswith("{"):  # GIS programs save nested objects as JSON text
            name = parse_json(name, LabelError, f"the {key} of a feature")
        if isinstance(name, dict):
            name = name.get("name")
        if isinstance(name, str | int | float) and not isinstance(name, bool) and str(name).strip():
            return str(name)
    return ""


def _value_of(properties: dict[str, Any], names: Mapping[int, str]) -> int:
    """Return the value of a feature in a file of ours; features added in other programs have only a class."""
    stored = properties.get("value")
    if stored is None:
        by_name = {name: value for value, name in names.items()}
        stored = by_name.get(_class_of(properties).strip().casefold())
    for value in names:
        if value == stored:
            return value
    raise ValueError(f"a feature has the value {str(stored)[:20]}, but the file has only {', '.join(map(str, names))}")


def _lies_on_centres(shapes: list[_Shape]) -> bool:
    """Return whether all sides run along rows and columns at half pixels, as where whole numbers are pixel centres."""
    for shape in shapes:
        for ring in shape.rings:
            turns = np.diff(ring, axis=0, append=ring[:1]) != 0
            if (ring % 1 != 0.5).any() or turns.all(axis=1).any():
                return False
    return True


def _features(plane: LabelPlane, values: Any) -> Iterator[dict[str, Any]]:
    for value, name in plane.names.items():
        for polygon in trace(values == value):
            rings = [_closed(ring) for ring in (polygon.outline, *polygon.holes)]
            yield {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": rings},
                "properties": {"value": value, "objectType": "annotation", "classification": {"name": name}},
            }


def _closed(ring: Ring) -> list[list[int]]:
    corners: list[list[int]] = ring[:, ::-1].tolist()
    return [*corners, corners[0]]
