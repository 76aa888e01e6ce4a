"""Reading prediction stores: OME-Zarr with ink and edge probabilities, flags of final blocks, and provenance."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import numpy.typing as npt

from napari_ink.decoding import decoder_errors
from napari_ink.errors import BadInputError
from napari_ink.model import recommended_thresholds
from napari_ink.predict.storage.record import check_record, doubts_in
from napari_ink.predict.tiles import BLOCK, blocks_in
from napari_ink.predict.unfamiliar import UnfamiliarMap, squares_in
from napari_ink.region import Region
from napari_ink.typing import ThirdPlane, UInt8Array

if TYPE_CHECKING:
    import zarr

What = Literal["ink", "edge", "disagreement", "depth"]
CHANNELS: tuple[What, What, What] = ("ink", "edge", "disagreement")
"""Planes of a store that names none; the third exists if several models or views were averaged."""

_WITH_DEPTH: tuple[What, What, What] = ("ink", "edge", "depth")

ATTRIBUTES = "napari_ink"
LEVELS, DONE, UNFAMILIAR = "0", "done", "unfamiliar"
# Limits on what a store's metadata may claim, checked before memory is allocated for it.
_LONGEST_SIDE = 1_000_000
_LARGEST_CHUNK = 2**28


class NoPredictionError(BadInputError):
    """A path holds something other than a prediction, as opposed to a damaged prediction."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One channel of a store: a lazy array ``(y, x)`` of uint8 that reads only the chunks that an index needs.

    Attributes
    ----------
    array
        The store's levels ``(c, y, x)``.
    channel
        Index of the channel.
    """

    array: zarr.Array[Any]
    channel: int

    ndim = 2
    dtype = np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return cast("tuple[int, int]", self.array.shape[1:])

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> UInt8Array:
        rest = index if isinstance(index, tuple) else (index,)
        with decoder_errors(BadInputError, f"A part of {self.array.store_path}", "predict again under another name"):
            return np.asarray(self.array[(self.channel, *rest)], np.uint8)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return the whole plane as an array; NumPy calls this to convert it."""
        return self[:, :].astype(dtype or self.dtype, copy=False)


@dataclass(frozen=True, eq=False)
class Prediction:
    """An open prediction store; it may still be growing.

    Attributes
    ----------
    path
        Folder of the store.
    group
        Zarr group of the store, open for reading.
    provenance
        Model, contract, stack, region and settings of the run, as JSON values.
    """

    path: Path
    group: zarr.Group
    provenance: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """The segment's height and width."""
        return self.ink.shape

    @property
    def region(self) -> Region:
        """Region that was requested, in segment pixels; the rest of the segment is 0."""
        return Region(*self.provenance["region"])

    @property
    def ink(self) -> Plane:
        """Probabilities of ink, read lazily."""
        return self._plane("ink")

    @property
    def edge(self) -> Plane:
        """Probabilities of edges, read lazily."""
        return self._plane("edge")

    @property
    def disagreement(self) -> Plane | None:
        """Disagreement on ink between several models or views, 0 to 255; None if only one predicted.

        It is twice the standard deviation of their probabilities, blended in the same way as these.
        """
        return self._plane("disagreement") if self.third == "disagreement" else None

    @property
    def depth(self) -> Plane | None:
        """Depth at which the model saw ink, 0 to 255 for the first to the last layer of the stack; None if not stored.

        Pixels that were not predicted are 0, and where there is no ink the values mean nothing.
        """
        return self._plane("depth") if self.third == "depth" else None

    @property
    def third(self) -> ThirdPlane | None:
        """Name of the third plane; None if there is none."""
        if self.channels < 3:
            return None
        return "depth" if self.provenance.get("planes") == list(_WITH_DEPTH) else "disagreement"

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences on why the map may be wrong."""
        return doubts_in(self.provenance)

    def unfamiliar(self) -> UnfamiliarMap | None:
        """Return the map of where not to trust, read from disk now; None if there is none.

        Raises
        ------
        BadInputError
            If it is damaged.
        """
        record = self.provenance.get(UNFAMILIAR)
        if record is None:
            return None
        with decoder_errors(BadInputError, self.path / UNFAMILIAR, "predict again under another name"):
            if UNFAMILIAR not in self.group:
                return None
            array = _sound(self.path, self.group, UNFAMILIAR)
            if array.shape != squares_in(self.region, record["side"]) or array.dtype != np.uint8:
                raise BadInputError(f"{self.path / UNFAMILIAR} is damaged; predict again under another name.")
            levels = np.asarray(array[:], np.uint8)
        return UnfamiliarMap(levels, record["side"], tuple(record["first"]), record["mostly"])

    @property
    def channels(self) -> int:
        """Number of planes."""
        return int(self._levels.shape[0])

    def read(self, what: What, y: slice = slice(None), x: slice = slice(None)) -> UInt8Array:
        """Return a window of one plane, ``(y, x)`` uint8 with 255 for a probability of 1."""
        return self._plane(what)[y, x]

    def mask(
        self, what: What, threshold: float, y: slice = slice(None), x: slice = slice(None)
    ) -> npt.NDArray[np.bool_]:
        """Return a bool mask ``(y, x)`` of the pixels in a window of one plane that reach a threshold.

        Parameters
        ----------
        what
            Name of the plane.
        threshold
            Probability, 0…1; a pixel of level v is in the mask if v / 255 is at least this.
        y, x
            Rows and columns of the window; by default the whole segment.

        Raises
        ------
        BadInputError
            If the threshold is not between 0 and 1.
        """
        if not 0 <= threshold <= 1:
            raise BadInputError(
                f"The threshold is {threshold}, but a probability lies between 0 and 1; choose a value in that range."
            )
        # A table of the 256 levels compares exactly and in one pass over the plane.
        reaches = np.arange(256) / 255 >= threshold
        mask: npt.NDArray[np.bool_] = reaches[self.read(what, y, x)]
        return mask

    def recommended_threshold(self, what: What) -> float:
        """Return the threshold that the model recommends for a plane; 0.5 if it recommends none."""
        return recommended_thresholds(self.provenance["model"]["provenance"]).get(what, 0.5)

    @property
    def predicts_edges(self) -> bool:
        """Whether at least one of the models predicts edges; if not, `edge` is 0 everywhere."""
        models = [self.provenance["model"], *self.provenance.get("others", [])]
        return any(bool(model.get("predicts_edges", True)) for model in models)

    def done(self) -> npt.NDArray[np.bool_]:
        """Return flags of the final blocks, bool ``(rows of blocks, columns of blocks)``, read from disk now."""
        array = _sound(self.path, self.group, DONE)
        done: npt.NDArray[np.bool_] = read_done(array) == 1
        return done

    @property
    def done_fraction(self) -> float:
        """Share of the region's blocks that are final, 0…1."""
        done = self.done()
        blocks = blocks_in(self.region)
        return sum(bool(done[block]) for block in blocks) / len(blocks)

    @property
    def complete(self) -> bool:
        """Whether every block of the region is final."""
        return self.done_fraction == 1

    def _plane(self, what: What) -> Plane:
        return Plane(self._levels, (_WITH_DEPTH if what == "depth" else CHANNELS).index(what))

    @cached_property
    def _levels(self) -> zarr.Array[Any]:
        return _sound(self.path, self.group, LEVELS)


