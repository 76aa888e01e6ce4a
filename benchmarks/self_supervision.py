r"""Teach a network from stacks without labels, then train it as `leave_one_out.py` does, and judge it.

    python benchmarks/world_phantoms.py --home runs/worlds
    python benchmarks/self_supervision.py --home runs/worlds --out runs/taught --from ink-tiny-3 \
        --pretext-steps 330 --steps 510 --only tubes+laminae
    python benchmarks/self_supervision.py --home runs/worlds --out runs/edges --from ink-tiny-3 --edge-weight 1.5
    python benchmarks/self_supervision.py --home runs/worlds --out runs/adapted --model MODEL --adapt norms \
        --only tubes+laminae

The stacks without labels are of all worlds, half of them of the worlds left out, as users have unread stacks of the
papyrus that they read. In each block of a crop a few layers are hidden; the network tells their mean and their texture
(masked autoencoders, He et al. 2022), and whether the layers of the crop were put in reverse order. `--adapt` fits a
trained model to each stack that it is judged on, without its labels: the statistics of its norms (Li et al. 2016), or
the weights that the hidden layers are told by (test-time training, Sun et al. 2020).

Takes the options of `leave_one_out.py`, whose phantoms, training and scores it uses.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import leave_one_out
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from world_phantoms import entries

from napari_ink.annotation import LabelValue
from napari_ink.model import InkModel, load_model, save_checkpoint
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.phantom import WORLDS
from napari_ink.training import AugmentationSettings, TrainingPair, TrainSettings
from napari_ink.training.batching import batches
from napari_ink.training.crops import CropSampler
from napari_ink.training.lane_network import for_lane
from napari_ink.training.learner import rate_factor

HIDDEN_LAYERS = 6
BLOCK_PX = 32  # side of a block in which the same layers are hidden
STEP_PX = 4  # of the planes that the network's encoder returns
TEXTURE_PX = 8  # side of the area whose deviation is the texture
ORDER_WEIGHT = 0.3


@dataclass(frozen=True, eq=False)
class Puzzle:
    """Crops with hidden layers, and what there is to tell about them.

    Attributes
    ----------
    values
        Prepared grey values ``(b, z, y, x)``, 0 in hidden layers.
    hidden
        Mean and texture of the hidden layers, ``(b, 2, y/4, x/4)``.
    reversed
        1 where the layers are in reverse order ``(b,)``.
    """

    values: Tensor
    hidden: Tensor
    reversed: Tensor


def puzzle(values: Tensor, rng: np.random.Generator) -> Puzzle:
    """Hide layers of crops ``(b, z, y, x)``, and put those of half of the crops in reverse order."""
    b, z, height, width = values.shape
    turned = torch.from_numpy(rng.random(b) < 0.5)
    values = torch.where(turned[:, None, None, None], values.flip(1), values)
    first = rng.integers(0, z - HIDDEN_LAYERS + 1, (b, 1, height // BLOCK_PX, width // BLOCK_PX))
    starts = torch.from_numpy(first).repeat_interleave(BLOCK_PX, 2).repeat_interleave(BLOCK_PX, 3)
    layers = starts + torch.arange(HIDDEN_LAYERS)[None, :, None, None]  # (b, hidden, y, x)
    chosen = values.gather(1, layers)
    around = F.avg_pool2d(chosen, TEXTURE_PX, STEP_PX, (TEXTURE_PX - STEP_PX) // 2, count_include_pad=False)
    squares = F.avg_pool2d(chosen**2, TEXTURE_PX, STEP_PX, (TEXTURE_PX - STEP_PX) // 2, count_include_pad=False)
    texture = (squares - around**2).clamp_(min=1e-4).mean(1).log() / 2
    mean = F.avg_pool2d(chosen.mean(1, keepdim=True), STEP_PX)[:, 0]
    return Puzzle(values.scatter(1, layers, 0.0), torch.stack([mean, texture], 1), turned.float())


class PuzzleHead(nn.Module):
    """What is told from the network's planes, and thrown away after the pretext."""

    def __init__(self, network: InkEdgeNetwork) -> None:
        super().__init__()
        planes, coarsest = network.config.decoder_dim, network.config.per_stage("dims")[-1]
        self.hidden = nn.Sequential(nn.Conv2d(planes, planes, 3, padding=1), nn.GELU(), nn.Conv2d(planes, 2, 1))
        self.order = nn.Linear(coarsest, 1)

    def losses(self, network: nn.Module, given: Puzzle) -> tuple[Tensor, Tensor]:
        """Return the losses of the hidden layers and of their order."""
        form: InkEdgeNetwork = network  # type: ignore[assignment]
        with torch.autocast("cpu", torch.bfloat16):
            _, quarter = form.stem(given.values)
            planes = form.encoder(quarter)
            told = self.hidden(form.decoder.merge(planes))
            order = self.order(planes[-1].mean((2, 3)))[:, 0]
        hidden = F.smooth_l1_loss(told.float(), given.hidden)
        return hidden, F.binary_cross_entropy_with_logits(order.float(), given.reversed)


