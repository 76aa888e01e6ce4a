"""Tiles with NaN in a model's output: left out one by one, or an error if the model gives nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from napari_ink.errors import CheckpointError
from napari_ink.predict.tiles import Batch
from napari_ink.region import Region

# Damaged weights give NaN everywhere; a few bad places in a scan do not fill this many tiles from the start.
_ENOUGH_TILES = 16
Answered = tuple[Batch, npt.NDArray[np.float32]]


def drop_nan_tiles(
    answered: Iterable[Answered], has_answered: bool
) -> Iterator[tuple[Batch, npt.NDArray[np.float32], list[Region]]]:
    """Yield batches with their probabilities and the list of their tiles that contain NaN.

    Batches are held back until one tile has numbers, so that nothing is stored for a model that gives only NaN.

    Parameters
    ----------
    answered
        Batches and the probabilities of their tiles, ``(b, c, y, x)``.
    has_answered
        Whether the models gave numbers in an earlier part of the run.

    Raises
    ------
    CheckpointError
        If all of the first tiles, or all tiles of a small run, contain NaN.
    """
    held: list[tuple[Batch, npt.NDArray[np.float32], list[Region]]] = []
    for batch, answers in answered:
        # A sum is NaN if any value is, and needs no array of flags.
        bad = [tile for tile, one in zip(batch.tiles, answers, strict=True) if np.isnan(one.sum())]
        has_answered |= len(bad) < len(batch.tiles)
        held.append((batch, answers, bad))
        if has_answered:
            yield from held
            held.clear()
        elif sum(len(bad) for _, _, bad in held) >= _ENOUGH_TILES:
            break
    if held:
        raise CheckpointError(
            f"The model's output is not a number in the tile at {held[0][2][0]} and in all others so far; its "
            "weights are damaged or were trained on other grey values, so choose another model or region."
        )
