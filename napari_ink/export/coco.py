"""Label planes as COCO JSON: runs of pixels along the columns, with an annotation for each value."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.errors import LabelError
from napari_ink.export.canvas import Canvas, checked_names
from napari_ink.export.classes import ClassValues, values_of_classes
from napari_ink.export.planes import INK_MASK, LabelPlane
from napari_ink.export.runs import runs_of

# More bits than any plane needs; without a limit, a damaged file would build up a huge number.
_MOST_BITS = 60


def write_coco(plane: LabelPlane, path: Path) -> None:
    """Write a label plane as a COCO data set of one image, with uncompressed run lengths for each value."""
    values = plane.whole()
    height, width = plane.shape
    ids = {value: number for number, value in enumerate(plane.names, 1)}
    document = {
        "images": [{"id": 1, "file_name": f"{path.stem}.png", "height": height, "width": width}],
        "categories": [
            {"id": ids[value], "name": name, "supercategory": "label", "value": value}
            for value, name in plane.names.items()
        ],
        "annotations": [_annotation(mask, ids[value]) for value in plane.names if (mask := values == value).any()],
    }
    with path.open("w", encoding="utf-8") as file:
        json.dump(document, file)


def read_coco(document: dict[str, Any], path: Path) -> LabelPlane:
    """Return the label plane of a COCO data set of one image.

    Annotations may be polygons or run lengths, compressed or not; later ones cover earlier ones. Categories of other
    programs, which have no value, are read by their names (`values_of_classes`).

    Parameters
    ----------
    document
        The parsed JSON document.
    path
        The file, for messages.

    Raises
    ------
    LabelError
        If there is not exactly one image, or annotations refer to images or categories that do not exist.
    ValueError
        If the document is damaged; `decoder_errors` makes a `LabelError` of it.
    """
    images, annotations = document.get("images", []), document.get("annotations", [])
    if len(images) != 1:
        raise LabelError(f"{path} contains {len(images)} images, but only one can be read; keep one image.")
    ours = {category["id"]: category for category in document.get("categories", [])}
    unknown = [str(one["category_id"]) for one in annotations if one["category_id"] not in ours]
    strangers = [one for one in annotations if one.get("image_id", images[0].get("id")) != images[0].get("id")]
    if unknown or strangers:
        what = f"of category {unknown[0][:20]}" if unknown else "of an image"
        raise LabelError(f"{path} has annotations {what} that it does not contain; remove them.")
    # Memory order F, since COCO's runs go along the columns.
    canvas = Canvas(images[0]["height"], images[0]["width"], path, order="F")
    if all("value" in category for category in ours.values()):
        names = checked_names({int(one["value"]): str(one["name"]) for one in ours.values()}, path)
        values: dict[Any, int | None] = {number: int(one["value"]) for number, one in ours.items()}
        notes: tuple[str, ...] = ()
    else:
        counts = Counter(str(ours[one["category_id"]]["name"]) for one in annotations)
        found = values_of_classes(counts, path) if counts else ClassValues({}, INK_MASK, ())
        names, notes = found.names, found.notes
        values = {number: found.values.get(str(one["name"])) for number, one in ours.items()}
    for annotation in annotations:
        if (value := values[annotation["category_id"]]) is not None:
            _paint(canvas, annotation["segmentation"], value)
    return canvas.plane(names, notes)


def _annotation(mask: npt.NDArray[np.bool_], category: int) -> dict[str, Any]:
    height, width = mask.shape
    begin, length = runs_of([mask.T.view(np.uint8)])
    edges = np.concatenate([[0], np.stack([begin, begin + length], axis=1).ravel(), [mask.size]])
    counts = np.diff(edges)
    # Counts alternate from 0 to 1 and begin with 0; pycocotools writes no empty last run.
    if not counts[-1]:
        counts = counts[:-1]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return {
        "id": category,
        "image_id": 1,
        "category_id": category,
        "segmentation": {"size": [height, width], "counts": counts.tolist()},
        "area": int(length.sum()),
        "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
        "iscrowd": 1,
    }


def _paint(canvas: Canvas, segmentation: dict[str, Any] | list[list[float]], value: int) -> None:
    if isinstance(segmentation, list):
        for corners in segmentation:
            # One by one: polygons of an annotation are separate pieces, and COCO has no holes.
            canvas.paint([np.array(corners, np.float64).reshape(-1, 2)[:, ::-1]], value)
        return
    if tuple(segmentation["size"]) != canvas.shape:
        raise ValueError(f"a mask of {str(segmentation['size'])[:40]} in an image of {list(canvas.shape)}")
    counts = _checked(segmentation["counts"], canvas.shape)
    ends = np.cumsum(counts)
    canvas.paint_runs((ends - counts)[1::2], counts[1::2], value)


def _checked(runs: str | list[int], shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return run lengths as an array; raise ValueError unless they add up to the plane's number of pixels."""
    counts = _unpacked(runs) if isinstance(runs, str) else runs
    # `type` and not `isinstance`, which would accept True and False.
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("a run length that is not a whole number from 0")
    if sum(counts) != shape[0] * shape[1]:
        raise ValueError(f"run lengths that add up to {sum(counts)} pixels in an image of {shape[0] * shape[1]}")
    return np.array(counts, np.int64)


def _unpacked(packed: str) -> list[int]:
    """Return the counts of COCO's compressed run lengths: 5 bits per character, differences from the third count on.

    Each difference is relative to the count two places before, as in pycocotools' `rleFrString`.
    """
    counts: list[int] = []
    number = shift = 0
    for character in packed.encode("ascii"):
        bits = character - 48
        if not 0 <= bits < 64 or shift > _MOST_BITS:
            raise ValueError("run lengths that are not packed as COCO packs them")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number = shift = 0
    return counts