def without_labels(worlds: dict[str, float], home: Path) -> Iterator[TrainingPair]:
    """Yield phantoms of weighted worlds with all pixels alike, so that crops are drawn without any knowledge of ink."""
    for world, weight in worlds.items():
        chosen = [one for kind in ("train", "bare") for one in entries(world, kind) if one.file(home).exists()]  # type: ignore[arg-type]
        for one in chosen:
            yield unlabelled(one.read(home), weight / len(chosen))


def unlabelled(pair: TrainingPair, share: float = 1.0) -> TrainingPair:
    """Return a pair with all pixels alike."""
    return TrainingPair(pair.stack, np.full(pair.labels.shape, LabelValue.PAPYRUS, np.uint8), share=share)


def pretext_settings(args: argparse.Namespace, steps: int) -> TrainSettings:
    """Return the settings of training, without what hides or paints a part of a crop."""
    settings = leave_one_out.settings_of(args)
    off = {"painted_ink": 0.0, "cut_out": 0.0, "layer_dropout": 0.0, "blur": 0.0, "noise": 0.0}
    augmentation = AugmentationSettings.model_validate(settings.augmentation.model_dump() | off)
    return settings.model_copy(update={"steps": steps, "augmentation": augmentation})


def solve(
    model: InkModel,
    network: InkEdgeNetwork,
    head: PuzzleHead,
    pairs: list[TrainingPair],
    settings: TrainSettings,
    only_head: bool = False,
) -> None:
    """Train a network and a head, or the head alone, on puzzles made of stacks."""
    form = for_lane(network, lambda part: part, updates_statistics=True, has_frozen_norms=settings.freeze_norms)
    form.requires_grad_(not only_head)
    weights = [one for one in (*form.parameters(), *head.parameters()) if one.requires_grad]
    optimiser = torch.optim.AdamW(weights, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    sampler = CropSampler(pairs, model.contract, settings.crop_size, settings.depth)
    began, told = time.process_time(), []
    with closing(batches(sampler, settings, torch.device("cpu"))) as feed:
        for step, batch in enumerate(feed):
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * rate_factor(step, settings.steps, settings.warm_up)
            hidden, order = head.losses(form, puzzle(batch.values, np.random.default_rng([settings.seed, step])))
            optimiser.zero_grad(set_to_none=True)
            (hidden + ORDER_WEIGHT * order).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(weights, settings.clip_norm)
            optimiser.step()
            told.append((hidden.item(), order.item()))
            if step % 50 == 49:
                spent = (time.process_time() - began) / (step + 1)
                hidden_now, order_now = np.mean(told[-50:], 0)
                print(
                    f"pretext {step + 1}: hidden {hidden_now:.4f}, order {order_now:.3f}, {spent:.2f} s a step",
                    flush=True,
                )


def pretrained(group: str, args: argparse.Namespace) -> Path:
    """Return a checkpoint that was trained on puzzles of all worlds, half of them of those left out."""
    path: Path = args.out / f"pretext-{group}.safetensors"
    if path.exists():
        return path
    start = leave_one_out.start_of(args)
    if start is None or start.config is None:
        raise SystemExit("State with --from a model to begin with.")
    left_out = group.split("+")
    known = [one for one in WORLDS if one not in left_out]
    worlds = {one: 1 / len(left_out) for one in left_out} | {one: 1 / len(known) for one in known}
    network, head = start.network, PuzzleHead(start.network)
    began = time.process_time()
    solve(
        start,
        network,
        head,
        list(without_labels(worlds, args.home)),
        pretext_settings(args, args.pretext_steps),
    )
    print(f"pretext: {time.process_time() - began:.0f} s of processor time", flush=True)
    torch.save(head.state_dict(), path.with_suffix(".head.pt"))
    return save_checkpoint(path, network.eval(), start.config, start.contract, start.provenance)


def adapted(model: InkModel, pair: TrainingPair, args: argparse.Namespace) -> InkModel:
    """Return a model that was fitted to a stack, without its labels."""
    network = copy.deepcopy(model.network)
    settings = pretext_settings(args, args.adapt_steps).model_copy(update={"learning_rate": args.adapt_rate})
    if args.adapt == "norms":
        _fit_norms(model, network, pair, settings)
    else:
        head = PuzzleHead(network)
        head.load_state_dict(torch.load(args.head))
        frozen = settings.model_copy(update={"freeze_norms": True})
        # The network has changed since the pretext: a head that does not fit it would only pull it back.
        fitting = frozen.model_copy(update={"learning_rate": args.learning_rate})
        solve(model, network, head, [unlabelled(pair)], fitting, only_head=True)
        solve(model, network, head, [unlabelled(pair)], frozen)
    return InkModel(model.name, network.eval(), model.config, model.contract, model.provenance, model.sha256)


@torch.no_grad()
def _fit_norms(model: InkModel, network: nn.Module, pair: TrainingPair, settings: TrainSettings) -> None:
    """Replace the statistics of norms by those of a stack's crops, all of them counting the same."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # type: ignore[assignment]  # a plain mean
    sampler = CropSampler([unlabelled(pair)], model.contract, settings.crop_size, settings.depth)
    plain = settings.model_copy(update={"augmentation": AugmentationSettings.none()})
    with closing(batches(sampler, plain, torch.device("cpu"))) as feed:
        for batch in feed:
            network(batch.values)


def judge_group(group: str, args: argparse.Namespace) -> None:
    """Train, unless there is a model, and write the scores on each world left out; adapt to each stack if asked to.

    The threshold is that of the network before it is adapted, fitted to validation phantoms of the other worlds.
    """
    left_out = group.split("+")
    missing = [world for world in left_out if not (args.out / f"{world}.json").exists()]
    if not missing:
        return
    others = [one for one in WORLDS if one not in left_out]
    model, spent = _model_of(group, others, args)
    fitted_to = [leave_one_out.predicted(model, pair).known for pair in leave_one_out.held_out(others, args.home)]
    for world in missing:
        test, blank = (
            [_judged(model, one.read(args.home), args) for one in entries(world, kind) if one.file(args.home).exists()]
            for kind in ("test", "blank test")
        )
        found = leave_one_out.scores(test, blank, fitted_to)
        (args.out / f"{world}.json").write_text(json.dumps(found | spent | {"left_out": left_out}, indent=1))
        print(world, json.dumps(found), flush=True)


def _model_of(group: str, others: list[str], args: argparse.Namespace) -> tuple[InkModel, dict[str, float]]:
    if args.model:
        return load_model(args.model), {}
    start = load_model(pretrained(group, args)) if args.pretext_steps else leave_one_out.start_of(args)
    return leave_one_out.trained(others, args.out / f"without-{group}", args, start)


def _judged(model: InkModel, pair: TrainingPair, args: argparse.Namespace) -> leave_one_out.Judged:
    return leave_one_out.predicted(adapted(model, pair, args) if args.adapt else model, pair)


def options() -> argparse.Namespace:
    """Read the command line: the options of this file, then those of `leave_one_out.py`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, add_help=False, allow_abbrev=False
    )
    parser.add_argument("--pretext-steps", type=int, default=0, help="steps on stacks without labels")
    parser.add_argument("--edge-weight", type=float, default=TrainSettings().edge_weight)
    parser.add_argument("--adapt", choices=("norms", "hidden"), help="with --model: fit it to each stack judged")
    parser.add_argument("--adapt-steps", type=int, default=8)
    parser.add_argument("--adapt-rate", type=float, default=2e-4)
    parser.add_argument("--head", type=Path, help="head of the pretext, for --adapt hidden")
    own, sys.argv[1:] = parser.parse_known_args()
    return argparse.Namespace(**vars(leave_one_out.options()), **vars(own))


def main() -> None:
    """Train and judge what is missing."""
    args = options()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    settings_of = leave_one_out.settings_of
    # The one setting that leave_one_out has no option for.
    leave_one_out.settings_of = lambda given: settings_of(given).model_copy(update={"edge_weight": args.edge_weight})
    for group in () if args.table else args.only:
        judge_group(group, args)
    print("\n".join(leave_one_out.table(args.out)))


if __name__ == "__main__":
    main()
