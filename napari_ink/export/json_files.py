"""Files with the suffix .json, which are read as GeoJSON or COCO according to their content."""

from __future__ import annotations

from pathlib import Path

from napari_ink.decoding import decoder_errors, parse_json, read_document
from napari_ink.errors import LabelError
from napari_ink.export.coco import read_coco
from napari_ink.export.geojson import is_geojson, read_geojson
from napari_ink.export.planes import LabelPlane

# Bytes of memory for one byte of text, at most: short numbers in lists grow the most.
_GROWS = 16


def read_json(path: Path, shape: tuple[int, int] | None) -> LabelPlane:
    """Read a JSON file, GeoJSON or COCO, as a label plane.

    Parameters
    ----------
    path
        The file to read.
    shape
        Height and width in pixels; needed only for GeoJSON of other programs, which does not contain them.

    Raises
    ------
    LabelError
        If the file is neither or damaged, or the size is missing.
    """
    document = parse_json(read_document(path, LabelError, _GROWS, "cut it into parts"), LabelError, path)
    remedy = "write it again as polygons in pixels, or as COCO's run lengths"
    with decoder_errors(LabelError, path, remedy):
        if isinstance(document, dict) and ("images" in document or "annotations" in document):
            return read_coco(document, path)
        if isinstance(document, dict | list) and is_geojson(document):
            return read_geojson(document, path, shape)
    raise LabelError(f"{path} is neither GeoJSON nor COCO; {remedy}.")
