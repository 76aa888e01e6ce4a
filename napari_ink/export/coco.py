"""Planes as COCO's JSON: runs of pixels along the columns, an annotation for each value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.errors import LabelError
from napari_ink.export.kaggle_csv import runs_of
from napari_ink.export.planes import LabelPlane, plane_of


def write_coco(plane: LabelPlane, path: Path) -> None:
    """Write a COCO data set of one image: an annotation for each value, of uncompressed run lengths."""
    values = plane.whole()
    height, width = plane.shape
    ids = {value: number for number, value in enumerate(plane.names, 1)}
    said = {
        "images": [{"id": 1, "file_name": f"{path.stem}.png", "height": height, "width": width}],
        "categories": [
            {"id": ids[value], "name": name, "supercategory": "label", "value": value}
            for value, name in plane.names.items()
        ],
        "annotations": [
            _annotation(mask, ids[value]) for value in plane.names if (mask := values == value).any()
        ],
    }  # fmt: skip
    with path.open("w", encoding="utf-8") as file:
        json.dump(said, file)


def read_coco(said: dict[str, Any], path: Path) -> LabelPlane:
    """Return the plane of a COCO data set of one image with run lengths, compressed or not.

    Where annotations overlap, the later one counts. Categories of other programs, without a value, make a mask.

    Raises
    ------
    LabelError
        If it is no such data set.
    """
    try:
        (image,) = said["images"]
        categories = {category["id"]: category for category in said["categories"]}
        names = {int(one.get("value", 255)): str(one["name"]) for one in categories.values()}
        plane = np.zeros((image["height"], image["width"]), np.uint8)
        for annotation in said["annotations"]:
            value = categories[annotation["category_id"]].get("value", 255)
            plane[_decoded(annotation["segmentation"], plane.shape)] = value
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise LabelError(
            f"{path} is no COCO data set of one image with run lengths ({error}); write its masks as run lengths."
        ) from error
    return plane_of(plane, names)


def _annotation(mask: npt.NDArray[np.bool_], category: int) -> dict[str, Any]:
    height, width = mask.shape
    begin, length = runs_of([mask.T.view(np.uint8)])
    edges = np.concatenate([[0], np.stack([begin, begin + length], axis=1).ravel(), [mask.size]])
    counts = np.diff(edges)
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


def _decoded(segmentation: dict[str, Any], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    if tuple(segmentation["size"]) != shape:
        raise ValueError(f"a mask of {segmentation['size']} in an image of {list(shape)}")
    counts = segmentation["counts"]
    counts = np.asarray(_unpacked(counts) if isinstance(counts, str) else counts, np.int64)
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape(shape[::-1]).T


def _unpacked(packed: str) -> list[int]:
    """Return the counts of COCO's compressed form: 5 bits a character, each from the third on less the one 2 before."""
    counts: list[int] = []
    number = shift = 0
    for character in packed.encode("ascii"):
        bits = character - 48
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number = shift = 0
    return counts
