"""Phantoms by generators that were written independently of the worlds, from the published statistics of scans alone.

    python benchmarks/independent_phantoms.py --out runs/independent --only plies burrows combed packing
    python benchmarks/independent_phantoms.py --out runs/independent --statistics
    python benchmarks/independent_phantoms.py --out runs/independent --picture docs/images/independent.webp
    python benchmarks/labelled_stacks.py runs/independent/plies --model ink-tiny-9

Each lies in `benchmarks/independent/`, makes papyrus and ink in a way of its own, and can be asked for any contrast of
the ink. The test set of each has three phantoms of each of `CONTRASTS`, stored as segments with
their labels. The default model was trained on other phantoms of `TRAINED_ON`, and on none of `LEFT_OUT`.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image
from tqdm import tqdm
from world_table import print_statistics

from napari_ink.phantom import scan_statistics

TRAINED_ON = ("strands", "bands", "draped", "tissue", "leaves", "sponge", "shards", "ribs", "growth")
LEFT_OUT = ("plies", "burrows", "combed", "packing")
INDEPENDENT = (*TRAINED_ON, *LEFT_OUT)  # their order is that of the seeds to train with
CONTRASTS = ("strong", "medium", "weak", "blank")
TEST_COUNT = 3  # of each contrast
TRAIN_COUNT = 24  # to train with; each fourth has no ink
_TEST_SEEDS, _TRAIN_SEEDS = 100, 10_000  # a contrast has 100 seeds, the training set of a generator 10,000
FACE = 26  # layer that pictures show
_DRAWN = 999  # added to a seed, so that the contrast is drawn apart from the papyrus
Volume = npt.NDArray[np.unsignedinteger]
Ink = npt.NDArray[np.bool_]


def training_seeds(name: str, *, blank: bool) -> list[int]:
    """Return the seeds to train with."""
    begin = _TRAIN_SEEDS * (1 + INDEPENDENT.index(name))
    return [seed for seed in range(begin, begin + TRAIN_COUNT) if (seed % 4 == 3) == blank]


def test_seeds(contrast: str) -> list[int]:
    """Return the seeds of the test phantoms of a contrast, the same for each generator."""
    begin = _TEST_SEEDS * CONTRASTS.index(contrast)
    return list(range(begin, begin + TEST_COUNT))


def make_independent(name: str, seed: int) -> tuple[Volume, Ink]:
    """Return the volume ``(z, y, x)`` of a seed, and its true ink ``(y, x)``."""
    generator = importlib.import_module(f"independent.{name}")
    if seed < _TRAIN_SEEDS:
        contrast = generator.GREYS.get(CONTRASTS[seed // _TEST_SEEDS])
    elif seed % 4 == 3:
        contrast = None
    else:
        contrast = float(np.random.default_rng(seed + _DRAWN).uniform() ** 0.8 * generator.LARGEST)
    return generator.phantom(seed, contrast)  # type: ignore[no-any-return]


def store_test_set(name: str, out: Path) -> None:
    """Make the test phantoms of a generator that are missing."""
    for contrast in CONTRASTS:
        for number, seed in enumerate(test_seeds(contrast)):
            labels = out / f"{contrast}_{number}_inklabels.png"
            if labels.exists():
                continue
            volume, ink = make_independent(name, seed)
            layers = out / f"{contrast}_{number}" / "layers"
            layers.mkdir(parents=True, exist_ok=True)
            for z, layer in enumerate(volume):
                tifffile.imwrite(layers / f"{z:02d}.tif", layer)
            # The labels come last, so that a stack with labels is whole.
            Image.fromarray(ink.astype(np.uint8) * 255, "L").save(labels)


def statistics_of(folder: Path) -> list[dict[str, float]]:
    """Return the statistics of a stored test set."""
    found = []
    for labels in sorted(folder.glob("*_inklabels.png")):
        layers = sorted((folder / labels.name.removesuffix("_inklabels.png") / "layers").glob("*.tif"))
        # The middle of the sheet is measured seven layers behind the middle one, where these have it.
        volume = np.stack([tifffile.imread(layer) for layer in layers[:-14]])
        greys = volume.astype(np.uint16) * 257 if volume.dtype == np.uint8 else volume
        found.append(scan_statistics(greys, np.asarray(Image.open(labels)) > 0))
    return found


def stretched(greys: Volume) -> npt.NDArray[np.uint8]:
    """Return grey values for a picture; only the brightest specks are cut off at white."""
    return np.clip(greys / np.quantile(greys, 0.998) * 255, 0, 255).astype(np.uint8)


def picture_of(folder: Path) -> Volume:
    """Return the first phantom of medium contrast: a layer at its face beside its true ink, and a cut below."""
    layers = sorted((folder / "medium_0" / "layers").glob("*.tif"))
    volume = np.stack([tifffile.imread(layer) for layer in layers])
    ink = np.asarray(Image.open(folder / "medium_0_inklabels.png"))
    cut = np.repeat(volume[:, volume.shape[1] // 2], 2, axis=0)
    grey = stretched(np.vstack([volume[FACE], cut]))
    return np.hstack([grey, np.pad(ink, ((0, len(cut)), (0, 8)))])


def save_picture(folders: Sequence[Path], file: Path) -> None:
    """Save a picture of all generators, three in a row."""
    cells = [picture_of(folder) for folder in folders]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % 3)
    picture = Image.fromarray(np.vstack([np.hstack(cells[i : i + 3]) for i in range(0, len(cells), 3)]))
    picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS).save(file, quality=80)


def main() -> None:
    """Store the test sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the test sets, one folder each")
    parser.add_argument("--only", nargs="*", default=INDEPENDENT, choices=INDEPENDENT)
    parser.add_argument("--statistics", action="store_true", help="print them beside the published ones")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="save a picture of one phantom of each")
    args = parser.parse_args()
    for name in tqdm(args.only):
        store_test_set(name, args.out / name)
    if args.statistics:
        print_statistics({name: statistics_of(args.out / name) for name in args.only})
    if args.picture is not None:
        save_picture([args.out / name for name in args.only], args.picture)


if __name__ == "__main__":
    main()
