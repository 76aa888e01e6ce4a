"""Judge models, and projections of layers, on labelled stacks that this project did not make.

    python benchmarks/labelled_stacks.py FOLDER --model ink-tiny-9 ink-tiny-4
    python benchmarks/labelled_stacks.py runs/independent/*
    python benchmarks/labelled_stacks.py FOLDER --picture docs/images/found-plies.webp

FOLDER holds `<name>/layers/` and `<name>_inklabels.png` for each stack; names that differ after the last underscore
alone are of one kind, `blank_0` and `blank_1` for example. A stack whose labels have no ink counts as blank. Beside the
models stands the projection of 84 that is best on the other stacks of the folder, and the best one of each stack,
picked with its ink known. Whole maps are predicted by `napari_ink.predict`, at the settings of the command. F0.5 is
that at the best threshold of each stack, and at the model's own; for an average at that of its first model. Outside:
share of runs that say that the stack lies outside of what the model was trained on. Doubtful map: share of runs that
say at their end that the ink of the map is not that of pages. Of several folders the means are printed last.
`--picture` saves in place of the table the first stack of each kind: a layer at the face of the sheet, the map of the
first model at its threshold, and the true ink.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from independent_phantoms import FACE, stretched
from PIL import Image
from projections_left_out import score
from world_table import auc, projections

from napari_ink.evaluation import ink_scores
from napari_ink.model import DEFAULT_MODEL, load_model, recommended_thresholds
from napari_ink.predict import PredictionNote, PredictionStarted, PredictRequest, open_prediction, predict
from napari_ink.stack import open_stack

STEP = 5  # every fifth pixel is scored
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """A stack and its true ink ``(y, x)``."""

    name: str
    folder: Path
    ink: npt.NDArray[np.bool_]

    @property
    def kind(self) -> str:
        """What the stack shares with others of its name."""
        return self.name.rsplit("_", 1)[0]


@dataclass(frozen=True)
class Map:
    """An ink map of one stack, uint8 ``(y, x)``, the threshold of its model, and what the run doubted.

    The run doubts before the map is made, as the stack lies outside of the training, and at its end.
    """

    levels: npt.NDArray[np.uint8]
    threshold: float
    before: tuple[str, ...]
    after: tuple[str, ...]


def labelled(folder: Path) -> Iterator[Labelled]:
    """Yield the stacks of a folder."""
    for file in sorted(folder.glob("*_inklabels.png")):
        name = file.name.removesuffix("_inklabels.png")
        yield Labelled(name, folder / name, np.asarray(Image.open(file).convert("L")) >= 128)


def predicted(stack: Labelled, model_names: str) -> Map:
    """Predict a stack with a model, or with several that are joined by + and averaged; after a colon, with views."""
    names, _, views = model_names.partition(":")
    model, *others = (load_model(name) for name in names.split("+"))
    augment = tuple(views.split(",")) if views else ()
    before: tuple[str, ...] = ()
    after: list[str] = []
    with tempfile.TemporaryDirectory() as home:
        out = Path(home) / "prediction.zarr"
        for event in predict(PredictRequest(open_stack(stack.folder), model, out, others=others, augment=augment)):
            if isinstance(event, PredictionStarted):
                before = event.doubts
            elif isinstance(event, PredictionNote) and event.is_doubt:
                after.append(event.sentence)
        levels = open_prediction(out).read("ink", *(slice(0, side) for side in stack.ink.shape))
    return Map(levels, recommended_thresholds(model.provenance)["ink"], before, tuple(after))


def of_projections(stack: Labelled) -> Floats:
    """Return AUC and F0.5 of each projection, bright and dark, ``(projections, 2)``."""
    opened = open_stack(stack.folder)
    volume = opened.read(slice(0, opened.shape[0]), slice(None), slice(None))
    truth = stack.ink.ravel()[::STEP]
    planes = (plane.ravel()[::STEP] for plane in projections(volume))
    return np.array([score(sign * plane, truth) for plane in planes for sign in (1, -1)])


def save_picture(stacks: list[Labelled], model: str, file: Path) -> None:
    """Save the first stack of each kind: a layer, what a model marks, and the true ink, side by side."""
    rows = []
    for kind in dict.fromkeys(one.kind for one in stacks):
        first = next(one for one in stacks if one.kind == kind)
        found = predicted(first, model)
        volume = open_stack(first.folder)
        layer = volume.read(slice(FACE, FACE + 1), slice(None), slice(None))[0]
        rows.append(np.hstack([stretched(layer), (found.levels >= found.threshold * 255) * 255, first.ink * 255]))
    picture = Image.fromarray(np.vstack(rows).astype(np.uint8))
    picture.resize((picture.width // 2, picture.height // 2)).save(file)


def judged(stacks: list[Labelled], model_names: list[str]) -> Iterator[tuple[str, str, list[float]]]:
    """Yield kind, method and figures of projections and models; NaN is what a row has not."""
    inked = [one for one in stacks if one.ink.any()]
    flat = {one.name: of_projections(one) for one in inked}
    for kind in dict.fromkeys(one.kind for one in stacks):
        of_kind = [one for one in stacks if one.kind == kind]
        if kind in {one.kind for one in inked}:
            others = [flat[one.name][:, 0] for one in inked if one.kind != kind] or [flat[inked[0].name][:, 0]]
            picked = np.mean([flat[one.name][np.mean(others, axis=0).argmax()] for one in of_kind], axis=0)
            best = np.mean([flat[one.name].max(axis=0) for one in of_kind], axis=0)
            yield kind, "projection", [*picked, *[np.nan] * 4]
            yield kind, "projection, picked for each", [*best, *[np.nan] * 4]
        for name in model_names:
            yield kind, name, list(figures(of_kind, [predicted(one, name) for one in of_kind]))


def figures(stacks: list[Labelled], maps: list[Map]) -> Iterator[float]:
    """Yield the figures of a model's row: means over stacks, and shares of runs that doubt."""
    scores, marked = [], []
    for stack, each in zip(stacks, maps, strict=True):
        cut = each.levels >= each.threshold * 255
        marked.append(cut.mean())
        if stack.ink.any():
            separation = auc(each.levels.ravel()[::STEP].astype(np.float32), stack.ink.ravel()[::STEP])
            best = ink_scores(each.levels, stack.ink).f0_5
            scores.append((separation, best, ink_scores(cut.astype(np.float32), stack.ink).f0_5))
    yield from np.mean(scores, axis=0) if scores else (np.nan,) * 3
    yield float(np.mean(marked))
    for doubted in ([each.before for each in maps], [each.after for each in maps]):
        yield float(np.mean([bool(one) for one in doubted]))