def open_prediction(path: str | os.PathLike[str]) -> Prediction:
    """Return a prediction store opened for reading, complete or not.

    Raises
    ------
    NoPredictionError
        If the path holds something else.
    BadInputError
        If nothing exists at the path, or the store is damaged.
    """
    import zarr

    from napari_ink.zarr_reading import open_node

    path = Path(path).absolute()
    not_one = NoPredictionError(
        f"{path} is not a prediction of napari-ink; give a store that `napari-ink predict` wrote."
    )
    with decoder_errors(BadInputError, path, "check the path"):
        if not path.exists():
            raise BadInputError(f"There is no prediction at {path}; check the path, or run a prediction.")
        if not path.is_dir():
            raise not_one
    try:
        with decoder_errors(BadInputError, path, "give a store that `napari-ink predict` wrote"):
            group = open_node(path, BadInputError)
            if not isinstance(group, zarr.Group):
                raise not_one
            attributes = group.attrs.asdict()
            levels, done = (array_in(group, name) for name in (LEVELS, DONE))
    except BadInputError as error:
        if isinstance(error.__cause__, OSError):
            raise  # a failing disk or missing rights, which say nothing about the content
        raise not_one from error
    provenance = attributes.get(ATTRIBUTES)
    if not isinstance(provenance, dict) or levels.ndim != 3 or levels.shape[0] not in (2, len(CHANNELS)):
        raise not_one
    _check_arrays(path, levels, done)
    check_record(path, provenance, levels.shape[1:])
    return Prediction(path, group, provenance)


def _check_arrays(path: Path, levels: zarr.Array[Any], done: zarr.Array[Any]) -> None:
    """Refuse arrays that no prediction has, before memory is allocated for the sizes that they claim."""
    height, width = levels.shape[1:]
    wanted = blocks_of((height, width))
    faults = {
        "a segment of no pixels": not (height and width),
        f"a segment of {height} × {width} pixels": max(height, width) > _LONGEST_SIDE,
        "levels that are not of 8 bits": levels.dtype != np.uint8 or done.dtype != np.uint8,
        "shape of `done`": done.shape != wanted,
        "chunks of its levels": math.prod(levels.chunks) > _LARGEST_CHUNK or math.prod(done.chunks) > _LARGEST_CHUNK,
    }
    if found := [fault for fault, is_there in faults.items() if is_there]:
        raise BadInputError(f"The record of {path} is damaged ({found[0]}); predict again under another name.")


def _sound(path: Path, group: zarr.Group, name: str) -> zarr.Array[Any]:
    from napari_ink.zarr_reading import sound_array

    return sound_array(path, array_in(group, name), BadInputError)


def blocks_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the numbers of rows and columns of blocks in a segment."""
    return -(-shape[0] // BLOCK), -(-shape[1] // BLOCK)


def read_done(array: zarr.Array[Any]) -> UInt8Array:
    """Return the flags of blocks, uint8 with 1 for final; blocks whose flags are damaged on disk are not final."""
    done = np.zeros(array.shape, np.uint8)
    # Row by row, which is chunk by chunk: a damaged chunk costs the flags of its row and no others.
    for row in range(len(done)):
        with suppress(BadInputError), decoder_errors(BadInputError, array.store_path, ""):
            done[row] = np.asarray(array[row])
    return done


def array_in(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Return the array of that name in a store; raise `TypeError` if it is not an array."""
    import zarr

    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is not an array")
    return array
