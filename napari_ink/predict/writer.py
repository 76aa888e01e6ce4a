"""Prediction stores, written: made whole under another name and moved into place, then filled block by block."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError, OutputError, storage_errors
from napari_ink.predict.region import Region
from napari_ink.predict.store import ATTRIBUTES, CHANNELS, DONE, LEVELS, What, array_in, open_prediction
from napari_ink.predict.tiles import BLOCK, BlockIndex, block_area, blocks_in

UInt8Array = npt.NDArray[np.uint8]


class PredictionWriter:
    """An open store that takes in final blocks; use it in a ``with``.

    If an error ends the ``with`` before a first block is final, a store that was made new is taken away again. A
    cancelled one stays, so that it can be resumed.

    Parameters
    ----------
    path
        The store.
    region
        What is predicted.
    is_new
        Whether this run made it.

    Attributes
    ----------
    pending : tuple of (row, column)
        The region's blocks that were not final when it was opened.
    """

    def __init__(self, path: Path, region: Region, is_new: bool) -> None:
        import zarr

        self.path = path
        self._region = region
        self._is_new = is_new
        self._group = zarr.open_group(path, mode="r+")
        self._levels, self._done_on_disk = array_in(self._group, LEVELS), array_in(self._group, DONE)
        self._done: UInt8Array = np.asarray(self._done_on_disk[:, :])
        self.pending = tuple(block for block in blocks_in(region) if not self._done[block])
        self._kept = frozenset(blocks_in(region)).difference(self.pending)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, Exception) and self._is_new and not self._done.any():
            shutil.rmtree(self.path, ignore_errors=True)

    @property
    def is_complete(self) -> bool:
        """Whether every block of the region is final."""
        return all(self._done[block] for block in self.pending)

    def write(self, area: Region, levels: UInt8Array) -> None:
        """Write the final levels ``(2, y, x)`` of a block's part of the region.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        with storage_errors(self.path):
            self._levels[:, *area.slices] = levels

    def mark_done(self, blocks: Iterable[BlockIndex]) -> None:
        """Note that blocks are final; to be called once their levels are written.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        rows = set()
        for block in blocks:
            self._done[block] = 1
            rows.add(block[0])
        with storage_errors(self.path):
            for row in rows:
                self._done_on_disk[row] = self._done[row]

    def finish(self) -> None:
        """Write into the provenance that the prediction is complete.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        provenance = cast("dict[str, Any]", self._group.attrs[ATTRIBUTES])
        with storage_errors(self.path):
            self._group.attrs[ATTRIBUTES] = {**provenance, "complete": True}

    def leave_out(self, tile: Region) -> None:
        """Write into the provenance that a tile had no answer.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        provenance = cast("dict[str, Any]", self._group.attrs[ATTRIBUTES])
        left_out = [*provenance.get("left_out", []), [tile.y0, tile.y1, tile.x0, tile.x1]]
        with storage_errors(self.path):
            self._group.attrs[ATTRIBUTES] = {**provenance, "left_out": left_out}

    def restore(self, area: Region, levels: UInt8Array) -> None:
        """Put into `levels` of `area` what an earlier run has stored there for good."""
        for block in self._kept.intersection(blocks_in(area)):
            part = block_area(block, area)
            levels[:, *part.slices_in(area)] = np.asarray(self._levels[:, *part.slices])


def create_store(
    path: Path, shape: tuple[int, int], voxel_size_um: float | None, provenance: Mapping[str, Any], channels: int
) -> None:
    """Make an empty store of the first so many of `CHANNELS`; it is whole before it has its name.

    Raises
    ------
    OutputError
        If there is something at `path`, or it cannot be written.
    """
    if os.path.lexists(path):
        raise OutputError(f"{path} exists already; choose another name, or resume it if it is a prediction.")
    if not path.parent.is_dir():
        raise OutputError(
            f"There is no folder {path.parent} to write {path.name} in; make it, or choose another place."
        )
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with storage_errors(path):
            _make(partial, shape, voxel_size_um, provenance, path.stem, CHANNELS[:channels])
            os.rename(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


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
    blocks = (-(-shape[0] // BLOCK), -(-shape[1] // BLOCK))
    group.create_array(DONE, shape=blocks, chunks=(1, blocks[1]), dtype="uint8", fill_value=0)


def _ome(name: str, voxel_size_um: float | None, channels: Sequence[What]) -> dict[str, Any]:
    """Return the metadata of NGFF 0.5: one level, a channel for each plane, pixels in micrometres where known."""
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


def check_resumable(path: Path, provenance: Mapping[str, Any], must_agree: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse to go on with a store that was begun with something else.

    Parameters
    ----------
    path
        The store.
    provenance
        That of the run that wants to go on.
    must_agree
        In words, what must be the same, and where it stands in the provenance.

    Raises
    ------
    OutputError
        If it is no prediction, or names everything that differs.
    """
    try:
        before = open_prediction(path).provenance
    except BadInputError as error:
        raise OutputError(f"{path} exists and is no prediction that could be resumed; choose another name.") from error
    differing = [words for words, keys in must_agree.items() if _at(before, keys) != _at(provenance, keys)]
    if differing:
        raise OutputError(
            f"{path} was begun with another {', '.join(differing)}, so it cannot be resumed; "
            "give the same again, or choose another name."
        )


def _at(values: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    found: Any = values
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
