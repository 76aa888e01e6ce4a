"""The marker: the last change that is in the chunks on disk, and the number of pixels of each value at that point."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_ink.annotation.store.edits import PLANES, Plane
from napari_ink.decoding import decoder_errors, parse_json, read_bounded
from napari_ink.durable import write_bytes
from napari_ink.errors import ProjectError

_LARGEST_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class Marker:
    """The contents of ``written.json``.

    Attributes
    ----------
    through
        Number of the last change that is in the chunks on disk.
    counts
        Number of pixels by plane and value.
    """

    through: int
    counts: Mapping[Plane, Mapping[int, int]]


def write_marker(path: Path, marker: Marker) -> None:
    """Write a marker with a checksum, replacing the one before.

    Raises
    ------
    OSError
        If the marker cannot be written; the one before stays.
    """
    content = {"through": marker.through, "counts": marker.counts}
    write_bytes(path, json.dumps(content | {"crc32": _check_sum(content)}).encode())


def read_marker(path: Path) -> Marker | None:
    """Return the marker in a file; None if there is no file.

    Raises
    ------
    ProjectError
        If the file is damaged.
    """
    if not path.exists():
        return None
    content = parse_json(read_bounded(path, ProjectError), ProjectError, path)
    with decoder_errors(ProjectError, path, "open its project, which writes it again"):
        counts = {plane: _counts_of(content["counts"].get(plane, {})) for plane in PLANES}
        check = content.pop("crc32", None)  # markers of earlier versions have none
        if check is not None and check != _check_sum(content):
            raise ValueError("its checksum does not match")
        return Marker(_whole(content["through"], 0), counts)


def _counts_of(content: Any) -> dict[int, int]:
    counts = {int(value): _whole(number, -_LARGEST_NUMBER) for value, number in content.items()}
    if not all(0 <= value <= 255 for value in counts):
        raise ValueError("it counts values that no pixel can have")
    return counts


def _whole(number: object, least: int) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number < _LARGEST_NUMBER:
        raise ValueError("a number in it is invalid")
    return number


def _check_sum(content: Mapping[str, Any]) -> int:
    # JSON turns numeric keys into text, so values go through JSON once: before and after storing, the sum is the same.
    return zlib.crc32(json.dumps(json.loads(json.dumps(content)), sort_keys=True).encode())
