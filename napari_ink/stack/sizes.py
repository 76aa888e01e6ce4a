"""How large a depth stack may be: checked before anything is allocated for it."""

from __future__ import annotations

from collections.abc import Sequence

from napari_ink.errors import StackError

MOST_LAYERS = 512
_LONGEST_SIDE = 1_000_000


def check_shape(where: object, shape: Sequence[int]) -> None:
    """Refuse what cannot be a depth stack by its shape.

    Raises
    ------
    StackError
        If it has not three axes, is empty or less, or is absurdly large.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise StackError(f"{where} has the shape {tuple(shape)}; a depth stack has layers, height and width.")
    if shape[0] > MOST_LAYERS:
        raise StackError(
            f"{where} has {shape[0]} layers of {shape[1]} × {shape[2]}, and a depth stack at most {MOST_LAYERS}; "
            "its axes must be layers, height, width."
        )
    if max(shape[1:]) > _LONGEST_SIDE:
        raise StackError(
            f"{where} claims {shape[1]} × {shape[2]} pixels, and {_LONGEST_SIDE} is the longest side that is read; "
            "its header may be damaged."
        )
