"""Phantoms with the sheet of one world and the ink of another: what ink adds to a phantom is added to a blank one.

    python benchmarks/world_phantoms.py --home runs/worlds
    python benchmarks/mixed_phantoms.py --home runs/worlds

A blank phantom of the same seed is the same sheet in the same scan, so the difference of both is the ink. It is made
stronger or weaker, and reversed in three of ten. Both surfaces lie near the middle layer, but wander by themselves, so
that it lies higher or lower in its new sheet. `leave_one_out.py --mixed` takes those whose worlds it both trains on.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from world_phantoms import CONTRACT, MARGIN, SIDES, entries, store, stored

from napari_ink.annotation import LabelValue
from napari_ink.phantom import WORLDS, make_world_phantom
from napari_ink.stack import stack_of_array
from napari_ink.training import TrainingPair

COUNT = 12  # for each sheet and ink
_GAINS = (0.6, 1.6)
_REVERSED = 0.3


@dataclass(frozen=True, eq=False)
class Ink:
    """What the ink of a phantom adds to its greys ``(z, y, x)``, of 255, and where it lies ``(y, x)``."""

    difference: npt.NDArray[np.float32]
    strokes: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, world: str, seed: int) -> Ink:
        """Simulate a phantom twice, with and without ink."""
        side = SIDES["bare"]  # that of the sheets it is added to
        written, bare = (make_world_phantom(world, seed, side, side, blank=blank) for blank in (False, True))
        fitted = CONTRACT.with_greys_of(stack_of_array(written.volume, "phantom"))
        with_ink, without = (fitted.prepare(one.volume[MARGIN:-MARGIN]) for one in (written, bare))
        return cls((with_ink - without) * (CONTRACT.std * 255), written.ink & written.mask)


@dataclass(frozen=True)
class MixedEntry:
    """A sheet of one world with the ink of another; `number` counts those of both."""

    sheet: str
    ink: str
    number: int

    def file(self, home: Path) -> Path:
        """Return the file of its volume; its labels lie beside it."""
        return home / f"{self.sheet}-mixed-{self.ink}-{self.number}.npy"

    def make(self, home: Path, ink: Ink) -> None:
        """Add ink to the blank phantom."""
        worlds = tuple(WORLDS)
        places = worlds.index(self.sheet), worlds.index(self.ink)
        blank = [one for one in entries(self.sheet, "bare") if one.file(home).exists()]
        # Other sheets for each ink: a network must not learn that a sheet goes with an ink.
        pair = blank[(self.number + 5 * places[1]) % len(blank)].read(home)
        rng = np.random.default_rng([self.number, *places])
        gain = math.exp(rng.uniform(*np.log(_GAINS))) * (-1 if rng.random() < _REVERSED else 1)
        greys = np.load(pair.stack.source).astype(np.float32) + gain * ink.difference
        labels = pair.labels.copy()
        labels[ink.strokes & (labels == LabelValue.PAPYRUS)] = LabelValue.INK
        store(self.file(home), greys, labels)


def mixed_pairs(sheet: str, inks: Collection[str], home: Path, share: float) -> list[TrainingPair]:
    """Return the pairs with sheets of a world and inks of others, which together have a share of the crops.

    Raises
    ------
    SystemExit
        If there are none.
    """
    files = [MixedEntry(sheet, ink, number).file(home) for ink in inks if ink != sheet for number in range(COUNT)]
    there = [file for file in files if file.exists()]
    if not there:
        raise SystemExit(f"There are no sheets of {sheet} with other ink in {home}; run benchmarks/mixed_phantoms.py.")
    return [stored(file, share=share / len(there)) for file in there]


def main() -> None:
    """Make those that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("runs/worlds"), help="folder of the phantoms of the worlds")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
    args = parser.parse_args()
    until, made = time.monotonic() + args.seconds, 0
    for number in range(COUNT):
        for source in WORLDS:
            missing = [MixedEntry(sheet, source, number) for sheet in WORLDS if sheet != source]
            missing = [one for one in missing if not one.file(args.home).exists()]
            if not missing or time.monotonic() > until:
                continue
            ink = Ink.of(source, entries(source, "train")[number].seed)
            for one in missing:
                one.make(args.home, ink)
            made += len(missing)
    print(f"{made} mixed phantoms made")


if __name__ == "__main__":
    main()
