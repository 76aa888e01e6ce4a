"""What adaptation to a segment without labels changes, on worlds that a network has not seen.

    python benchmarks/world_phantoms.py --home runs/worlds
    python benchmarks/leave_one_out.py --home runs/worlds --out runs/left-out --only tubes+laminae swirls+foam
    python benchmarks/adaptation.py --home runs/worlds --left-out runs/left-out --out runs/adapted --worlds tubes foam
    python benchmarks/adaptation.py --left-out runs/left-out --out runs/adapted --table
    python benchmarks/world_phantoms.py --home runs/worlds --independent
    python benchmarks/adaptation.py --home runs/worlds --model ink-tiny-9 --out runs/adapted-9 --worlds plies packing

The networks are those that `leave_one_out.py` trained without the world. The segment is a mosaic of twenty phantoms of
the world with ink and ten without, whose labels are not used; beside it only phantoms of other worlds are trained on.
Other phantoms of the world judge the network before and after. With `--blank`, the segment bears no ink at all.
`--model` adapts an existing model in place of them, beside phantoms of all worlds, as the command does; it must not
have seen the worlds that are judged, which may be independent generators.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from leave_one_out import KINDS, Judged, expit, f0_5_at, predicted, scores
from world_phantoms import Kind, entries

from napari_ink.model import InkModel, load_model, recommended_thresholds
from napari_ink.phantom import WORLDS
from napari_ink.stack import DepthStack, stack_of_array
from napari_ink.training import AdaptRequest, ModelAdapted, TrainingPair, adapt

WRITTEN, BLANK, COLUMNS_OF_TILES = 20, 10, 6
_LEARNED: tuple[Kind, ...] = ("train", "bare")
_JUDGED: tuple[Kind, ...] = ("test", "blank test")
COLUMNS = ("auc", "f0_5", "f0_5_best", "ods", "blank", "blank_marked", "auc_of_segment")


def network_without(world: str, folder: Path) -> tuple[InkModel, list[str]]:
    """Return the network that was trained without a world, and the worlds that it knows."""
    for run in sorted(folder.glob("without-*")):
        left_out = run.name.removeprefix("without-").split("+")
        if world in left_out:
            return load_model(run / "last.safetensors"), [one for one in WORLDS if one not in left_out]
    raise SystemExit(f"There is no network in {folder} that was trained without {world}.")


def tiles(world: str, home: Path, is_blank: bool) -> list[TrainingPair]:
    """Return the phantoms of the segment."""
    found = {kind: [one for one in entries(world, kind) if one.file(home).exists()] for kind in _LEARNED}
    written = [] if is_blank else found["train"][:WRITTEN]
    return [one.read(home) for one in (*written, *found["bare"][:BLANK])]


def mosaic(pairs: Sequence[TrainingPair], name: str) -> DepthStack:
    """Return one stack of the phantoms, side by side."""
    volumes = [pair.stack.read(slice(None), slice(None), slice(None)) for pair in pairs]
    rows = [volumes[start : start + COLUMNS_OF_TILES] for start in range(0, len(volumes), COLUMNS_OF_TILES)]
    full = [row for row in rows if len(row) == len(rows[0])]
    return stack_of_array(np.concatenate([np.concatenate(row, axis=2) for row in full], axis=1), name)


def judge(model: InkModel, threshold: float, world: str, home: Path, own: Sequence[TrainingPair]) -> dict[str, float]:
    """Return the scores of a network on test phantoms of a world, and its AUC on the segment."""
    test, blank = (
        [predicted(model, one.read(home)) for one in entries(world, kind) if one.file(home).exists()]
        for kind in _JUDGED
    )
    inked = [one for one in (predicted(model, pair) for pair in own) if one.truth.any()]
    found = scores(test, blank, [one.known for one in test])
    bare = np.concatenate([one.known.logits for one in blank])
    return {
        **{name: found[name] for name in ("auc", "f0_5_best", "ods", "blank")},
        "f0_5": f0_5_at([one.known for one in test], threshold),
        "blank_marked": float((expit(bare) >= threshold).mean()),
        "auc_of_segment": _auc(inked),
        "threshold": threshold,
    }


def _auc(judged: Sequence[Judged]) -> float:
    from world_table import auc

    return float(np.mean([auc(one.known.logits[::5], one.known.truth[::5]) for one in judged])) if judged else np.nan


def adapted(world: str, args: argparse.Namespace) -> dict[str, Any]:
    """Adapt the network without a world to a segment of it; return the scores before and after."""
    start, others = (
        network_without(world, args.left_out) if args.model is None else (load_model(args.model), list(WORLDS))
    )
    own = tiles(world, args.home, args.blank)
    folder = args.out / f"{world}{'-blank' if args.blank else ''}"
    request = AdaptRequest(
        [mosaic(own, world)], start, folder, args.rounds, args.steps, args.seed, resume=folder.exists(), worlds=others
    )
    before = judge(start, recommended_thresholds(start.provenance)["ink"], world, args.home, own)
    print(world, "before", json.dumps(before), flush=True)
    began, made = time.process_time(), None
    with closing(adapt(request)) as events:
        for event in events:
            made = event if isinstance(event, ModelAdapted) else made
    assert made is not None
    rounds = [load_model(folder / f"round-{number}.safetensors") for number in range(1, args.rounds + 1)]
    after = judge(load_model(made.path), made.threshold, world, args.home, own)
    print(world, "after", json.dumps(after), flush=True)
    return {
        "before": before,
        "after": after,
        "auc_after_rounds": [judge(model, 0.5, world, args.home, own)["auc"] for model in rounds],
        "seconds": round(time.process_time() - began),
    }


def table(out: Path) -> Iterator[str]:
    """Yield the lines of a table of all results, each before and after."""
    files = {file.stem: json.loads(file.read_text()) for file in sorted(out.glob("*.json"))}
    yield "| segment | " + " | ".join(COLUMNS) + " |\n| --- " + "| --- " * len(COLUMNS) + "|"
    for name, row in files.items():
        cells = (f"{row['before'][column]:.3f} → {row['after'][column]:.3f}" for column in COLUMNS)
        yield f"| {name} | " + " | ".join(cells) + " |"
    means = (
        " → ".join(f"{np.mean([row[when][column] for row in files.values()]):.3f}" for when in ("before", "after"))
        for column in COLUMNS
    )
    yield "| mean | " + " | ".join(means) + " |"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("runs/worlds"), help="folder of the phantoms")
    parser.add_argument("--left-out", type=Path, default=Path("runs/left-out"), help="results of leave_one_out.py")
    parser.add_argument("--out", type=Path, default=Path("runs/adapted"), help="folder of the results")
    parser.add_argument("--worlds", nargs="*", default=list(WORLDS), choices=KINDS)
    parser.add_argument("--model", help="adapt this model, which has not seen the worlds, in place of the networks")
    parser.add_argument("--blank", action="store_true", help="adapt to a segment without ink")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="print the table of what was computed")
    return parser.parse_args()


def main() -> None:
    """Adapt to each world that was not computed yet, and print the table."""
    args = options()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    for world in () if args.table else args.worlds:
        file = args.out / f"{world}{'-blank' if args.blank else ''}.json"
        if not file.exists():
            found = adapted(world, args)
            file.write_text(json.dumps(found, indent=1))
    print("\n".join(table(args.out)))


if __name__ == "__main__":
    main()
