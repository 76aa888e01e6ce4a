"""Train the checkpoint that ships with the package, on phantoms that are made from the seeds below.

    python benchmarks/train_shipped.py --out runs/ink-tiny-1.safetensors

The phantoms are kept in `runs/phantoms` and used again. Validation and test seeds never overlap these; the sample's
seed is none of them (see `docs/decisions/0002-first-checkpoint.md`).
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from tqdm import tqdm

from napari_ink.annotation import LabelValue
from napari_ink.evaluation import edge_scores, ink_scores, label_edges
from napari_ink.model import InkEdgeConfig, InputContract, load_model, save_checkpoint
from napari_ink.phantom import Phantom, PhantomConfig, make_phantom
from napari_ink.stack import open_stack
from napari_ink.training import StepEnded, TrainingPair, TrainRequest, train

TRAIN_SEEDS = range(1000, 1160)
VALIDATION_SEEDS = range(2000, 2004)
CONTRACT = InputContract(
    depth_layers=32, min_depth_layers=12, mean=0.31, std=0.24, voxel_size_um=7.91, tile_size=256
)  # fmt: skip


def label_values(phantom: Phantom) -> npt.NDArray[np.uint8]:
    """Return the phantom's truth as labels: all of the papyrus has been reviewed, nothing outside it."""
    known = np.where(phantom.ink, LabelValue.INK, LabelValue.PAPYRUS)
    return np.where(phantom.mask, known, LabelValue.UNREVIEWED).astype(np.uint8)


def phantom_files(seed: int, home: Path) -> tuple[Path, Path]:
    """Make a training phantom, 8 bits deep to save space, unless it lies there already."""
    stack, labels = home / f"{seed}.npy", home / f"{seed}_labels.npy"
    if not labels.exists():
        phantom = make_phantom(PhantomConfig.varied(seed))
        np.save(stack, (phantom.volume // 257).astype(np.uint8))
        np.save(labels, label_values(phantom))
    return stack, labels


def choose_thresholds(path: Path, home: Path) -> None:
    """Find the thresholds that serve the validation phantoms best, and write them into the checkpoint."""
    model = load_model(path)
    inks, edges = [], []
    for seed in VALIDATION_SEEDS:
        stack, labels = (np.load(file) for file in phantom_files(seed, home))
        block = torch.from_numpy(model.contract.prepare(stack[model.contract.z_window(len(stack))]).copy())
        with torch.inference_mode():
            ink, edge = torch.sigmoid(model.network(block[None]))[0].numpy()
        known = labels != LabelValue.UNREVIEWED
        inks.append((np.rint(ink[known] * 255).astype(np.uint8), labels[known] == LabelValue.INK))
        inner = ndimage.binary_erosion(known, iterations=3)  # strokes end at the outline, or they don't
        edges.append((np.where(inner, edge, 0), label_edges(labels == LabelValue.INK) & inner))
    ink_found = ink_scores(*(np.concatenate(parts)[None] for parts in zip(*inks, strict=True)))
    edge_found = edge_scores(edges)
    said = {
        "thresholds": {"ink": round(ink_found.best_threshold, 2), "edge": round(edge_found.ods_threshold, 2)},
        "validation": {
            "data": f"phantoms of seeds {VALIDATION_SEEDS[0]} to {VALIDATION_SEEDS[-1]}",
            "ink_f0_5": round(ink_found.f0_5, 3),
            "edge_ods": round(edge_found.ods, 3),
        },
    }
    print(json.dumps(said, indent=2))
    save_checkpoint(path, model.network, model.config, model.contract, {**model.provenance, **said})


def main() -> None:
    """Make the phantoms, train, and choose thresholds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--home", type=Path, default=Path("runs/phantoms"))
    parser.add_argument("--phantoms", type=int, default=len(TRAIN_SEEDS))
    parser.add_argument("--steps", type=int, default=2200)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop-size", type=int, default=160)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.home.mkdir(parents=True, exist_ok=True)
    seeds = TRAIN_SEEDS[: args.phantoms]
    with ProcessPoolExecutor(args.threads) as pool:
        made = pool.map(phantom_files, seeds, [args.home] * len(seeds))
        files = list(tqdm(made, total=len(seeds), desc="phantoms"))
    pairs = [TrainingPair(open_stack(stack), np.load(labels)) for stack, labels in files]
    request = TrainRequest(
        pairs=pairs,
        config=InkEdgeConfig.tiny(),
        contract=CONTRACT,
        out=args.out,
        steps=args.steps,
        batch_size=args.batch_size,
        crop_size=args.crop_size,
        device=args.device,
        provenance={
            "made_by": "benchmarks/train_shipped.py",
            "data": f"phantoms of seeds {seeds[0]} to {seeds[-1]}, 512 × 512 pixels",
            "device": torch.cuda.get_device_name() if args.device == "cuda" else "CPU",
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
        },
    )
    log = args.out.with_suffix(".jsonl").open("w")
    for event in tqdm(train(request), total=args.steps, desc="steps", mininterval=10):
        if isinstance(event, StepEnded):
            record = {"step": event.step, "ink": event.ink_loss, "edge": event.edge_loss, "seconds": event.seconds}
            print(json.dumps(record), file=log, flush=True)
    log.close()
    choose_thresholds(args.out, args.home)


if __name__ == "__main__":
    main()
