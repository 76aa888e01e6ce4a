"""Checks of stacks that several formats share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_ink.errors import StackError
from napari_ink.stack import DepthStack, open_stack


def whole(source: Path | str) -> np.ndarray:
    """Return all values of a stack."""
    return open_stack(source).read(slice(None), slice(None), slice(None))


def refusal(source: Path | str, use: Callable[[Path | str], object] = open_stack) -> str:
    """Return the one sentence with which a stack is refused when it is opened, or used in another way."""
    with pytest.raises(StackError) as caught:
        use(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def refused(source: Path | str, *words: str, use: Callable[[Path | str], object] = open_stack) -> None:
    """Check that a stack is refused in one sentence with these words."""
    message = refusal(source, use)
    for word in words:
        assert word in message


def check_opens(source: Path | str, volume: np.ndarray) -> DepthStack:
    """Open a stack, and check its values as a whole and in a coarse window."""
    stack = open_stack(source)
    np.testing.assert_array_equal(stack[:], volume)
    window = slice(1, 4), slice(3, 20), slice(5, 33)
    np.testing.assert_array_equal(stack.read_block(*window, 3), volume[window][:, ::3, ::3])
    return stack