def line(*cells: object) -> str:
    """Return a line of a table; figures have three digits, and the cell of NaN is empty."""
    texts = (f"{one:.3f}".replace("nan", "") if isinstance(one, float) else str(one) for one in cells)
    return "| " + " | ".join(texts) + " |"


def main() -> None:
    """Print a table of the kinds of stacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument(
        "--model", nargs="+", default=[DEFAULT_MODEL], help="a+b: the average of both; a:flips: of views"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="save a picture in place of the table")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.picture is not None:
        save_picture(list(labelled(args.folders[0])), args.model[0], args.picture)
        return
    columns = ("AUC", "F0.5", "at its threshold", "marked", "outside", "doubtful map")
    print(line("folder", "stacks", "method", *columns) + "\n" + "| --- " * (len(columns) + 3) + "|")
    rows: dict[tuple[str, str], list[list[float]]] = {}
    for folder in args.folders:
        for kind, method, found in judged(list(labelled(folder)), args.model):
            rows.setdefault((kind, method), []).append(found)
            print(line(folder.name, kind, method, *map(float, found)), flush=True)
    for (kind, method), each in rows.items() if len(args.folders) > 1 else ():
        print(line("mean", kind, method, *map(float, np.mean(each, axis=0))))


if __name__ == "__main__":
    main()
