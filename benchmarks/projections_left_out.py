"""Score projections of depth layers on the phantoms that networks are judged on when their world is left out.

    python benchmarks/projections_left_out.py --home runs/worlds

Of 84 projections, bright and dark, one is picked for each world by its mean AUC on the other worlds, which a reader
could do, too; beside it stands the best one of each phantom, picked with its ink known. F0.5 is that at the best
threshold of each phantom, as `benchmarks/leave_one_out.py` has it for networks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from world_phantoms import MARGIN, entries
from world_table import auc, projections

from napari_ink.annotation import LabelValue
from napari_ink.evaluation import ink_scores
from napari_ink.phantom import WORLDS

STEP = 5  # every fifth pixel is scored


def scores(world: str, home: Path) -> npt.NDArray[np.float64]:
    """Return AUC and F0.5 of each projection on each test phantom with ink, ``(phantoms, projections, 2)``."""
    found = []
    for entry in entries(world, "test"):
        if not entry.file(home).exists():
            continue
        pair = entry.read(home)
        # Stored phantoms lack their outermost layers; windows are counted with them.
        volume = np.pad(np.load(entry.file(home)), ((MARGIN, MARGIN), (0, 0), (0, 0)), mode="edge")
        known = np.isin(pair.labels, (LabelValue.INK, LabelValue.PAPYRUS))
        truth = (pair.labels == LabelValue.INK)[known][::STEP]
        rows = [score(sign * plane[known][::STEP], truth) for plane in projections(volume) for sign in (1, -1)]
        found.append(rows)
    return np.array(found)


def score(values: npt.NDArray[np.float32], truth: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return AUC and the best F0.5 of values ``(n,)`` as ink."""
    low, high = np.quantile(values, (0.001, 0.999))
    levels = np.rint((values - low) / max(high - low, 1e-6) * 255).clip(0, 255).astype(np.uint8)
    return auc(values, truth), ink_scores(levels[None], truth[None]).f0_5


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("runs/worlds"), help="folder of the phantoms")
    args = parser.parse_args()
    found = {world: scores(world, args.home) for world in WORLDS}
    print("| world | AUC | F0.5 | AUC, picked for each phantom | F0.5 |\n" + "| --- " * 5 + "|")
    rows = []
    for world, own in found.items():
        others = np.mean([each[:, :, 0].mean(axis=0) for name, each in found.items() if name != world], axis=0)
        picked = own[:, others.argmax()].mean(axis=0)
        best = own.max(axis=1).mean(axis=0)
        rows.append([*picked, *best])
        print(f"| {world} | " + " | ".join(f"{value:.3f}" for value in rows[-1]) + " |", flush=True)
    print("| mean | " + " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0)) + " |")


if __name__ == "__main__":
    main()
