"""A segment of nine review regions, and a prediction that is doubtful in one of them."""

from pathlib import Path

import numpy as np

SIDE = 600  # three by three regions, clipped at the far sides


def save_wide(folder: Path) -> Path:
    """Write the stack, which is blank."""
    np.save(folder / "wide.npy", np.full((3, SIDE, SIDE), 20000, np.uint16))
    return folder / "wide.npy"


def doubtful_ink() -> np.ndarray:
    """Return ink ``(SIDE, SIDE)`` of a prediction without edges."""
    ink = np.zeros((SIDE, SIDE), np.uint8)
    ink[300:420, 300:420] = 140  # in the middle: unsure, and without edges around it
    ink[20:60, 20:60] = 240
    return ink
