"""Compare the scores with other implementations, and measure their time and memory.

    python benchmarks/evaluation.py --bsds DIR [--images 200] [--original 3]
    python benchmarks/evaluation.py --ink
    python benchmarks/evaluation.py --segment 15000 10000

DIR is BSDS500 with `images/` and `groundTruth/`, each with `train/` and `val/`. The edge detector is the plain gradient
of the smoothed image, because the test is of the scores, not of the detector. `--original` runs BSDS's own thinning and
matching, as `pip install pyEdgeEval opencv-python-headless` builds them, which takes minutes per image; `--ink`
compares with scikit-learn. `tests/evaluation` follows the protocol exactly on images that are small enough for it.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage
from scipy.io import loadmat

from napari_ink.evaluation import (
    EdgeScores,
    boundary_iou,
    edge_crops,
    edge_scores,
    ink_scores,
    label_edges,
    suppress_non_maxima,
)

Plane = npt.NDArray[Any]
THRESHOLDS = np.arange(1, 100) / 100
TOLERANCE = 0.0075


def photographs(folder: Path, count: int) -> Iterator[tuple[Plane, list[Plane]]]:
    """Yield the edge map of each photograph, and the edges that each person drew."""
    files = sorted((folder / "groundTruth").glob("val/*.mat")) + sorted((folder / "groundTruth").glob("train/*.mat"))
    for file in files[:count]:
        image = next((folder / "images" / file.parent.name).glob(f"{file.stem}.*"))
        people = loadmat(file)["groundTruth"][0]
        yield gradient(np.asarray(Image.open(image).convert("RGB"))), [p[0, 0]["Boundaries"] > 0 for p in people]


def gradient(image: Plane) -> Plane:
    """Return the steepest channel's gradient, 0 to 1."""
    grey = image.astype(np.float64) / 255
    steep = np.hypot(*(ndimage.gaussian_filter(grey, (2, 2, 0), order=along) for along in ((0, 1, 0), (1, 0, 0))))
    return np.clip(steep.max(axis=2) / 0.12, 0, 1)


def original_counts(edge: Plane, people: list[Plane]) -> Plane:
    """Return the same counts from pyEdgeEval, which thins and matches as BSDS's own code does."""
    from pyEdgeEval.common.binary_label.evaluate_boundaries import evaluate_boundaries_threshold_multiple_gts

    matched_true, true, matched, found = evaluate_boundaries_threshold_multiple_gts(
        THRESHOLDS, suppress_non_maxima(edge), people, TOLERANCE
    )
    return np.stack([matched, found, matched_true, true], axis=1)


def pooled_scores(images: list[Plane]) -> EdgeScores:
    """Return the scores from the counts of several images, implemented independently of the tested code."""

    def f1(row: Plane) -> float:
        precision, recall = row[0] / max(row[1], 1), row[2] / max(row[3], 1)
        return float(2 * precision * recall / max(precision + recall, 1e-12))

    total = sum(images)
    ods = [f1(row) for row in total]
    ois = f1(sum(max(rows, key=f1) for rows in images))
    curve = sorted((row[2] / max(row[3], 1), row[0] / max(row[1], 1)) for row in total)
    recall, precision = zip(*curve, strict=True)
    area = np.interp(np.linspace(0, 1, 101), recall, precision, left=0, right=0).sum() / 100
    return EdgeScores(max(ods), float(THRESHOLDS[int(np.argmax(ods))]), ois, float(area))


def report(name: str, scores: EdgeScores, began: float, cpu: float, images: int) -> None:
    """Print a row."""
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"{name:32} ODS {scores.ods:.4f} at {scores.ods_threshold:.2f}  OIS {scores.ois:.4f}  "
        f"AP {scores.average_precision:.4f}  {images} images, {wall:.0f} s, {used:.0f} s of CPU",
        flush=True,
    )


def edges(folder: Path, images: int, original: int) -> None:
    """Score photographs, and some of them with BSDS's own code as well."""
    for count in sorted({images, original} - {0}):
        began, cpu = time.perf_counter(), time.process_time()
        report("napari-ink", edge_scores(photographs(folder, count), TOLERANCE), began, cpu, count)
        if count == original:
            began, cpu = time.perf_counter(), time.process_time()
            theirs = [original_counts(*pair) for pair in photographs(folder, count)]
            report("BSDS's own", pooled_scores(theirs), began, cpu, count)


