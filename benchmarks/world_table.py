"""Measure the worlds of phantoms: statistics compared with published scans, visibility of the ink, and time.

Run by `benchmarks/phantoms.py --worlds`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy import ndimage, stats

from napari_ink.phantom import WORLDS, WorldPhantom, make_world_phantom, scan_statistics, world_sets
from napari_ink.phantom.statistics import PUBLISHED, tolerated

WINDOWS = tuple(slice(a, b) for a, b in ((16, 48), (20, 44), (24, 36), (28, 34), (30, 40), (32, 35), (34, 40)))
SIDE, LEVELS = 224, 32
Floats = npt.NDArray[np.float32]


def auc(score: npt.NDArray[np.floating], ink: npt.NDArray[np.bool_]) -> float:
    """Return the probability that a pixel of ink scores higher than one of papyrus."""
    ranks, count = stats.rankdata(score), int(ink.sum())
    return float((ranks[ink].sum() - count * (count + 1) / 2) / (count * (len(ink) - count)))


def projections(volume: npt.NDArray[np.generic]) -> Iterator[Floats]:
    """Yield projections of several windows, plain and smoothed."""
    for window in WINDOWS:
        block = volume[window].astype(np.float32)
        for plane in (block.max(axis=0), block.mean(axis=0), block.min(axis=0), block.std(axis=0)):
            yield plane
            yield ndimage.gaussian_filter(plane, 4.0)
            yield ndimage.gaussian_filter(plane, 8.0)


def best_projection(phantom: WorldPhantom) -> float:
    """Return the AUC of the best projection for the ink of this phantom, brighter or darker."""
    chosen = phantom.mask.ravel()
    ink = phantom.ink.ravel()[chosen][::5]
    scores = (auc(plane.ravel()[chosen][::5], ink) for plane in projections(phantom.volume))
    return max(max(score, 1 - score) for score in scores)


def features(phantom: WorldPhantom) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return smoothed greys and local contrasts of 15 layers at every third pixel, and whether the pixel is ink."""
    middle = len(phantom.volume) // 2
    block = phantom.volume[middle - 6 : middle + 9].astype(np.float32)
    block = (block - block.mean()) / block.std()
    planes: list[Floats] = []
    for layer in block:
        scales = [layer, *(ndimage.gaussian_filter(layer, sigma) for sigma in (1.0, 2.0, 4.0, 8.0))]
        planes += [scales[0], *scales[2:]]
        planes += [_energy(fine - coarse) for fine, coarse in zip(scales[:3], scales[1:], strict=False)]
    planes += [_energy(one - other) for one, other in zip(block, block[2:], strict=False)]
    thinned = np.stack(planes)[:, ::3, ::3]
    return thinned.reshape(len(planes), -1).T, phantom.ink[::3, ::3].ravel()


def _energy(plane: Floats) -> Floats:
    return np.log(ndimage.gaussian_filter(plane**2, 5.0) + 1e-4)


def fitted(world: str, seeds: range) -> list[float]:
    """Return AUCs, on the last third of the seeds, of a perceptron fitted to `features` of the others."""
    pairs = [features(make_world_phantom(world, seed, reference_scan=True)) for seed in seeds]
    first_held_out = 2 * len(pairs) // 3
    known = np.concatenate([values for values, _ in pairs[:first_held_out]])
    labels = torch.from_numpy(np.concatenate([ink for _, ink in pairs[:first_held_out]]).astype(np.float32))
    mean, spread = known.mean(axis=0), known.std(axis=0) + 1e-6
    inputs = torch.from_numpy((known - mean) / spread)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(inputs.shape[1], 64), torch.nn.GELU(), torch.nn.Linear(64, 1))
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.05)
    for _ in range(500):
        batch = torch.randint(len(inputs), (2048,))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(inputs[batch])[:, 0], labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        return [
            auc(network(torch.from_numpy((values - mean) / spread))[:, 0].numpy(), ink)
            for values, ink in pairs[first_held_out:]
        ]


