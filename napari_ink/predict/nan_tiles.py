"""Tiles with NaN in a model's output: left out one by one, or an error if the model gives nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from napari_ink.errors import CheckpointError
from napari_ink.predict.answers import Answer

# Damaged weights give NaN everywhere; a few bad places in a scan do not fill this many tiles from the start.
_ENOUGH_TILES = 16


def refuse_only_nan(answers: Iterable[Answer], has_answered: bool) -> Iterator[Answer]:
    """Yield answers, held back until one tile has numbers, so that nothing is stored for a model that gives only NaN.

    Parameters
    ----------
    answers
        Answers to batches.
    has_answered
        Whether the models gave numbers in an earlier part of the run.

    Raises
    ------
    CheckpointError
        If all of the first tiles, or all tiles of a small run, contain NaN.
    """
    held: list[Answer] = []
    for answer in answers:
        has_answered |= len(answer.bad) < len(answer.batch.tiles)
        held.append(answer)
        if has_answered:
            yield from held
            held.clear()
        elif sum(len(one.bad) for one in held) >= _ENOUGH_TILES:
            break
    if held:
        raise CheckpointError(
            f"The model's output is not a number in the tile at {held[0].bad[0]} and in all others so far; its "
            "weights are damaged or were trained on other grey values, so choose another model or region."
        )
