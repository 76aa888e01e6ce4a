"""Train on all worlds of phantoms but one, and judge on that one; for each world in turn.

    python benchmarks/world_phantoms.py --home runs/worlds
    python benchmarks/leave_one_out.py --home runs/worlds --out runs/left-out --steps 800
    python benchmarks/leave_one_out.py --home runs/worlds --out runs/left-out --only tubes+laminae swirls+foam
    python benchmarks/leave_one_out.py --home runs/worlds --out runs/left-out --table
    python benchmarks/leave_one_out.py --home runs/worlds --out runs/judged --model ink-tiny-9 --only plies combed

Worlds joined by + are left out together, which saves a training; both are judged.

Thresholds and calibration are fitted without the world that they are used on, in two ways: to validation phantoms of
the worlds trained on, and (`crossed`) to the other worlds that were left out, by the networks that had not seen them.
Each world's results are written to `<out>/<world>.json` and its logits to `<world>.npz`; what is there is not computed
again. `--model` judges an existing model instead of training
one (a world that it was trained on is then not left out). A start given with `--from` must not have seen the worlds
left out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from independent_phantoms import INDEPENDENT
from mixed_phantoms import mixed_pairs
from scipy import ndimage, optimize
from world_phantoms import CONTRACT, FIRST, entries
from world_table import auc

from napari_ink.annotation import LabelValue
from napari_ink.evaluation import edge_scores, ink_scores, label_edges
from napari_ink.model import InkEdgeConfig, InkModel, InputContract, load_model, save_checkpoint
from napari_ink.model.inference import for_prediction
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.phantom import WORLDS
from napari_ink.training import (
    AugmentationSettings,
    DepthVariation,
    StepEnded,
    TrainingPair,
    TrainRequest,
    TrainSettings,
    Validated,
    train,
)

Floats = npt.NDArray[np.float32]
KINDS = (*WORLDS, *INDEPENDENT)
BARE_SHARE = 0.35  # of the crops of each world that come from phantoms without ink


@dataclass(frozen=True, eq=False)
class Judged:
    """A predicted phantom: logits of ink and probabilities of edges ``(y, x)``, the true ink and the papyrus."""

    ink: Floats
    edge: Floats
    truth: npt.NDArray[np.bool_]
    mask: npt.NDArray[np.bool_]

    @property
    def known(self) -> Known:
        """Logits and truth of the papyrus."""
        return Known(self.ink[self.mask], self.truth[self.mask])


@dataclass(frozen=True, eq=False)
class Known:
    """Logits of ink on papyrus, and the truth ``(n,)``."""

    logits: Floats
    truth: npt.NDArray[np.bool_]


def expit(logits: Floats) -> Floats:
    """Return probabilities of logits."""
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def predicted(model: InkModel, pair: TrainingPair) -> Judged:
    """Predict a whole phantom at once, mirrored around its border as in a run."""
    contract = model.contract.without_greys().with_greys_of(pair.stack)
    block = contract.prepare(pair.stack.read(contract.z_window(pair.stack.shape[0]), slice(None), slice(None)))
    border, (height, width) = contract.context_px, block.shape[1:]
    values = np.pad(block, [(0, 0), (border, border), (border, border)], mode="symmetric")
    with torch.inference_mode():
        whole = for_prediction(model.network)(torch.from_numpy(values)[None]).float()[0].numpy()
    logits = whole[:, border : border + height, border : border + width]
    truth = pair.labels == LabelValue.INK
    return Judged(logits[0], expit(logits[1]), truth, truth | (pair.labels == LabelValue.PAPYRUS))


def pairs_of(weights: dict[str, float], kinds: dict[str, float], home: Path) -> list[TrainingPair]:
    """Return phantoms of weighted worlds; each kind has its share of the crops of a world."""
    pairs = []
    for world, weight in weights.items():
        for kind, share in kinds.items():
            chosen = [one for one in entries(world, kind) if one.file(home).exists()]  # type: ignore[arg-type]
            pairs += [one.read(home, share=weight * share / len(chosen)) for one in chosen]
    return pairs


def held_out(worlds: Sequence[str], home: Path) -> list[TrainingPair]:
    """Return validation phantoms of some worlds."""
    chosen = [one for world in worlds for kind in ("validation", "validation bare") for one in entries(world, kind)]
    read = [one.read(home, share=0.0) for one in chosen if one.file(home).exists()]
    return [TrainingPair(p.stack, p.labels, np.ones(p.labels.shape, bool), share=0.0) for p in read]


def weights_of(args: argparse.Namespace, worlds: Sequence[str]) -> dict[str, float]:
    """Return the weight of each world: 1, unless an option states another; others count if stated."""
    others = (*FIRST, *INDEPENDENT)
    stated = {name: float(weight) for name, weight in (text.split("=") for text in args.weights)}
    if unknown := stated.keys() - {*WORLDS, *others}:
        raise SystemExit(
            f"There is no world {', '.join(sorted(unknown))}; choose from {', '.join((*WORLDS, *others))}."
        )
    return {world: stated.get(world, 1.0) for world in worlds} | {one: stated[one] for one in others if one in stated}


def settings_of(args: argparse.Namespace) -> TrainSettings:
    """Return the training settings of the options."""
    augmentation = AugmentationSettings(
        painted_ink=args.painted,
        brightness=args.brightness,
        contrast=0.2,
        gamma=args.gamma,
        blur=args.blur,
        coarse_greys=args.coarse_greys,
        noise=0.03,
        scale=args.scale,
    )
    return TrainSettings(
        steps=args.steps,
        batch_size=args.batch_size,
        crop_size=args.crop_size,
        learning_rate=args.learning_rate,
        validate_every=args.validate_every or args.steps,
        validation_crops=args.validation_crops,
        patience=0,
        edge_tolerance_px=1,
        average_decay=args.average_decay,
        precision=args.precision,
        seed=args.seed,
        lanes=args.lanes,
        depth=DepthVariation(shift=args.depth_shift),
        augmentation=augmentation,
    )


def trained(worlds: Sequence[str], run: Path, args: argparse.Namespace, start: InkModel | None) -> tuple[InkModel, Any]:
    """Train on some worlds; return the model with averaged weights, and the processor time and steps of the run."""
    weights = weights_of(args, worlds)
    shares = {"train": 1 - args.bare - args.mixed - args.their_blank, "bare": args.bare}
    pairs = [*pairs_of(weights, shares, args.home), *held_out(tuple(weights), args.home)]
    if args.mixed:
        for world in worlds:
            pairs += mixed_pairs(world, worlds, args.home, weights[world] * args.mixed)
    left_out = [world for world in WORLDS if world not in worlds]
    if args.their_blank and left_out:
        each = args.their_blank * sum(weights.values()) / len(left_out)
        pairs += pairs_of(dict.fromkeys(left_out, each), {"bare": 1.0}, args.home)
    request = TrainRequest(
        pairs=pairs,
        out=run,
        settings=settings_of(args),
        config=None if start is not None else InkEdgeConfig.tiny(),
        contract=None if start is not None else CONTRACT,
        start=start,
        device="cpu",
        resume=(run / "state.pt").exists(),
        provenance={
            "made_by": "benchmarks/leave_one_out.py",
            "data": f"phantoms of the kinds {', '.join(weights)}",
        },
    )
    began, steps, losses = time.process_time(), 0, []
    with closing(train(request)) as events:
        for event in events:
            if isinstance(event, StepEnded):
                steps = event.step
                losses.append(event.ink_loss)
                if steps % 50 == 0 or steps == 10:
                    spent = time.process_time() - began
                    print(f"step {steps}: ink {np.mean(losses[-50:]):.3f}, {spent / steps:.2f} s a step", flush=True)
            elif isinstance(event, Validated):
                print(event.scores, flush=True)
    return load_model(run / "last.safetensors"), {"steps": steps, "seconds": round(time.process_time() - began)}


def rescaled(model: InkModel, how: str = CONTRACT.normalisation) -> InkModel:
    """Return a model that scales by the stack's own greys, whose usual greys are those that its weights know."""
    contract = InputContract.model_validate({**model.contract.model_dump(), "normalisation": how})
    return InkModel(model.name, model.network, model.config, contract, model.provenance, model.sha256)


