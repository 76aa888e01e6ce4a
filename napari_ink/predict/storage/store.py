"""Prediction stores, read: OME-Zarr with ink and edge probabilities, which blocks are final, and its provenance."""

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
from napari_ink.predict.storage.record import check_record
from napari_ink.predict.tiles import BLOCK, blocks_in
from napari_ink.region import Region
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    import zarr

What = Literal["ink", "edge", "disagreement"]
CHANNELS: tuple[What, What, What] = ("ink", "edge", "disagreement")
"""Planes of a store; the third is there where several models or views were put together."""

ATTRIBUTES = "napari_ink"
LEVELS, DONE = "0", "done"
_LONGEST_SIDE = 1_000_000
_LARGEST_CHUNK = 2**28


class NoPredictionError(BadInputError):
    """What lies at a place is something else than a prediction, rather than a damaged one."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One channel of a store: indexed like an array ``(y, x)`` of uint8, it reads the chunks that the index needs.

    Attributes
    ----------
    array
        The store's levels ``(c, y, x)``.
    channel
        Which channel.
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
        """Read the whole plane; NumPy calls it where somebody asks for an array."""
        return self[:, :].astype(dtype or self.dtype, copy=False)


@dataclass(frozen=True, eq=False)
class Prediction:
    """An open prediction store; it may still be growing.

    Attributes
    ----------
    path
        Where it lies.
    group
        The Zarr group.
    provenance
        Model, contract, stack, region and settings that it was made with, as JSON values.
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
        """What was asked to be predicted; the rest of the segment is 0."""
        return Region(*self.provenance["region"])

    @property
    def ink(self) -> Plane:
        """Probabilities of ink, read where they are indexed."""
        return self._plane("ink")

    @property
    def edge(self) -> Plane:
        """Probabilities of edges, read where they are indexed."""
        return self._plane("edge")

    @property
    def disagreement(self) -> Plane | None:
        """How far several models or views disagree on ink, 255 for the most there can be; None where one predicted.

        It is twice the standard deviation of their probabilities, blended like these.
        """
        return self._plane("disagreement") if self.channels > 2 else None

    @property
    def channels(self) -> int:
        """Number of planes."""
        return int(self._levels.shape[0])

    def read(self, what: What, y: slice = slice(None), x: slice = slice(None)) -> UInt8Array:
        """Read a window of one plane, ``(y, x)`` uint8 with 255 for a probability of 1."""
        return self._plane(what)[y, x]

    def mask(
        self, what: What, threshold: float, y: slice = slice(None), x: slice = slice(None)
    ) -> npt.NDArray[np.bool_]:
        """Return where a window of one plane reaches a threshold.

        Parameters
        ----------
        what
            Ink or edges.
        threshold
            0…1; a pixel of level v is in the mask if v / 255 is at least this.
        y, x
            The window; by default the whole segment.

        Raises
        ------
        BadInputError
            If the threshold is no probability.
        """
        if not 0 <= threshold <= 1:
            raise BadInputError(
                f"The threshold is {threshold}, and a probability lies between 0 and 1; choose one there."
            )
        reaches = np.arange(256) / 255 >= threshold
        mask: npt.NDArray[np.bool_] = reaches[self.read(what, y, x)]
        return mask

    def recommended_threshold(self, what: What) -> float:
        """Return where the model that made this says its probabilities are best cut; a half where it does not say."""
        return recommended_thresholds(self.provenance["model"]["provenance"]).get(what, 0.5)

    @property
    def predicts_edges(self) -> bool:
        """Whether a model that made this tells edges at all; if not, `edge` is 0 everywhere."""
        models = [self.provenance["model"], *self.provenance.get("others", [])]
        return any(bool(model.get("predicts_edges", True)) for model in models)

    def done(self) -> npt.NDArray[np.bool_]:
        """Return which blocks are final, ``(rows of blocks, columns of blocks)``, as it stands on disk now."""
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
        return Plane(self._levels, CHANNELS.index(what))

    @cached_property
    def _levels(self) -> zarr.Array[Any]:
        return _sound(self.path, self.group, LEVELS)


def open_prediction(path: str | os.PathLike[str]) -> Prediction:
    """Open a prediction store, finished or not.

    Raises
    ------
    NoPredictionError
        If something else lies at that place.
    BadInputError
        If nothing does, or what it records makes no sense.
    """
    import zarr

    from napari_ink.zarr_reading import open_node

    path = Path(path).absolute()
    not_one = NoPredictionError(
        f"{path} is not a prediction of napari-ink; name a store that `napari-ink predict` wrote."
    )
    with decoder_errors(BadInputError, path, "check the path"):
        if not path.exists():
            raise BadInputError(f"There is no prediction at {path}; check the path, or predict one.")
        if not path.is_dir():
            raise not_one
    try:
        with decoder_errors(BadInputError, path, "name a store that `napari-ink predict` wrote"):
            group = open_node(path, BadInputError)
            if not isinstance(group, zarr.Group):
                raise not_one
            attributes = group.attrs.asdict()
            levels, done = (array_in(group, name) for name in (LEVELS, DONE))
    except BadInputError as error:
        if isinstance(error.__cause__, OSError):
            raise  # the disk or the rights to it, and not what lies there
        raise not_one from error
    provenance = attributes.get(ATTRIBUTES)
    if not isinstance(provenance, dict) or levels.ndim != 3 or levels.shape[0] not in (2, len(CHANNELS)):
        raise not_one
    _check_arrays(path, levels, done)
    check_record(path, provenance, levels.shape[1:])
    return Prediction(path, group, provenance)


def _check_arrays(path: Path, levels: zarr.Array[Any], done: zarr.Array[Any]) -> None:
    """Refuse arrays that a prediction does not have, before memory is taken for what they claim."""
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
    """Return how many rows and columns of blocks a segment has."""
    return -(-shape[0] // BLOCK), -(-shape[1] // BLOCK)


def read_done(array: zarr.Array[Any]) -> UInt8Array:
    """Return which blocks are final, 1 for those that are; where that is damaged on the disk, none is."""
    done = np.zeros(array.shape, np.uint8)
    for row in range(len(done)):
        with suppress(BadInputError), decoder_errors(BadInputError, array.store_path, ""):
            done[row] = np.asarray(array[row])
    return done


def array_in(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Return the array of that name in a store; `TypeError` if it is none."""
    import zarr

    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is no array")
    return array
