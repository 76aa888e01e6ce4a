"""How much a model's AUC changes if a stack's brightness, contrast, gamma or number of bits do.

    python benchmarks/greys.py [--model NAME_OR_PATH] [--phantoms 2]

Test phantoms of the worlds as reference scans, changed in several ways; the papyrus fills the phantom.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
import torch
from leave_one_out import predicted
from world_table import auc

from napari_ink.annotation import LabelValue
from napari_ink.model import DEFAULT_MODEL, load_model
from napari_ink.phantom import WORLDS, make_world_phantom, world_sets
from napari_ink.stack import stack_of_array
from napari_ink.training import TrainingPair

SIDE, WHITE = 320, 65535
Volume = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def changed(volume: Volume) -> dict[str, Volume]:
    """Return a scan of 16 bits and its changed versions."""
    share = volume.astype(np.float32) / WHITE

    def stored(values: npt.NDArray[np.float32]) -> Volume:
        return np.rint(values.clip(0, 1) * WHITE).astype(np.uint16)

    return {
        "as it is": volume,
        "contrast × 0.3": stored(0.3 * share),
        "contrast × 0.6, brighter by 0.3": stored(0.6 * share + 0.3),
        "gamma 0.7": stored(share**0.7),
        "gamma 1.4": stored(share**1.4),
        "8 bits": (volume >> 8).astype(np.uint8),
        "8 bits, contrast × 0.3": (stored(0.3 * share) >> 8).astype(np.uint8),
        "12 bits in 16": (volume >> 4).astype(np.uint16),
    }


def main() -> None:
    """Print the AUC of each change, and its largest difference in any phantom."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--phantoms", type=int, default=1)
    parser.add_argument("--worlds", nargs="*", default=tuple(WORLDS), choices=tuple(WORLDS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model)
    found: dict[str, list[float]] = {}
    for world in args.worlds:
        for seed in world_sets(world)["test"][: args.phantoms]:
            phantom = make_world_phantom(world, seed, SIDE, SIDE, reference_scan=True)
            labels = np.where(phantom.ink, LabelValue.INK, LabelValue.PAPYRUS).astype(np.uint8)
            for name, volume in changed(phantom.volume).items():
                one = predicted(model, TrainingPair(stack_of_array(volume, name), labels)).known
                found.setdefault(name, []).append(auc(one.logits[::5], one.truth[::5]))
    print(f"{args.model}, {len(found['as it is'])} phantoms", end="\n\n")
    print("| greys | AUC, mean | largest change |\n| --- | --- | --- |")
    plain = np.array(found["as it is"])
    for name, aucs in found.items():
        print(f"| {name} | {np.mean(aucs):.3f} | {np.abs(np.array(aucs) - plain).max():.3f} |")


if __name__ == "__main__":
    main()