def averaging(model: InkModel, share: float) -> InkModel:
    """Return a model whose logits of ink are mixed with the average of their surroundings."""
    assert model.config is not None
    config = model.config.model_copy(update={"ink_average_share": share})
    network = InkEdgeNetwork(config).eval()
    network.load_state_dict(model.network.state_dict())
    return InkModel(model.name, network, config, model.contract, model.provenance, model.sha256)


def fit_calibration(judged: Sequence[Known]) -> tuple[float, float]:
    """Return the factor and the offset of logits with which the cross-entropy of phantoms is least (Platt 1999)."""
    logits = np.concatenate([one.logits[::3] for one in judged]).astype(np.float64)
    truth = np.concatenate([one.truth[::3] for one in judged])

    def entropy(parameters: npt.NDArray[np.float64]) -> float:
        moved = parameters[0] * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, moved) - truth * moved))

    found = optimize.minimize(entropy, [1.0, 0.0], method="Nelder-Mead")
    return float(found.x[0]), float(found.x[1])


def calibration_error(probability: Floats, truth: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Return the mean difference between a probability and the share of ink among pixels that have it."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    count, hits, sums = (np.bincount(index, weights, bins) for weights in (None, truth, probability))
    return float(np.abs(hits - sums).sum() / count.sum())


def f0_5_at(judged: Sequence[Known], threshold: float) -> float:
    """Return the mean F0.5 of phantoms at a threshold of the probability."""
    found = []
    for one in judged:
        cut = expit(one.logits) >= threshold
        hits, marked, ink = (cut & one.truth).sum(), cut.sum(), one.truth.sum()
        found.append(1.25 * hits / max(marked + 0.25 * ink, 1))
    return float(np.mean(found))


def fit_threshold(judged: Sequence[Known]) -> float:
    """Return the threshold with the best mean F0.5 of phantoms with ink."""
    inked = [one for one in judged if one.truth.any()]
    return float(max(np.arange(0.05, 0.95, 0.025), key=lambda cut: f0_5_at(inked, cut)))


def scores(test: Sequence[Judged], blank: Sequence[Judged], fitted_to: Sequence[Known]) -> dict[str, float]:
    """Return the scores on a left-out world, with a threshold fitted to other worlds."""
    threshold = fit_threshold(fitted_to)
    bare = np.concatenate([one.known.logits for one in blank])
    ink = np.concatenate([one.ink[one.truth] for one in test])
    edges = []
    for one in test:
        inside = ndimage.binary_erosion(one.mask, iterations=3)
        edges.append((np.where(inside, one.edge, 0), label_edges(one.truth) & inside))
    known = [one.known for one in test]
    return {
        "auc": float(np.mean([auc(one.logits[::5], one.truth[::5]) for one in known])),
        "f0_5": f0_5_at(known, threshold),
        "f0_5_best": float(np.mean([_best_f0_5(one) for one in known])),
        "all_ink": f0_5_at(known, 0),
        "ods": edge_scores(edges, thresholds=49).ods,
        "blank": float((bare > np.quantile(ink, 0.2)).mean()),
        "blank_marked": float((expit(bare) >= threshold).mean()),
        "threshold": threshold,
    }


def _best_f0_5(one: Known) -> float:
    levels = np.rint(expit(one.logits) * 255).astype(np.uint8)
    return ink_scores(levels[None], one.truth[None]).f0_5


def judge(model: InkModel, world: str, others: Sequence[str], home: Path, logits: Path) -> dict[str, float]:
    """Return a model's scores on a world, with a threshold that the others gave; store its logits."""
    fitted_to = [predicted(model, pair).known for pair in held_out(others, home)]
    test, blank = (
        [predicted(model, one.read(home)) for one in entries(world, kind) if one.file(home).exists()]
        for kind in ("test", "blank test")
    )
    found = [Known(one.known.logits[::5], one.known.truth[::5]) for one in (*test, *blank)]
    np.savez_compressed(
        logits,
        logits=np.concatenate([one.logits for one in found]).astype(np.float16),
        truth=np.concatenate([one.truth for one in found]),
        ends=np.cumsum([len(one.truth) for one in found]),
    )
    return scores(test, blank, fitted_to)


def read_known(file: Path) -> list[Known]:
    """Return the logits that `judge` stored, of every fifth pixel of each phantom."""
    with np.load(file) as stored:
        starts = stored["ends"][:-1]
        parts = zip(
            np.split(stored["logits"].astype(np.float32), starts), np.split(stored["truth"], starts), strict=True
        )
        return [Known(logits, truth) for logits, truth in parts]


def crossed(out: Path) -> dict[str, dict[str, float]]:
    """Return for each world scores with what was fitted to the other worlds, by networks that had not seen those.

    A threshold and a calibration fitted to worlds that a network knows are those of a network that is surer than it may
    be elsewhere.
    """
    known = {world: read_known(out / f"{world}.npz") for world in KINDS if (out / f"{world}.npz").exists()}
    found = {}
    for world, own in known.items():
        others = [one for other, each in known.items() if other != world for one in each]
        if not others:
            continue
        threshold, (factor, offset) = fit_threshold(others), fit_calibration(others)
        logits, truth = np.concatenate([one.logits for one in own]), np.concatenate([one.truth for one in own])
        bare = np.concatenate([one.logits for one in own if not one.truth.any()])
        found[world] = {
            "f0_5_crossed": f0_5_at([one for one in own if one.truth.any()], threshold),
            "blank_crossed": float((expit(bare) >= threshold).mean()),
            "ece": calibration_error(expit(logits), truth),
            "ece_crossed": calibration_error(expit(factor * logits + offset), truth),
            "threshold_crossed": threshold,
            "factor": factor,
            "offset": offset,
        }
    return found


COLUMNS = ("auc", "f0_5", "f0_5_crossed", "f0_5_best", "all_ink", "ods", "blank", "blank_crossed", "ece", "ece_crossed")


def results(out: Path) -> dict[str, dict[str, float]]:
    """Return the scores of all worlds that were left out."""
    more = crossed(out)
    files = {world: out / f"{world}.json" for world in KINDS}
    return {world: json.loads(file.read_text()) | more.get(world, {}) for world, file in files.items() if file.exists()}


def table(out: Path) -> Iterator[str]:
    """Yield the lines of a table of all results."""
    rows = results(out)
    yield "| left out | " + " | ".join(COLUMNS) + " |\n| --- " + "| --- " * len(COLUMNS) + "|"
    for name, row in rows.items():
        yield f"| {name} | " + " | ".join(f"{row.get(column, np.nan):.3f}" for column in COLUMNS) + " |"
    means = (np.mean([row.get(column, np.nan) for row in rows.values()]) for column in COLUMNS)
    yield "| mean | " + " | ".join(f"{mean:.3f}" for mean in means) + " |"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("runs/worlds"), help="folder of the phantoms")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--only", nargs="*", default=tuple(WORLDS), help="worlds to leave out; all, one by one")
    parser.add_argument("--model", help="judge this model on each world, without training")
    parser.add_argument("--by-quantiles", action="store_true", help="with --model: scale by the stack's quantiles")
    parser.add_argument(
        "--ink-average", type=float, help="with --model: share of the surroundings in a logit of ink, 0 for none"
    )
    parser.add_argument("--from", dest="start", help="a model to train further")
    parser.add_argument("--all", action="store_true", help="train on all worlds, and judge nothing")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop-size", type=int, default=160)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--average-decay", type=float, default=0.99)
    parser.add_argument("--validate-every", type=int)
    parser.add_argument("--validation-crops", type=int, default=8)
    parser.add_argument("--bare", type=float, default=BARE_SHARE, help="share of crops from phantoms without ink")
    parser.add_argument("--painted", type=float, default=0.7, help="share of those that ink is painted on")
    parser.add_argument("--mixed", type=float, default=0.0, help="share of crops whose ink is another world's")
    parser.add_argument(
        "--their-blank",
        type=float,
        default=0.0,
        help="share of crops from blank phantoms of the worlds left out: an upper bound, since their papyrus is known",
    )
    parser.add_argument("--weights", nargs="*", default=[], help="gaussian=3: thrice as many crops of that world")
    parser.add_argument("--scale", type=float, default=0.2)
    parser.add_argument("--brightness", type=float, default=0.05)
    parser.add_argument("--gamma", type=float, default=0.0, help="largest logarithm of a random gamma")
    parser.add_argument("--blur", type=float, default=0.0, help="chance that a crop is blurred")
    parser.add_argument("--coarse-greys", type=float, default=0.0, help="chance that a crop's greys are rounded")
    parser.add_argument("--depth-shift", type=int, default=6)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--lanes", type=int, default=1, help="parts of a batch that are computed side by side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="print the table of what was computed")
    return parser.parse_args()


