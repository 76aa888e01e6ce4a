"""Choose the probe's measure of separation without labels: compare the recommendations of candidates with labels.

    python benchmarks/probe_measures.py [--model M] [--phantoms 14] [--hard 8]

A model's maps of each phantom, in both directions and at eleven offsets, simulate stacks that are correct, reversed,
shifted by 8 layers in either direction, and both. `lost` is the share of the best separation by labels that the
recommended window loses; `sure` recommends a window only where the two groups of pixels are at least four fifths of
the range apart.
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from napari_ink.model import DEFAULT_MODEL, InkModel, load_model
from napari_ink.phantom import make_phantom, set_config
from napari_ink.predict.probing.separation import labelled_separation, unlabelled_separation
from napari_ink.predict.probing.verdict import Window, decide
from napari_ink.stack import stack_of_array

DIRECTIONS = ("as stored", "reversed")
OFFSETS = range(-20, 21, 4)
PROBED = range(-12, 13, 4)
DEPTH = 81
TILES = ((slice(20, 276), slice(20, 276)), (slice(230, 486), slice(230, 486)))
Table = dict[tuple[int, int], dict[str, float]]


def measures(levels: npt.NDArray[np.uint8], ink: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return the values of all candidate measures for one map."""
    counts = np.bincount(levels, minlength=256) / levels.size
    scale, below = np.arange(256), counts.cumsum()[:-1]
    sum_below = (counts * scale).cumsum()[:-1]
    mean = (counts * scale).sum()
    apart = (mean - sum_below) / np.maximum(1 - below, 1e-9) - sum_below / np.maximum(below, 1e-9)
    between = below * (1 - below) * apart**2
    cut = int(between.argmax())
    few = (1 - below[cut]) / (1 - below[cut] + 0.01)
    explained = between[cut] / max((counts * (scale - mean) ** 2).sum(), 1e-9)
    found = unlabelled_separation(levels)
    return {
        "labels": labelled_separation(levels, ink).value,
        "spread between the groups": float(between[cut] ** 0.5),
        "distance, few pixels counted less": float(apart[cut] * few),
        "distance × explained": float(apart[cut] * few * explained),
        "distance × explained³ (chosen)": found.value,
        "surely apart": float(found.is_clear),
    }


@torch.inference_mode()
def table_of(seed: int, model: InkModel) -> Table:
    """Return the measures of one phantom in both directions and at every offset."""
    phantom, table = make_phantom(set_config(seed, 512, 512, DEPTH)), {}
    mask = np.stack([phantom.mask[tile] for tile in TILES])
    ink = np.stack([phantom.ink[tile] for tile in TILES])[mask]
    own = model.contract.with_greys_of(stack_of_array(phantom.volume, "phantom"))
    for (way, direction), offset in product(enumerate(DIRECTIONS), OFFSETS):
        contract = own.model_copy(update={"direction": direction, "surface_offset": offset})
        z = contract.z_window(DEPTH)
        values = np.stack([np.ascontiguousarray(contract.prepare(phantom.volume[z, y, x])) for y, x in TILES])
        ink_map = torch.sigmoid(model.network(torch.from_numpy(values))[:, 0]).numpy()
        table[way, offset] = measures(np.rint(ink_map * 255).astype(np.uint8)[mask], ink)
    return table


def outcomes(table: Table, name: str, must_be_sure: bool) -> list[tuple[bool, float] | None]:
    """Return for each situation whether the direction is right and the loss; None without a recommendation."""
    rows: list[tuple[bool, float] | None] = []
    for turned, shift in product((0, 1), (-8, 0, 8)):
        seen = {
            (way, offset): table[way ^ turned, (offset - shift) * (-1 if turned else 1)]
            for way, offset in product((0, 1), PROBED)
        }
        windows = [
            Window(DIRECTIONS[way], offset, row[name], not must_be_sure or row["surely apart"] > 0)
            for (way, offset), row in seen.items()
        ]
        verdict = decide(windows, ("as stored", 0))
        if verdict.kind == "cannot tell":
            rows.append(None)
            continue
        by_labels = {place: row["labels"] for place, row in seen.items()}
        lost = 1 - by_labels[DIRECTIONS.index(verdict.direction), verdict.offset] / max(by_labels.values())
        rows.append((DIRECTIONS.index(verdict.direction) == turned, lost))
    return rows


def main() -> None:
    """Print a row for each measure and set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--phantoms", type=int, default=14)
    parser.add_argument("--hard", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model)
    for kind, seeds in {"test": range(3050, 3050 + args.phantoms), "hard test": range(4050, 4050 + args.hard)}.items():
        tables = [table_of(seed, model) for seed in tqdm(seeds, disable=None)]
        print(f"{kind}: best separation by labels", sorted(round(max(r["labels"] for r in t.values())) for t in tables))
        for name, must_be_sure in product([name for name in tables[0][0, 0] if name != "surely apart"], (False, True)):
            rows: list[Any] = [row for table in tables for row in outcomes(table, name, must_be_sure)]
            clear = [row for row in rows if row is not None]
            lost = [row[1] for row in clear] or [0.0]
            print(
                f"{name:34}{'sure' if must_be_sure else '':5} recommended {len(clear):3} of {len(rows)}, "
                f"wrong direction {sum(not row[0] for row in clear):2}, lost {np.mean(lost):.3f}, "
                f"at most {max(lost):.2f}, more than a fifth {np.mean(np.array(lost) > 0.2):.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
