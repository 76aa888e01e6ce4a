"""The naming convention of label files: ``<segment>_{inklabels,supervision_mask,validation_mask}[_vN]``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

LabelKind = Literal["inklabels", "supervision_mask", "validation_mask"]
KINDS: tuple[LabelKind, ...] = get_args(LabelKind)
_NAME = re.compile(rf"(?P<segment>.+)_(?P<kind>{'|'.join(KINDS)})(?:_v(?P<version>\d+))?")


@dataclass(frozen=True, slots=True)
class LabelName:
    """The parts of a label file's name; files of one version belong together.

    Attributes
    ----------
    segment
        The segment's name, which is also its folder's.
    kind
        What the file contains.
    version
        Version, counted from 1; a file name without one is version 1.
    suffix
        The file suffix, with its dot.
    """

    segment: str
    kind: LabelKind
    version: int
    suffix: str

    def __str__(self) -> str:
        version = "" if self.version == 1 else f"_v{self.version}"
        return f"{self.segment}_{self.kind}{version}{self.suffix}"


def parse_label_name(path: Path) -> LabelName | None:
    """Return the parts of a label file's name, or None if it does not follow the convention."""
    found = _NAME.fullmatch(path.stem)
    if found is None:
        return None
    kind = cast("LabelKind", found["kind"])
    return LabelName(found["segment"], kind, int(found["version"] or 1), path.suffix)


def next_version(folder: Path, segment: str) -> int:
    """Return the highest version of a segment's label files in a folder, of any kind and format, plus one."""
    named = (parse_label_name(Path(name)) for name in (os.listdir(folder) if folder.is_dir() else ()))
    return max((name.version for name in named if name is not None and name.segment == segment), default=0) + 1


def beside(path: Path, kind: LabelKind) -> Path | None:
    """Return the label file of another kind that has the same segment and version as `path`; None without one.

    A file of the same format as `path` is preferred.
    """
    name = parse_label_name(path)
    if name is None:
        return None
    formats = dict.fromkeys((path.suffix, ".png", ".tif", ".tiff", ".zarr"))
    places = (path.with_name(str(LabelName(name.segment, kind, name.version, suffix))) for suffix in formats)
    return next((place for place in places if place.exists()), None)
