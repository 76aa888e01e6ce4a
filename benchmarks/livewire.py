"""Measure how close an outline is to the true edge: livewire compared with the polygon of the same clicks.

    python benchmarks/livewire.py [--phantoms 4] [--every 40] [--off 3]

On phantoms outside the training set, every stroke of a letter is outlined from clicks at equal distances along its true
outline, each some pixels off, as clicks by hand are. Both outlines get the same clicks; the livewire may also move each
click onto the edge, as it does in the window. The distance is the mean of two: from each pixel of an outline to the
nearest pixel of the true edge, and from the true edge to the outline.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import find_contours
from unseen import predicted

from napari_ink.annotation import Livewire, cost_of_image, cost_of_probability, snap, straight_path
from napari_ink.annotation.edge_tools.livewire import ReadCost
from napari_ink.model import DEFAULT_MODEL
from napari_ink.phantom import SETS, make_phantom, set_config

Clicks = npt.NDArray[np.intp]
_SNAP_PX = 4
_SHORTEST_PX = 120


def distance(outline: Clicks, truth: Clicks, shape: tuple[int, int]) -> float:
    """Return the mean distance between two outlines ``(n, 2)``, in both directions, in pixels."""
    both = []
    for one, other in ((outline, truth), (truth, outline)):
        away = np.ones(shape, bool)
        away[tuple(other.T)] = False
        both.append(ndimage.distance_transform_edt(away)[tuple(one.T)].mean())
    return float(np.mean(both))


def polygon(clicks: Clicks) -> Clicks:
    """Return the closed polygon through the clicks."""
    ends = np.roll(clicks, -1, axis=0)
    return np.concatenate([straight_path(tuple(a), tuple(b)) for a, b in zip(clicks, ends, strict=True)])


def livewire(clicks: Clicks, shape: tuple[int, int], read_cost: ReadCost, steps: list[float]) -> Clicks:
    """Return the livewire's outline from the same clicks, and append the seconds of each step to `steps`."""
    wire = Livewire(shape, read_cost)
    for y, x in clicks.tolist():
        y0, x0 = max(y - 12, 0), max(x - 12, 0)
        cost = read_cost(y0, min(y + 13, shape[0]), x0, min(x + 13, shape[1]), 1)
        settled = snap(y, x, cost, (y0, x0), _SNAP_PX)
        if wire.anchors:
            for share in (0.4, 0.8):  # positions of the mouse between two clicks
                start = np.array(wire.anchors[-1])
                began = time.perf_counter()
                wire.path_to(*(start + share * (np.array(settled) - start)).astype(int).tolist())
                steps.append(time.perf_counter() - began)
        wire.add(*settled)
    return wire.contour(closed=True)


def reader(cost_of: Callable[..., npt.NDArray[np.float32]], plane: npt.NDArray[np.generic]) -> ReadCost:
    """Return a function that reads the costs of a region."""
    return lambda y0, y1, x0, x1, step: cost_of(plane[y0:y1, x0:x1], step)


def main() -> None:
    """Draw the outlines, compare them, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", type=int, default=4)
    parser.add_argument("--every", type=int, nargs="*", default=[20, 40, 80], help="pixels between two clicks")
    parser.add_argument(
        "--off", type=float, default=2.0, help="how far a click misses the edge, standard deviation, px"
    )
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    args = parser.parse_args()
    found: dict[tuple[int, str], list[float]] = {}
    steps: list[float] = []
    rng = np.random.default_rng(0)
    for seed in SETS["hard test" if args.hard else "test"][: args.phantoms]:
        phantom = make_phantom(set_config(seed))
        _, edge = predicted(phantom, args.model)
        surface = phantom.volume[phantom.volume.shape[0] // 2]
        costs = {
            "livewire on predicted edges": reader(cost_of_probability, edge),
            "livewire on the surface layer": reader(cost_of_image, surface),
        }
        shape = phantom.ink.shape
        for contour in find_contours(np.pad(phantom.ink.astype(float), 1), 0.5):
            truth = np.clip(np.round(contour - 1), 0, np.array(shape) - 1).astype(np.intp)
            if len(truth) < _SHORTEST_PX or (truth == 0).any() or (truth == np.array(shape) - 1).any():
                continue  # too short for several clicks, or cut off at the border
            for every in args.every:
                clicks = truth[:: max(every, 1)] + rng.normal(0, args.off, (len(truth[:: max(every, 1)]), 2))
                clicks = np.clip(np.round(clicks), 0, np.array(shape) - 1).astype(np.intp)
                if len(clicks) < 3:
                    continue
                found.setdefault((every, "polygon"), []).append(distance(polygon(clicks), truth, shape))
                for name, cost in costs.items():
                    outline = livewire(clicks, shape, cost, steps)
                    found.setdefault((every, name), []).append(distance(outline, truth, shape))
    kind = "hard test" if args.hard else "test"
    print(f"{args.phantoms} phantoms of the {kind} set; clicks {args.off:g} px off; {platform.machine()}")
    print(
        "\n| a click every, px | outlines | polygon, px | livewire on predicted edges, px | on the surface layer, px |"
    )
    print("| --- | --- | --- | --- | --- |")
    for every in args.every:
        names = ("polygon", "livewire on predicted edges", "livewire on the surface layer")
        means = [float(np.mean(found[every, name])) for name in names]
        shares = " | ".join(f"{mean:.2f} ({mean / means[0]:.2f}×)" for mean in means[1:])
        print(f"| {every} | {len(found[every, 'polygon'])} | {means[0]:.2f} | {shares} |")
    milliseconds = 1e3 * np.array(steps)
    print(f"\nA step: median {np.median(milliseconds):.1f} ms, 95 % under {np.percentile(milliseconds, 95):.1f} ms, ")
    print(f"longest {milliseconds.max():.1f} ms, of {len(steps)}.")


if __name__ == "__main__":
    main()
