"""Planes as GeoJSON: polygons with holes along the pixels' edges, in pixels ``[x, y]``, as QuPath and others read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_ink.errors import LabelError
from napari_ink.export.coco import read_coco
from napari_ink.export.outlines import Ring, fill, trace
from napari_ink.export.planes import LabelPlane, plane_of

_OURS = "napari_ink"


def write_geojson(plane: LabelPlane, path: Path) -> None:
    """Write a feature for each connected piece of each value.

    Rings turn as RFC 7946 asks, but coordinates are pixels from the top left, not degrees. The size, which GeoJSON has
    no place for, stands under ``"napari_ink"``.
    """
    values = plane.whole()
    ours = {"height": plane.shape[0], "width": plane.shape[1], "values": {str(v): n for v, n in plane.names.items()}}
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"type": "FeatureCollection", "{_OURS}": {json.dumps(ours)}, "features": [')
        for number, feature in enumerate(_features(plane, values)):
            file.write(f"{',' if number else ''}\n{json.dumps(feature)}")
        file.write("\n]}\n")


def read_json(path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    """Read GeoJSON or COCO, whichever it is.

    Polygons without a value of ours make a mask; where they overlap, it is white once. `shape` says the size where the
    file does not.

    Raises
    ------
    LabelError
        If it is neither, or a size is missing.
    """
    try:
        with path.open(encoding="utf-8") as file:
            said = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise LabelError(f"{path} cannot be read as JSON ({error}).") from error
    if not isinstance(said, dict) or said.get("type") not in ("FeatureCollection", "Feature"):
        return read_coco(said, path)
    try:
        return _plane(said, path, shape)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise LabelError(f"{path} holds something else than polygons in pixels ({error!r}).") from error


def _plane(said: dict[str, Any], path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    ours = said.get(_OURS, {})
    if ours:
        shape = int(ours["height"]), int(ours["width"])
    if shape is None:
        raise LabelError(f"{path} does not say how high and wide its plane is; give its size.")
    plane = np.zeros(shape, np.uint8)
    for feature in said.get("features", [said]):
        value = (feature.get("properties") or {}).get("value", 255) if ours else 255
        for polygon in _polygons(feature["geometry"]):
            plane[fill([np.asarray(ring, np.float64)[:-1, 1::-1] for ring in polygon], shape)] = value
    names = {int(value): str(name) for value, name in ours.get("values", {"255": "ink"}).items()}
    return plane_of(plane, names)


def _polygons(geometry: dict[str, Any]) -> list[list[list[list[float]]]]:
    match geometry["type"]:
        case "Polygon":
            return [geometry["coordinates"]]
        case "MultiPolygon":
            polygons: list[list[list[list[float]]]] = geometry["coordinates"]
            return polygons
    raise ValueError(f"a {geometry['type']}")


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