def ink() -> None:
    """Print the largest difference to scikit-learn over maps of varied skill, sharpness and share of ink."""
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import average_precision_score, brier_score_loss, fbeta_score

    rng, worst = np.random.default_rng(0), dict.fromkeys(("F0.5", "F1", "AP", "Brier", "calibration"), 0.0)
    for _ in range(40):
        truth = ndimage.gaussian_filter(rng.normal(size=(128, 128)), 4) > rng.uniform(-0.05, 0.08)
        noisy = ndimage.gaussian_filter(rng.normal(size=truth.shape), 2) * 5 + truth * rng.uniform(0, 4)
        levels = np.rint(255 / (1 + np.exp(-rng.uniform(0.5, 4) * (noisy - 1)))).astype(np.uint8)
        inside = rng.random(truth.shape) < 0.7
        ours, p, t = ink_scores(levels, truth, inside), levels[inside] / 255, truth[inside]
        is_called = (p >= ours.best_threshold - 1e-9, p >= ours.best_f1_threshold - 1e-9)
        # scikit-learn omits empty bins and includes upper edges of bins: level 17 k is on an edge and is nudged down.
        bin_of = np.clip(np.ceil(np.rint(p * 255) / 17).astype(int) - 1, 0, 14)
        share, mean_level = calibration_curve(t, np.where(p > 0, p - 1e-6, p), n_bins=15)
        weights = np.bincount(bin_of, minlength=15)
        theirs = {
            "F0.5": fbeta_score(t, is_called[0], beta=0.5),
            "F1": fbeta_score(t, is_called[1], beta=1),
            "AP": average_precision_score(t, p),
            "Brier": brier_score_loss(t, p),
            "calibration": (weights[weights > 0] * np.abs(share - mean_level)).sum() / len(p),
        }
        mine = (ours.f0_5, ours.best_f1, ours.average_precision, ours.brier, ours.calibration_error)
        for name, value in zip(theirs, mine, strict=True):
            worst[name] = max(worst[name], abs(theirs[name] - value))
    print("largest difference to scikit-learn:", ", ".join(f"{name} {value:.1e}" for name, value in worst.items()))


def segment(height: int, width: int, crops: int) -> None:
    """Print the time and peak memory of each score on a plane as large as a segment."""
    rng = np.random.default_rng(0)
    letter = ndimage.gaussian_filter(rng.normal(size=(512, 512)), 12, mode="wrap") > 0.02
    tiled = np.tile(letter, (-(-height // 512), -(-width // 512)))[:height, :width]
    levels = np.where(tiled, np.uint8(150), np.uint8(60))
    for rows in np.array_split(np.arange(height), max(height // 512, 1)):
        levels[rows[0] : rows[-1] + 1] += rng.integers(0, 90, (len(rows), width), dtype=np.uint8)
    inside = np.ones_like(tiled)
    inside[:, : width // 10] = False
    print(f"{height} × {width}: the planes themselves {peak():.2f} GiB at most")
    for name, score in {
        "ink": lambda: ink_scores(levels, tiled, inside).f0_5,
        "boundary IoU": lambda: boundary_iou(levels > 128, tiled, inside, 5),
        "edges' truth": lambda: int(label_edges(tiled, inside).sum()),
        f"edges, {crops} crops": lambda: (
            edge_scores(edge_crops(levels, label_edges(tiled, inside), inside)[:crops], reach=5.43).ods
        ),
    }.items():
        began = time.perf_counter()
        value = score()
        print(f"{name:16} {value:.4f}  {time.perf_counter() - began:.1f} s, peak {peak():.2f} GiB", flush=True)


def peak() -> float:
    """Return the peak memory of this process in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Run the requested benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bsds", type=Path, metavar="DIR")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--original", type=int, default=0)
    parser.add_argument("--ink", action="store_true")
    parser.add_argument("--segment", type=int, nargs=2, metavar=("H", "W"))
    parser.add_argument("--crops", type=int, default=20, help="crops of the segment whose edges are scored")
    args = parser.parse_args()
    if args.bsds:
        edges(args.bsds, args.images, args.original)
    if args.ink:
        ink()
    if args.segment:
        segment(*args.segment, args.crops)


if __name__ == "__main__":
    main()
