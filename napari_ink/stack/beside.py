"""Masks and labels beside a stack, found by their file names.

The highest version wins, whatever its format. Among files of one version an image wins over a Zarr: people paint
images, and villa's label Zarrs are made from them.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_ink.stack.depth_stack import DepthStack
from napari_ink.stack.opening import LAYER_FOLDERS
from napari_ink.stack.zarr_stack import holds_zarr

_ZARR = ".zarr"
_SUFFIXES = (".png", ".tif", ".tiff", _ZARR)


@dataclass(frozen=True)
class SegmentFiles:
    """Paths of the masks and labels beside a stack; None for a file that does not exist."""

    mask: Path | None
    ink_labels: Path | None
    supervision_mask: Path | None = None
    validation_mask: Path | None = None


def find_beside(stack: DepthStack) -> SegmentFiles:
    """Find a stack's masks and ink labels by the names that segments and fragments give them."""
    home = stack.home
    if home is None:
        return SegmentFiles(None, None)
    # In a folder that holds several segments, a plain mask.png may belong to another one.
    source = Path(stack.source)
    plain = source == home or source.name in LAYER_FOLDERS

    def find(kind: str) -> Path | None:
        stems = (f"{stack.name}_{kind}", kind) if plain else (f"{stack.name}_{kind}",)
        return next((found for stem in stems if (found := _newest(home, stem)) is not None), None)

    return SegmentFiles(find("mask"), find("inklabels"), find("supervision_mask"), find("validation_mask"))


def find_mask_of_labels(labels: Path, kind: str) -> Path | None:
    """Find the mask of the same version as ``<segment>_inklabels[_vN]``; one of another version may not fit.

    A mask in the labels' own format wins, then an image, then a Zarr.

    Parameters
    ----------
    labels
        The image or Zarr of ink labels.
    kind
        ``"supervision_mask"`` or ``"validation_mask"``.
    """
    if "inklabels" not in labels.stem:
        return None
    stem = labels.stem.replace("inklabels", kind)
    return _first_file(labels.with_name(stem + suffix) for suffix in (labels.suffix, *_SUFFIXES))


def _newest(home: Path, stem: str) -> Path | None:
    """Return the file ``<stem>_vN`` of the highest version, or the one without a version if there is no other."""
    plain = _first_file(home / f"{stem}{suffix}" for suffix in _SUFFIXES)
    # An image sorts above a Zarr of the same version: `max` prefers the suffix that comes first in `_SUFFIXES`.
    versions = [
        (int(path.stem.rpartition("_v")[2]), -_SUFFIXES.index(path.suffix), path)
        for path in home.glob(f"{glob.escape(stem)}_v*")
        if path.suffix in _SUFFIXES and path.stem.rpartition("_v")[2].isdecimal() and _is_there(path)
    ]
    return max(versions)[2] if versions else plain


def _first_file(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if _is_there(path)), None)


def _is_there(path: Path) -> bool:
    return path.is_file() or (path.suffix == _ZARR and holds_zarr(path))
