"""Phantoms of the worlds, made once and stored, to train and judge networks with.

    python benchmarks/world_phantoms.py --home /tmp/worlds --seconds 600

Besides the worlds there are the plain and the hard phantoms of the first generator, whose training and validation sets
`ink-tiny-3` learned from: networks that start from it forget them otherwise. With `--independent` there are those of
the generators of `independent_phantoms.py`, too, of half a minute each.

Volumes are stored with 8 bits, spread over each phantom's own greys, and without the outermost layers, which no window
reads: a network whose contract scales by quantiles sees the same.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from independent_phantoms import CONTRASTS, INDEPENDENT, make_independent, test_seeds, training_seeds

from napari_ink.annotation import LabelValue
from napari_ink.model import InputContract
from napari_ink.model.config import CONTEXT_PX, TILE_PX
from napari_ink.phantom import SETS, WORLDS, make_phantom, make_world_phantom, set_config, world_sets
from napari_ink.stack import open_stack, stack_of_array
from napari_ink.training import OUTSIDE, TrainingPair

Kind = Literal["train", "bare", "validation", "validation bare", "test", "blank test"]
CONTRACT = InputContract(
    depth_layers=32,
    min_depth_layers=12,
    mean=0.31,
    std=0.24,
    normalisation="stack curve",
    voxel_size_um=7.91,
    tile_size=TILE_PX,
    context_px=CONTEXT_PX,
)
MARGIN = 6  # layers left out at each end of 65
_BARE = 500  # seeds to train with from here on are made without ink
FIRST = ("plain", "hard")  # phantoms of the first generator; half of its sets each
SIDES: dict[Kind, int] = {
    "train": 320,
    "bare": 320,
    "validation": 320,
    "validation bare": 320,
    "test": 384,
    "blank test": 384,
}
FIRST_COUNT = 60  # of each kind of `FIRST` to train with
COUNTS: dict[Kind, int] = {
    "train": 40,
    "bare": 24,
    "validation": 2,
    "validation bare": 1,
    "test": 4,
    "blank test": 2,
}


@dataclass(frozen=True)
class Entry:
    """A phantom to store."""

    world: str
    kind: Kind
    seed: int

    def file(self, home: Path) -> Path:
        """Return the file of its volume; its labels lie beside it."""
        return home / f"{self.world}-{self.kind.replace(' ', '_')}-{self.seed}.npy"

    def make(self, home: Path) -> None:
        """Make it, unless it exists."""
        if self.file(home).exists():
            return
        side = SIDES[self.kind]
        is_blank = self.kind in ("bare", "validation bare", "blank test")
        if self.world in FIRST:
            first = make_phantom(set_config(self.seed))
            volume, ink, mask = first.volume, first.drawn, first.mask
        elif self.world in INDEPENDENT:
            volume, ink = make_independent(self.world, self.seed)
            mask = np.ones_like(ink)
        else:
            phantom = make_world_phantom(self.world, self.seed, side, side, blank=is_blank)
            volume, ink, mask = phantom.volume, phantom.ink, phantom.mask
        fitted = CONTRACT.with_greys_of(stack_of_array(volume, "phantom"))
        prepared = fitted.prepare(volume[MARGIN:-MARGIN]) * CONTRACT.std + CONTRACT.mean
        labels = np.where(ink, LabelValue.INK, LabelValue.PAPYRUS).astype(np.uint8)
        labels[~mask] = OUTSIDE
        store(self.file(home), prepared * 255, labels)

    def read(self, home: Path, **more: object) -> TrainingPair:
        """Return it as a pair."""
        return stored(self.file(home), **more)


def store(file: Path, greys: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> None:
    """Store a volume of greys of 0 to 255, whole or not at all, with its labels beside it."""
    np.save(file.with_suffix(".labels.npy"), labels)
    partial = file.with_suffix(".partial.npy")
    np.save(partial, np.rint(greys).clip(0, 255).astype(np.uint8))
    os.replace(partial, file)


def stored(file: Path, **more: object) -> TrainingPair:
    """Return what was stored as a pair."""
    labels: npt.NDArray[np.uint8] = np.load(file.with_suffix(".labels.npy"))
    return TrainingPair(open_stack(file), labels, **more)  # type: ignore[arg-type]


def entries(world: str, kind: Kind, count: int | None = None) -> list[Entry]:
    """Return the phantoms of a world, `COUNTS` of them by default."""
    if world in INDEPENDENT:
        written = [seed for contrast in CONTRASTS[:-1] for seed in test_seeds(contrast)]
        found = {
            "train": training_seeds(world, blank=False),
            "bare": training_seeds(world, blank=True),
            "test": written,
            "blank test": test_seeds(CONTRASTS[-1]),
        }.get(kind, [])
        return [Entry(world, kind, seed) for seed in found[:count]]
    if world in FIRST:
        seeds = list(SETS["train" if kind == "train" else "validation"])[FIRST.index(world) :: 2]
        wanted = {"train": FIRST_COUNT, "validation": 2}.get(kind, 0)
        return [Entry(world, kind, seed) for seed in seeds[: wanted if count is None else count]]
    sets = world_sets(world)
    seeds = {
        "train": sets["train"],
        "bare": sets["train"][_BARE:],
        "validation": sets["validation"],
        "validation bare": sets["validation"][50:],
        "test": sets["test"],
        "blank test": sets["blank test"],
    }[kind]
    return [Entry(world, kind, seed) for seed in seeds[: COUNTS[kind] if count is None else count]]


def everything() -> Iterator[Entry]:
    """Yield all phantoms, such that an early end leaves some of every world."""
    for number in range(max(COUNTS.values())):
        for kind in COUNTS:
            for world in WORLDS:
                if number < COUNTS[kind]:
                    yield entries(world, kind)[number]


def everything_first() -> Iterator[Entry]:
    """Yield the phantoms of the first generator."""
    for kind in ("train", "validation"):
        for pair in zip(*(entries(world, kind) for world in FIRST), strict=True):
            yield from pair


def everything_independent() -> Iterator[Entry]:
    """Yield the phantoms of generators that were written independently, such that an early end leaves some of each."""
    kinds: tuple[Kind, ...] = ("train", "bare")
    for kind in kinds:
        for group in zip(*(entries(world, kind) for world in INDEPENDENT), strict=True):
            yield from group
    for world in INDEPENDENT:
        for kind in ("test", "blank test"):
            yield from entries(world, kind)


def main() -> None:
    """Make the phantoms that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("runs/worlds"))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--independent", action="store_true", help="those of the independent generators, too")
    args = parser.parse_args()
    args.home.mkdir(parents=True, exist_ok=True)
    # By this a stack is known as a simulation, see `napari_ink.stack.is_phantom`.
    (args.home / "meta.json").write_text(json.dumps({"note": "phantoms of several worlds", "phantom": {}}))
    until = time.monotonic() + args.seconds
    made = 0
    wanted = [*everything(), *everything_first(), *(everything_independent() if args.independent else ())]
    for entry in wanted:
        if time.monotonic() > until:
            break
        made += not entry.file(args.home).exists()
        entry.make(args.home)
    there = sum(one.file(args.home).exists() for one in wanted)
    print(f"{made} phantoms made, {there} there")


if __name__ == "__main__":
    main()
