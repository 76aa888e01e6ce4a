"""Limits on the size of a depth stack, checked before memory is allocated."""

from __future__ import annotations

from collections.abc import Sequence

from napari_ink.errors import StackError

MOST_LAYERS = 512
_LONGEST_SIDE = 1_000_000


def check_shape(where: object, shape: Sequence[int]) -> None:
    """Refuse a shape that cannot be a depth stack's.

    Raises
    ------
    StackError
        If it does not have three axes, or a length is below 1 or absurdly large.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise StackError(f"{where} has the shape {tuple(shape)}; a depth stack has layers, height and width.")
    # Files with the axes in another order show here: what seem to be layers are rows.
    if shape[0] > MOST_LAYERS:
        raise StackError(
            f"{where} has {shape[0]} layers of {shape[1]} × {shape[2]}, and a depth stack has at most {MOST_LAYERS}; "
            "its axes must be layers, height, width."
        )
    if max(shape[1:]) > _LONGEST_SIDE:
        raise StackError(
            f"{where} states {shape[1]} × {shape[2]} pixels, and {_LONGEST_SIDE} is the longest side that is read; "
            "its header may be damaged."
        )
