"""Which share of a map must be how sure, so that the page can be told from a blank one, and how often that errs.

    python benchmarks/clear_ink.py ink-tiny-9
    python benchmarks/clear_ink.py ink-tiny-9 --write ink-tiny-9.safetensors
    python benchmarks/leave_one_out.py --home HOME --out DIR --model ink-tiny-9 --only plies burrows combed packing
    python benchmarks/clear_ink.py ink-tiny-9 --crossed DIR

The share and the probability are chosen on new phantoms of all worlds, four with ink and four without of each, and
tested on others, four and two of each. A blank one counts as told if less than 1 % of it is marked, or the run says
that hardly any ink is clear, or that there is too much. `--write` writes a checkpoint with both on its card.
`--crossed` tests each kind that was judged into a folder with what is chosen on the others there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from leave_one_out import Known, expit, predicted, read_known
from ship_checkpoint import clear_ink

from napari_ink.annotation import LabelValue
from napari_ink.model import InkModel, load_model, recommended_thresholds, save_checkpoint
from napari_ink.model.familiarity import on_ink
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.phantom import WORLDS, make_world_phantom, world_sets
from napari_ink.stack import stack_of_array
from napari_ink.training import OUTSIDE, TrainingPair

SIDE, BLANK_SEEDS, LEAST_MARKED = 384, 50, 0.01


def judged(model: InkModel, world: str, seed: int, is_blank: bool) -> Known:
    """Return a network's logits on a new phantom."""
    phantom = make_world_phantom(world, seed, SIDE, SIDE, blank=is_blank)
    labels = np.where(phantom.ink, LabelValue.INK, LabelValue.PAPYRUS).astype(np.uint8)
    labels[~phantom.mask] = OUTSIDE
    return predicted(model, TrainingPair(stack_of_array(phantom.volume, f"{world}-{seed}"), labels)).known


def phantoms_to_choose_on(model: InkModel) -> list[Known]:
    """Return phantoms of each world that nothing else uses."""
    seeds = {world: world_sets(world)["validation"] for world in WORLDS}
    return [
        judged(model, world, seeds[world][first + number], is_blank)
        for world in WORLDS
        for is_blank, first in ((False, 10), (True, BLANK_SEEDS + 10))
        for number in range(4)
    ]


def phantoms_to_test_on(model: InkModel) -> list[Known]:
    """Return the test phantoms of each world."""
    sets = {world: world_sets(world) for world in WORLDS}
    kinds = (("test", 4), ("blank test", 2))
    return [
        judged(model, world, sets[world][kind][number], kind == "blank test")
        for world in WORLDS
        for kind, count in kinds
        for number in range(count)
    ]


def in_words(known: list[Known], rule: dict[str, float], threshold: float) -> str:
    """Return how often a rule errs."""
    untold, told, blank = 0, 0, 0
    for one in known:
        probability = expit(one.logits)
        histogram = np.bincount(np.rint(255 * probability).astype(np.uint8), minlength=256)
        is_told = bool(on_ink(histogram.tolist(), {"thresholds": {"ink": threshold}, "clear_ink": rule}))
        if one.truth.any():
            told += is_told
        else:
            blank += 1
            untold += not is_told and bool((probability >= threshold).mean() >= LEAST_MARKED)
    written = len(known) - blank
    return f"of {blank} blank ones {untold} are neither blank nor told, of {written} written ones {told} are told"


def print_crossed(folder: Path, threshold: float) -> None:
    """Print how often rules err on kinds that they were not chosen on."""
    known = {file.stem: read_known(file) for file in sorted(folder.glob("*.npz"))}
    for name, own in known.items():
        rule = clear_ink([one for other, each in known.items() if other != name for one in each])
        print(f"{name}: {in_words(own, rule, threshold)}, by {rule} of the others")


def main() -> None:
    """Choose, test, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--write", type=Path, help="checkpoint to write")
    parser.add_argument("--crossed", type=Path, metavar="DIR", help="results of benchmarks/leave_one_out.py to test on")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model)
    threshold = recommended_thresholds(model.provenance)["ink"]
    if args.crossed is not None:
        print_crossed(args.crossed, threshold)
        return
    known = phantoms_to_choose_on(model)
    rule = clear_ink(known)
    tested = phantoms_to_test_on(model)
    for name, one in (("on the card", model.provenance.get("clear_ink")), ("chosen now", rule)):
        if one:
            print(f"{name}: {one}\n  chosen on: {in_words(known, one, threshold)}")
            print(f"  tested on: {in_words(tested, one, threshold)}")
    if args.write is not None:
        assert isinstance(model.network, InkEdgeNetwork) and model.config is not None
        provenance = {**model.provenance, "clear_ink": rule}
        print(save_checkpoint(args.write, model.network, model.config, model.contract, provenance))


if __name__ == "__main__":
    main()
