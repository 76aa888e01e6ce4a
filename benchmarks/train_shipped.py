"""Train the checkpoint that ships with the package, on the published training phantoms.

    python benchmarks/train_shipped.py --out runs/plain --plain --steps 2200
    python benchmarks/train_shipped.py --out runs/shipped --from runs/plain.safetensors --steps 3000

First on plain phantoms, then on hard ones too: from scratch, hard ink is hardly learnt in this many steps (see
`docs/decisions/0013-shipped-checkpoint.md`).
The phantoms are made once, 8 bits deep, and stored in `--home`. Training, the choice of the best step and the choice of
thresholds see only the seeds for training and validation. `--resume` continues an interrupted run. At the end, the best
checkpoint is scored once more on whole validation phantoms at 99 thresholds, and written as `<out>.safetensors`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from napari_ink.annotation import LabelValue
from napari_ink.evaluation import edge_scores, ink_scores, label_edges
from napari_ink.model import InkEdgeConfig, InputContract, load_model, save_checkpoint
from napari_ink.model.config import CONTEXT_PX, TILE_PX
from napari_ink.model.losses import IGNORE
from napari_ink.phantom import SETS, make_phantom, set_config
from napari_ink.stack import open_stack
from napari_ink.training import (
    OUTSIDE,
    BatchSkipped,
    DepthVariation,
    TrainingEnded,
    TrainingPair,
    TrainingStarted,
    TrainRequest,
    TrainSettings,
    Validated,
    edge_target,
    spare_workers,
    train,
)

CONTRACT = InputContract(
    depth_layers=32,
    min_depth_layers=12,
    mean=0.31,
    std=0.24,
    voxel_size_um=7.91,
    tile_size=TILE_PX,
    context_px=CONTEXT_PX,
)
Levels, Truth = npt.NDArray[np.uint8], npt.NDArray[np.bool_]
SIZES = {"tiny": InkEdgeConfig.tiny, "base": InkEdgeConfig.base, "large": InkEdgeConfig.large}


def phantom_files(seed: int, home: Path) -> tuple[Path, Path]:
    """Make the phantom of a seed, 8 bits deep to save space, unless it exists already."""
    stack, labels = home / f"{seed}.npy", home / f"{seed}_labels.npy"
    if not labels.exists():
        phantom = make_phantom(set_config(seed))
        known = np.where(phantom.drawn, LabelValue.INK, LabelValue.PAPYRUS)
        np.save(stack, (phantom.volume // 257).astype(np.uint8))
        np.save(labels, np.where(phantom.mask, known, LabelValue.UNREVIEWED).astype(np.uint8))
    return stack, labels


def read_labels(path: Path) -> npt.NDArray[np.uint8]:
    """Return the labels of a phantom: all of its papyrus counts as reviewed, nothing outside it."""
    labels = np.load(path)
    return np.where(labels == LabelValue.UNREVIEWED, OUTSIDE, labels).astype(np.uint8)


def read_pairs(seeds: range, home: Path, processes: int, held_out: bool) -> list[TrainingPair]:
    """Return phantoms for training, or for validation."""
    with ProcessPoolExecutor(processes) as pool:
        made = pool.map(phantom_files, seeds, [home] * len(seeds))
        files = list(tqdm(made, total=len(seeds), desc="phantoms", disable=None))
    pairs = [TrainingPair(open_stack(stack), read_labels(labels)) for stack, labels in files]
    return [TrainingPair(p.stack, p.labels, np.ones(p.labels.shape, bool) if held_out else None) for p in pairs]


def mean_f0_5(inks: list[tuple[Levels, Truth]], threshold: float) -> float:
    """Return the mean F0.5 of ink maps ``(1, n)``, uint8, at one threshold."""
    cut = [((levels >= threshold * 255).astype(np.uint8) * 255, truth) for levels, truth in inks]
    return float(np.mean([ink_scores(levels, truth).f0_5 for levels, truth in cut]))


def choose_thresholds(best: Path, out: Path, pairs: list[TrainingPair], device: str) -> None:
    """Find the best thresholds on whole validation phantoms, and write them into the checkpoint."""
    model = load_model(best)
    network = model.network.to(device)
    inks, edges = [], []
    for pair in tqdm(pairs, desc="thresholds", disable=None):
        contract = model.contract.with_greys_of(pair.stack)
        window = contract.z_window(pair.stack.shape[0])
        values = torch.from_numpy(contract.prepare(pair.stack.read(window, slice(None), slice(None))).copy())
        with torch.inference_mode():
            ink, edge = torch.sigmoid(network(values[None].to(device)).float())[0].cpu().numpy()
        truth = pair.labels == LabelValue.INK
        known = truth | (pair.labels == LabelValue.PAPYRUS)
        inks.append((np.rint(ink[known] * 255).astype(np.uint8)[None], truth[known][None]))
        inside = edge_target(pair.labels) != IGNORE
        edges.append((edge, label_edges(truth) & inside, inside))
    # Every segment has equal weight: over all pixels together, one threshold would suit only the plain ones.
    cut, f0_5 = max(((t, mean_f0_5(inks, t)) for t in np.arange(0.3, 0.95, 0.01)), key=lambda pair: pair[1])
    edge_found = edge_scores(edges)
    summary = {
        "thresholds": {"ink": round(float(cut), 2), "edge": round(edge_found.ods_threshold, 2)},
        "validation": {
            "data": f"{len(pairs)} phantoms of 512 × 512 pixels, seeds {SETS['validation'][0]} and up",
            "ink_f0_5": round(f0_5, 3),
            "ink_average_precision": round(float(np.mean([ink_scores(*one).average_precision for one in inks])), 3),
            "edge_ods": round(edge_found.ods, 3),
        },
    }
    print(json.dumps(summary, indent=2))
    # One line for each of hundreds of phantoms would make up most of the file's header.
    provenance = {name: value for name, value in model.provenance.items() if name != "pairs"}
    assert model.config is not None
    save_checkpoint(out, network.cpu(), model.config, model.contract, {**provenance, **summary})


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the run's folder; the checkpoint is written beside it")
    parser.add_argument("--home", type=Path, default=Path("runs/phantoms"), help="folder of the phantoms")
    parser.add_argument("--phantoms", type=int, default=300)
    parser.add_argument("--plain", action="store_true", help="only plain phantoms, which have even seeds")
    parser.add_argument("--validation-phantoms", type=int, default=8)
    parser.add_argument("--size", choices=SIZES, help="default: tiny")
    parser.add_argument("--from", dest="start", help="a checkpoint to train further")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop-size", type=int, default=160)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--depth-shift", type=int, default=8, help="largest shift of a window, in layers")
    parser.add_argument("--edge-tolerance", type=int, default=1, help="pixels; labels of phantoms are exact")
    parser.add_argument("--edge-weight", type=float, default=TrainSettings().edge_weight)
    parser.add_argument("--validate-every", type=int, default=200)
    parser.add_argument("--validation-crops", type=int, default=32)
    parser.add_argument("--patience", type=int, default=0)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--workers", type=int, default=spare_workers())
    return parser.parse_args()


def settings_of(args: argparse.Namespace) -> TrainSettings:
    """Return the training settings of the options."""
    same = ("steps", "batch_size", "crop_size", "learning_rate", "validate_every", "validation_crops", "patience")
    same += ("edge_weight", "precision", "seed", "workers")
    depth = DepthVariation(shift=args.depth_shift)
    return TrainSettings(
        edge_tolerance_px=args.edge_tolerance, depth=depth, **{name: getattr(args, name) for name in same}
    )


def main() -> None:
    """Make the phantoms, train, and choose thresholds."""
    args = options()
    torch.set_num_threads(args.threads)
    args.home.mkdir(parents=True, exist_ok=True)
    every = 2 if args.plain else 1
    seeds = SETS["train"][::every][: args.phantoms]
    pairs = read_pairs(seeds, args.home, args.threads, held_out=False)
    judging = SETS["validation"][::every][: args.validation_phantoms]
    judged_by = read_pairs(judging, args.home, args.threads, held_out=True)
    start = load_model(args.start) if args.start else None
    if start is not None and args.size:
        raise SystemExit("--from takes the size of its checkpoint; remove --size.")
    request = TrainRequest(
        pairs=[*pairs, *judged_by],
        out=args.out,
        settings=settings_of(args),
        config=None if start is not None else SIZES[args.size or "tiny"](),
        contract=None if start is not None else CONTRACT,
        start=start,
        device=args.device,
        resume=args.resume,
        provenance={
            "made_by": "benchmarks/train_shipped.py",
            "data": f"phantoms of the training seeds {seeds[0]} to {seeds[-1]}, 512 × 512 pixels",
            "device": torch.cuda.get_device_name() if args.device == "cuda" else "CPU",
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
        },
    )
    with closing(train(request)) as events, tqdm(total=args.steps, mininterval=10) as bar:
        for event in events:
            match event:
                case TrainingStarted():
                    print(*event.notes, f"{event.device}, {event.precision}", sep="\n", file=sys.stderr)
                    bar.update(event.first_step)
                case Validated():
                    found = event.scores
                    print(f"step {event.step}: F0.5 {found.ink_f0_5:.3f}, ODS {found.edge_ods:.3f}", file=sys.stderr)
                case BatchSkipped():
                    print(f"step {event.step} was skipped: {event.report}", file=sys.stderr)
                case TrainingEnded():
                    choose_thresholds(event.path, args.out.with_suffix(".safetensors"), judged_by, args.device)
                case _:
                    bar.update(max(0, event.step - bar.n))


if __name__ == "__main__":
    main()