@dataclass(frozen=True)
class Measured:
    """What was measured on phantoms of one world: a figure for each phantom, and the AUCs of held-out ones."""

    statistics: list[dict[str, float]]
    share: list[float]
    hidden: list[float]
    fitted: list[float]
    seconds: list[float]


def measure(world: str, phantoms: int) -> Measured:
    """Measure the first test phantoms of a world."""
    measured = Measured([], [], [], fitted(world, world_sets(world)["train"][:6]), [])
    for seed in world_sets(world)["test"][:phantoms]:
        began = time.process_time()
        phantom = make_world_phantom(world, seed, reference_scan=True)
        measured.seconds.append(time.process_time() - began)
        measured.statistics.append(scan_statistics(phantom.volume, phantom.ink))
        measured.share.append(float(phantom.ink.mean()))
        measured.hidden.append(best_projection(phantom))
    return measured


def print_tables(measured: dict[str, Measured]) -> None:
    """Print the statistics of each world, and the visibility of its ink."""
    print_statistics({name: world.statistics for name, world in measured.items()})
    print("\n| world | ink | AUC, best projection | AUC, fitted to other phantoms | processor s |")
    print("| --- | --- | --- | --- | --- |")
    for name, world in measured.items():
        hidden = f"{np.mean(world.hidden):.2f} ({min(world.hidden):.2f}–{max(world.hidden):.2f})"
        print(
            f"| {name} | {np.mean(world.share):.0%} | {hidden} | {np.mean(world.fitted):.2f} "
            f"| {np.mean(world.seconds):.1f} |"
        )


def print_statistics(measured: dict[str, list[dict[str, float]]]) -> None:
    """Print the mean statistics of each kind of phantoms beside the published ones."""
    print("| figure | published |", " | ".join(measured), "|")
    print("| --- | --- |", " | ".join("---" for _ in measured), "|")
    for name in PUBLISHED:
        cells = (_cell(name, each) for each in measured.values())
        print(f"| {name} | {_published(name)} |", " | ".join(cells), "|")


def _published(name: str) -> str:
    low, high = PUBLISHED[name]
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def _cell(name: str, measured: list[dict[str, float]]) -> str:
    """Return the mean of a figure, in bold if it is not within a third of the published ones."""
    mean = float(np.mean([each[name] for each in measured if name in each]))
    low, high = tolerated(name)
    text = f"{mean:.0f}" if abs(PUBLISHED[name][1]) > 5 else f"{mean:.2f}"
    return text if low <= mean <= high else f"**{text}**"


def save_pictures(folder: Path) -> None:
    """Save a picture of each world: the surface beside the truth, and below, cuts along x and y."""
    for world in WORLDS:
        phantom = make_world_phantom(world, world_sets(world)["test"][1], reference_scan=True)
        top, left = _most_ink(phantom.ink)
        crop = np.s_[top : top + SIDE, left : left + SIDE]
        volume = (phantom.volume // 257).astype(np.float32)
        middle = len(volume) // 2 + 2
        surface = volume[middle - 1 : middle + 2].mean(axis=0)[crop]
        along_x, along_y = volume[:, top + SIDE // 2, left : left + SIDE], volume[:, top : top + SIDE, left + SIDE // 2]
        greys = np.block([[surface, 255.0 * phantom.ink[crop]], [along_x, along_y]])
        step = 256 // LEVELS  # fewer greys make smaller files
        image = Image.fromarray((np.clip(greys, 0, 255) // step * step).astype(np.uint8))
        image.quantize(LEVELS).save(folder / f"world-{world}.png", optimize=True)


def _most_ink(ink: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Return the corner of the crop with the most ink."""
    share = ndimage.uniform_filter(ink.astype(np.float32), SIDE)
    inner = share[SIDE // 2 : -SIDE // 2, SIDE // 2 : -SIDE // 2]
    top, left = np.unravel_index(int(inner.argmax()), inner.shape)
    return int(top), int(left)
