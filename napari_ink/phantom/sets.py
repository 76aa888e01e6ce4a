"""Published sets of phantoms: the seeds for training, validation and tests, and the difficulty of each.

A seed never changes its set, so that results of different times and people can be compared.
"""

from __future__ import annotations

from typing import Literal

from napari_ink.phantom.config import PhantomConfig

SetName = Literal["train", "validation", "test", "hard test"]

SETS: dict[SetName, range] = {
    "train": range(1000, 2000),
    "validation": range(2000, 2100),
    "test": range(3000, 3100),
    "hard test": range(4000, 4100),
}


def set_config(seed: int, height: int = 512, width: int = 512, depth_layers: int = 65) -> PhantomConfig:
    """Return the parameters of a seed's phantom in one of the `SETS`.

    Phantoms of the test set are plain, those of the hard test set are hard. In the sets for training and validation,
    even seeds are plain and odd seeds are hard.

    Raises
    ------
    ValueError
        If the seed is in none of them.
    """
    if not any(seed in seeds for seeds in SETS.values()):
        raise ValueError(f"seed {seed} is in none of the published sets: {SETS}")
    is_plain = seed in SETS["test"] or (seed not in SETS["hard test"] and seed % 2 == 0)
    return (PhantomConfig.varied if is_plain else PhantomConfig.hard)(seed, height, width, depth_layers)
