"""Spoil half of phantoms, and count which squares the map of where not to trust marks in each half.

    python benchmarks/where_not_to_trust.py ink-tiny-4 --home runs/worlds --sets plain-validation hard-validation
    python benchmarks/where_not_to_trust.py ink-tiny-9 --home runs/worlds --sets gaussian-test weave-test

A set is the first part of the names of `benchmarks/world_phantoms.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from napari_ink.model import InkModel, load_model
from napari_ink.predict import unfamiliar_map
from napari_ink.predict.unfamiliar import UNMEASURED
from napari_ink.region import Region
from napari_ink.stack import stack_of_array

Values = npt.NDArray[np.float32]
_RNG = np.random.default_rng(0)
SPOILT: dict[str, Callable[[Values], Values]] = {
    "nothing": lambda values: values,
    "noise in place of papyrus": lambda values: _RNG.normal(128, 60, values.shape),
    "noise added": lambda values: values + _RNG.normal(0, 40, values.shape),
    "reversed greys": lambda values: 255 - values,
    "brighter": lambda values: values + 60,
    "darker": lambda values: values / 2,
    "saturated": lambda values: np.where(values > 150, 255, values * 1.7),
    "blurred": lambda values: ndimage.gaussian_filter(values, 2),
    "blurred a little": lambda values: ndimage.gaussian_filter(values, (0, 1.5, 1.5)),
    "nearly constant": lambda values: 128 + _RNG.normal(0, 2, values.shape),
    "layers out of order": lambda values: values[_RNG.permutation(len(values))],
}


def shares(model: InkModel, volume: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Return the share of marked squares in the left and in the right half."""
    stack = stack_of_array(volume, "phantom")
    found = unfamiliar_map(model.with_greys_of(stack), stack, Region.whole(stack.shape[1:]))
    assert found is not None
    marked = np.where(found.levels == UNMEASURED, np.nan, found.levels > 0)
    half = volume.shape[2] // 2 // found.side
    return float(np.nanmean(marked[:, :half])), float(np.nanmean(marked[:, -half:]))


def spoilt(volume: npt.NDArray[np.uint8], how: Callable[[Values], Values]) -> npt.NDArray[np.uint8]:
    """Return a copy whose right half is spoilt; the same volume if nothing is spoilt."""
    if how is SPOILT["nothing"]:
        return volume
    values, half = volume.astype(np.float32), volume.shape[2] // 2
    values[:, :, half:] = how(values[:, :, half:])
    return values.clip(1, 255).astype(np.uint8)  # 0 would be beside the papyrus


def files_of(home: Path, names: Sequence[str], most: int) -> list[Path]:
    """Return the volumes of some sets."""
    return [
        file
        for name in names
        for file in sorted(one for one in home.glob(f"{name}-*.npy") if "labels" not in one.name)[:most]
    ]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--home", type=Path, default=Path("runs/worlds"))
    parser.add_argument("--sets", nargs="+", default=["gaussian-test"])
    parser.add_argument("--most", type=int, default=4, help="phantoms of each set")
    parser.add_argument("--only", nargs="*", choices=tuple(SPOILT), default=tuple(SPOILT))
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, files = load_model(args.model), files_of(args.home, args.sets, args.most)
    print(f"| right half ({len(files)} phantoms) | marked on the left | marked on the right |\n| --- | --- | --- |")
    for name in args.only:
        found = [shares(model, spoilt(np.load(file), SPOILT[name])) for file in files]
        left, right = np.mean(found, axis=0)
        print(f"| {name} | {left:.0%} | {right:.0%} |", flush=True)


if __name__ == "__main__":
    main()
