"""A segment with one letter four times, for Find similar."""

from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.draw import line

SHAPE, HALF = (420, 520), 24
PLACES = ((80, 90), (90, 380), (300, 120), (320, 400))


def letter() -> np.ndarray:
    """Return a lambda with a bar, ``(2 HALF, 2 HALF)``."""
    drawn = np.zeros((2 * HALF, 2 * HALF), bool)
    for ends in ((6, 24, 42, 8), (6, 24, 42, 40), (30, 14, 30, 34)):
        drawn[line(*ends)] = True
    return ndimage.binary_dilation(drawn, iterations=2)


def save_letters(folder: Path) -> Path:
    """Write the stack: the letter centred at each of `PLACES`, in noise."""
    picture = np.zeros(SHAPE, np.float32)
    for y, x in PLACES:
        picture[y - HALF : y + HALF, x - HALF : x + HALF] += letter()
    values = picture * 12000 + 20000 + np.random.default_rng(0).normal(0, 3000, SHAPE)
    np.save(folder / "letters.npy", np.repeat(values[None], 5, axis=0).astype(np.uint16))
    return folder / "letters.npy"
