"""Published sets of phantoms: the seeds for training, validation and tests, and the difficulty of each.

A seed never changes its set, so that results of different times and people can be compared.
"""

from __future__ import annotations

from typing import Literal

from napari_ink.phantom.config import PhantomConfig
from napari_ink.phantom.worlds.frame import WorldPhantom
from napari_ink.phantom.worlds.registry import WORLDS, make_world_phantom

SetName = Literal["train", "validation", "test", "hard test"]
WorldSetName = Literal["train", "validation", "test", "blank test"]

SETS: dict[SetName, range] = {
    "train": range(1000, 2000),
    "validation": range(2000, 2100),
    "test": range(3000, 3100),
    "hard test": range(4000, 4100),
}
# Where the seeds of each set begin in a world, and how many there are.
_WORLD_SETS: dict[WorldSetName, tuple[int, int]] = {
    "train": (0, 1000),
    "validation": (1000, 100),
    "test": (2000, 100),
    "blank test": (3000, 100),
}
# Far more than the sets take, so that sets can be added without a seed that changes its world.
_SEEDS_PER_WORLD = 100_000


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


def world_sets(world: str) -> dict[WorldSetName, range]:
    """Return the published seeds of a world; no seed is in two sets, nor in two worlds.

    Raises
    ------
    KeyError
        If there is no such world.
    """
    first = _SEEDS_PER_WORLD * (WORLDS[world].number + 1)
    return {name: range(first + offset, first + offset + count) for name, (offset, count) in _WORLD_SETS.items()}


def make_set_phantom(
    world: str, seed: int, height: int = 512, width: int = 512, depth_layers: int = 65
) -> WorldPhantom:
    """Simulate a seed of one of a world's published sets.

    The blank test set has no ink; of the seeds to train and validate with, each eighth has none.

    Raises
    ------
    ValueError
        If the seed is in none of the world's sets.
    """
    sets = world_sets(world)
    if not any(seed in seeds for seeds in sets.values()):
        raise ValueError(f"Seed {seed} is in none of the published sets of the world {world}: {sets}.")
    is_blank = seed in sets["blank test"] or (seed not in sets["test"] and seed % 8 == 7)
    return make_world_phantom(world, seed, height, width, depth_layers, is_blank)
