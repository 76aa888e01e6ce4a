"""Creating prediction stores under a temporary name, which is then renamed, and checking stores to resume."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_ink.durable import new_folder
from napari_ink.errors import BadInputError, OutputError, storage_errors
from napari_ink.predict.storage.store import (
    ATTRIBUTES,
    DONE,
    LEVELS,
    NoPredictionError,
    What,
    blocks_of,
    open_prediction,
)
from napari_ink.predict.storage.writer import is_being_written
from napari_ink.predict.tiles import BLOCK


def create_store(
    path: Path,
    shape: tuple[int, int],
    voxel_size_um: float | None,
    provenance: Mapping[str, Any],
    planes: Sequence[What],
) -> None:
    """Create an empty store with these planes; it is complete before it gets its name.

    Raises
    ------
    OutputError
        If something exists at `path`, or the store cannot be written.
    """
    if is_being_written(path):
        raise _taken(path)
    if os.path.lexists(path):
        raise OutputError(f"{path} exists already; choose another name, or resume it if it is a prediction.")
    if not path.parent.is_dir():
        raise OutputError(
            f"There is no folder {path.parent} to write {path.name} to; create it, or choose another place."
        )
    with storage_errors(path):
        try:
            with new_folder(path) as partial:
                _make(partial, shape, voxel_size_um, provenance, path.stem, planes)
        except FileExistsError as error:
            raise _taken(path) from error


def _taken(path: Path) -> OutputError:
    return OutputError(f"Another prediction is being written to {path}; wait for it, or choose another name.")


def remove_if_empty(path: Path) -> bool:
    """Remove a store if nothing was predicted in it yet, and return whether it was removed; no run may write to it."""
    try:
        open_prediction(path)
    except BadInputError:
        return False  # not a store
    # The flags are not enough: blocks without papyrus are final from the start. Chunks that are all 0 have no file.
    if (path / LEVELS / "c").exists():
        return False
    shutil.rmtree(path, ignore_errors=True)
    return True


def _make(
    path: Path,
    shape: tuple[int, int],
    voxel_size_um: float | None,
    provenance: Mapping[str, Any],
    name: str,
    channels: Sequence[What],
) -> None:
    import zarr

    attributes = {"ome": _ome(name, voxel_size_um, channels), ATTRIBUTES: dict(provenance)}
    group = zarr.create_group(path, attributes=attributes)
    group.create_array(
        LEVELS,
        shape=(len(channels), *shape),
        chunks=(1, BLOCK, BLOCK),
        dtype="uint8",
        fill_value=0,
        dimension_names=("c", "y", "x"),
    )
    blocks = blocks_of(shape)
    group.create_array(DONE, shape=blocks, chunks=(1, blocks[1]), dtype="uint8", fill_value=0)


def _ome(name: str, voxel_size_um: float | None, channels: Sequence[What]) -> dict[str, Any]:
    """Return the metadata of OME-NGFF 0.5: one level, a channel for each plane, and the pixel size where known."""
    unit = {} if voxel_size_um is None else {"unit": "micrometer"}
    side = voxel_size_um or 1.0
    return {
        "version": "0.5",
        "multiscales": [
            {
                "name": name,
                "axes": [
                    {"name": "c", "type": "channel"},
                    {"name": "y", "type": "space", **unit},
                    {"name": "x", "type": "space", **unit},
                ],
                "datasets": [
                    {"path": LEVELS, "coordinateTransformations": [{"type": "scale", "scale": [1.0, side, side]}]}
                ],
            }
        ],
        "omero": {
            "channels": [
                {
                    "label": label,
                    "color": colour,
                    "active": True,
                    "window": {"min": 0, "max": 255, "start": 0, "end": 255},
                }
                for label, colour in zip(channels, ("E69F00", "56B4E9", "CC79A7"), strict=False)
            ]
        },
    }


def check_resumable(
    path: Path, provenance: Mapping[str, Any], must_agree: Mapping[str, tuple[str, ...]]
) -> Mapping[str, Any]:
    """Return the provenance of a store to resume; refuse one that was made from something else.

    Parameters
    ----------
    path
        Path of the store to resume.
    provenance
        Provenance of the run that resumes.
    must_agree
        Properties that must be the same: their names in messages, and their keys in the provenance.

    Raises
    ------
    OutputError
        If `path` is not a prediction, or properties differ; the message names all of them.
    BadInputError
        If the store is damaged.
    """
    try:
        before = open_prediction(path).provenance
    except NoPredictionError as error:
        raise OutputError(f"{path} exists and is not a prediction that can be resumed; choose another name.") from error
    differing = [words for words, keys in must_agree.items() if _at(before, keys) != _at(provenance, keys)]
    if differing:
        if _at(before, ("model", "name")) == _at(provenance, ("model", "name")):
            differing = ["version of the model" if words == "model" else words for words in differing]
        raise OutputError(
            f"{path} was begun with another {', '.join(differing)}, so it cannot be resumed; "
            "use the same again, or choose another name."
        )
    return before


def _at(values: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    found: Any = values
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
