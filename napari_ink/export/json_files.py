"""GeoJSON and COCO, which share the suffix of JSON: each is read as what it holds."""

from __future__ import annotations

from pathlib import Path

from napari_ink.decoding import decoder_errors, parse_json, read_document
from napari_ink.errors import LabelError
from napari_ink.export.coco import read_coco
from napari_ink.export.geojson import is_geojson, read_geojson
from napari_ink.export.planes import LabelPlane

# Short numbers in lists become this many times the bytes of their digits.
_GROWS = 16


def read_json(path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    """Read GeoJSON or COCO, whichever it is; `shape` says the size where GeoJSON does not.

    Raises
    ------
    LabelError
        If it is neither, or a size is missing.
    """
    said = parse_json(read_document(path, LabelError, _GROWS, "cut it into parts"), LabelError, path)
    remedy = "write it again as polygons in pixels, or as COCO's run lengths"
    with decoder_errors(LabelError, path, remedy):
        if isinstance(said, dict) and ("images" in said or "annotations" in said):
            return read_coco(said, path)
        if isinstance(said, dict | list) and is_geojson(said):
            return read_geojson(said, path, shape)
    raise LabelError(f"{path} is neither GeoJSON nor COCO; {remedy}.")
