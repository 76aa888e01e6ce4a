"""Measure how often the probe is right: on phantoms as stored, reversed, and with their surface in another layer.

    python benchmarks/probe.py [--model M] [--phantoms 8] [--hard 4]

Each phantom is probed as it is, reversed, shifted and both, with labels and without. The verdict is compared with the
truth: the separation of the recommended window, measured on the true ink, as a share of the best probed window.
The seeds differ from those that the measure was chosen on.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_ink.model import DEFAULT_MODEL, InkModel, load_model
from napari_ink.phantom import Phantom, make_phantom, set_config
from napari_ink.predict import ProbeEnded, ProbeRequest, WindowProbed, probe
from napari_ink.predict.probing.verdict import Verdict, Window
from napari_ink.stack import DepthStack

DEPTH, SPARE = 65, 16
SHIFTS = (0, 12, -12)


def stack_of(volume: npt.NDArray[Any]) -> DepthStack:
    """Return a stack in memory."""
    shape = (volume.shape[0], volume.shape[1], volume.shape[2])

    def read(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        return volume[z, y.start : y.stop : step, x.start : x.stop : step]

    return DepthStack(Path("."), "phantom", shape, volume.dtype, 7.91, "memory", read)


def placed(phantom: Phantom, is_reversed: bool, shift: int) -> npt.NDArray[Any]:
    """Cut `DEPTH` layers out of a deeper phantom, so that its surface is `shift` layers behind the middle."""
    volume = phantom.volume[::-1] if is_reversed else phantom.volume
    return volume[SPARE - shift : SPARE - shift + DEPTH]


def probed(request: ProbeRequest) -> tuple[list[Window], Verdict]:
    """Return all windows and the verdict."""
    windows, verdict = [], None
    for event in probe(request):
        match event:
            case WindowProbed():
                windows.append(event.window)
            case ProbeEnded():
                verdict = event.verdict
    assert verdict is not None
    return windows, verdict


def part_kept(windows: list[Window], verdict: Verdict, own: bool = False) -> float:
    """Return the separation of the recommended window, or of the model's own, as a share of the best one."""
    by_place = {(window.direction, window.offset): window.separation for window in windows}
    place = ("as stored", 0) if own else (verdict.direction, verdict.offset)
    return by_place[place] / max(by_place.values())


def try_out(seed: int, model: InkModel, table: dict[Any, list[tuple[str, bool, float, float]]]) -> None:
    """Probe one phantom in every situation."""
    phantom = make_phantom(set_config(seed, 512, 512, DEPTH + 2 * SPARE))
    kind = "hard" if seed >= 4000 else "plain"
    for is_reversed in (False, True):
        for shift in SHIFTS:
            stack = stack_of(placed(phantom, is_reversed, shift))
            with_labels = ProbeRequest(stack, model, None, phantom.mask, phantom.ink, "cpu", tiles=2)
            windows, verdict = probed(with_labels)
            without = probed(ProbeRequest(stack, model, None, phantom.mask, None, "cpu", tiles=2))[1]
            for name, found in (("labels", verdict), ("none", without)):
                right = found.direction == ("reversed" if is_reversed else "as stored")
                kept, before = part_kept(windows, found), part_kept(windows, found, own=True)
                table.setdefault((kind, is_reversed, shift, name), []).append((found.kind, right, kept, before))


def main() -> None:
    """Print a row for each situation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--phantoms", type=int, default=8)
    parser.add_argument("--hard", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, table, began = load_model(args.model), {}, time.process_time()
    for seed in (*range(3070, 3070 + args.phantoms), *range(4070, 4070 + args.hard)):
        try_out(seed, model, table)
        print(f"{seed}: {time.process_time() - began:.0f} s of CPU so far", flush=True)
    for (kind, is_reversed, shift, name), rows in sorted(table.items()):
        clear = [row for row in rows if row[0] != "cannot tell"]
        kept = f"{np.mean([row[2] for row in clear]):.2f} (least {min(row[2] for row in clear):.2f})" if clear else "-"
        print(
            f"{kind:5} {'reversed' if is_reversed else 'as stored':9} {shift:+3d} {name:6}: "
            f"recommended {len(clear)} of {len(rows)}, direction right {sum(row[1] for row in clear)}, "
            f"share of the best separation {kept}, {np.mean([row[3] for row in rows]):.2f} without a probe; "
            f"{dict(Counter(row[0] for row in rows))}"
        )


if __name__ == "__main__":
    main()