def start_of(args: argparse.Namespace) -> InkModel | None:
    """Return the model to train further."""
    if args.start is None:
        return None
    model = load_model(args.start)
    return model if model.contract.scales_by_stack else saved(rescaled(model), args.out)


def saved(model: InkModel, folder: Path) -> InkModel:
    """Save a start with its new contract, since a run records the file that it started from."""
    assert model.config is not None
    path = save_checkpoint(
        folder / f"{model.name}-by-quantiles.safetensors", model.network, model.config, model.contract, model.provenance
    )
    return load_model(path)


def judge_left_out(group: str, args: argparse.Namespace) -> None:
    """Train without a group of worlds, unless a model is given, and write the results of each that is missing."""
    left_out = group.split("+")
    missing = [world for world in left_out if not (args.out / f"{world}.json").exists()]
    if not missing:
        return
    others = [one for one in WORLDS if one not in left_out]
    if args.model:
        model = load_model(args.model)
        model, spent = (rescaled(model, "stack quantiles") if args.by_quantiles else model), {}
        model = model if args.ink_average is None else averaging(model, args.ink_average)
    else:
        model, spent = trained(others, args.out / f"without-{group}", args, start_of(args))
    for world in missing:
        found = judge(model, world, others, args.home, args.out / f"{world}.npz")
        (args.out / f"{world}.json").write_text(json.dumps(found | spent | {"left_out": left_out}, indent=1))
        print(world, json.dumps(found), flush=True)


def main() -> None:
    """Train and judge what is missing, or print the table."""
    args = options()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.all:
        print(trained(tuple(WORLDS), args.out / "all", args, start_of(args))[1])
        return
    for group in () if args.table else args.only:
        judge_left_out(group, args)
    print("\n".join(table(args.out)))


if __name__ == "__main__":
    main()
