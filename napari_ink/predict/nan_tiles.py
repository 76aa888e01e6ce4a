"""Tiles for which a model gives values that are not numbers: left out, unless it never gives any others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from napari_ink.errors import NapariInkError
from napari_ink.predict.tiles import Batch
from napari_ink.region import Region

_ENOUGH_TILES = 16
Answered = tuple[Batch, npt.NDArray[np.float32]]


def drop_nan_tiles(
    answered: Iterable[Answered], has_answered: bool
) -> Iterator[tuple[Batch, npt.NDArray[np.float32], list[Region]]]:
    """Go through answers, and say of each batch which of its tiles have none.

    They are held back until one tile has an answer, so that nothing is stored of a model that never gives one.

    Parameters
    ----------
    answered
        Batches and what the networks say of their tiles.
    has_answered
        Whether the models have given numbers in an earlier part of the run.

    Raises
    ------
    NapariInkError
        If the first tiles have no answers, or none of a few has.
    """
    held: list[tuple[Batch, npt.NDArray[np.float32], list[Region]]] = []
    for batch, answers in answered:
        bad = [tile for tile, one in zip(batch.tiles, answers, strict=True) if np.isnan(one.sum())]
        has_answered |= len(bad) < len(batch.tiles)
        held.append((batch, answers, bad))
        if has_answered:
            yield from held
            held.clear()
        elif sum(len(bad) for _, _, bad in held) >= _ENOUGH_TILES:
            break
    if held:
        raise NapariInkError(
            f"The model gives values that are not numbers in the tile at {held[0][2][0]} and in all others so far; its "
            "weights are damaged or were trained on other grey values, so choose another model or region."
        )
