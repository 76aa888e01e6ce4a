"""Teach a model with the strokes of a simulated annotator, on phantoms of worlds that it has never seen.

    python benchmarks/teach.py [--worlds tubes foam …] [--strokes 20 50 100 200] [--minutes 3] [--quick] [--json FILE]
    python benchmarks/teach.py --join FILE …

The annotator is a simulation. It paints with a round brush, as a careful person would: ink where there is ink, all but
the outermost pixel, and papyrus elsewhere, two pixels away from ink. It paints where the current map is most wrong, or
at random places. Every row gets the same strokes. Scores are F0.5 on all pixels that were not painted, at each row's
best threshold, and at the threshold that it recommends itself. Seconds are of the processor, whatever else it does.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from skimage.draw import line
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier
from tqdm import tqdm

from napari_ink.annotation import LabelValue, cell_bounds, create_project, score_regions, varied
from napari_ink.annotation.store.edits import REGION_PX
from napari_ink.evaluation import ink_scores
from napari_ink.memory import memory_kept
from napari_ink.model import DEFAULT_MODEL, InkModel, load_model, recommended_thresholds
from napari_ink.model.inference import for_prediction
from napari_ink.model.network import EDGE, INK
from napari_ink.phantom import SETS, WORLDS, make_phantom, make_world_phantom, set_config
from napari_ink.region import Region
from napari_ink.stack import DepthStack, open_stack, stack_of_array
from napari_ink.training import (
    ModelTaught,
    TeachRequest,
    TrainingPair,
    TrainRequest,
    TrainSettings,
    teach,
    train,
)
from napari_ink.training.teaching.corrections import Corrections
from napari_ink.training.teaching.features import FeatureCache
from napari_ink.training.teaching.judging import choose_folds, fold_of, scores_by_fold, with_plausible_threshold
from napari_ink.training.teaching.lesson import Lesson, labelled_blocks
from napari_ink.training.teaching.samples import StrokeSampler
from napari_ink.training.teaching.stroke_head import StrokeHead, whitening_near
from napari_ink.training.teaching.taught_models import StrokeScores
from napari_ink.training.teaching.teach import STEPS_PER_MINUTE, adapted

SIZE_PX = 768
BRUSH_PX, STROKE_PX = 6, 70
CELL_PX = 4
KNOWN = 4
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Case:
    """A phantom on disk, and what is known about it."""

    name: str
    path: Path
    stack: DepthStack
    ink: Bool
    mask: Bool


def cases(worlds: list[str], home: Path, seeds: int, first: int = 0) -> Iterator[Case]:
    """Yield the phantoms."""
    for world in worlds:
        for seed in range(first, first + seeds):
            phantom = make_world_phantom(world, 5000 + seed, SIZE_PX, SIZE_PX)
            path = home / f"{world}-{seed}.npy"
            np.save(path, phantom.volume)
            yield Case(f"{world}-{seed}", path, open_stack(path), phantom.ink, phantom.mask)


class Annotator:
    """The simulated annotator of one case.

    Parameters
    ----------
    case
        The phantom, whose truth the annotator knows.
    seed
        Seed of its random choices.
    """

    def __init__(self, case: Case, seed: int) -> None:
        self._ink, self._mask = case.ink, case.mask
        self._rng = np.random.default_rng(seed)
        self.labels = np.zeros(case.ink.shape, np.uint8)
        self.strokes = 0
        self._can_be_ink = ndimage.binary_erosion(case.ink) & case.mask
        self._can_be_papyrus = ~ndimage.binary_dilation(case.ink, iterations=2) & case.mask
        reach = np.arange(-BRUSH_PX, BRUSH_PX + 1)
        self._brush = np.hypot(*np.meshgrid(reach, reach)) <= BRUSH_PX

    def paint(self, count: int, current: UInt8 | None = None) -> None:
        """Paint strokes: where a map is most wrong, or at random places without one."""
        for _ in range(count):
            is_ink = self.strokes % 2 == 0
            place = self._random(is_ink) if current is None else self._worst(current)
            self._stroke(place)
            self.strokes += 1

    def paint_within(self, area: Region) -> None:
        """Paint a stroke at a random place of a region, or anywhere if there is no room in it."""
        self._stroke(self._random(self.strokes % 2 == 0, area))
        self.strokes += 1

    def _random(self, on_ink: bool, area: Region | None = None) -> tuple[int, int]:
        inside = ndimage.binary_erosion(self._can_be_ink if on_ink else self._can_be_papyrus, iterations=BRUSH_PX // 2)
        places = np.argwhere(inside)
        if area is not None:
            (y, x), rows = places.T, np.arange(len(places))
            rows = rows[(y >= area.y0) & (y < area.y1) & (x >= area.x0) & (x < area.x1)]
            places = places[rows] if len(rows) else places
        y, x = places[self._rng.integers(len(places))]
        return int(y), int(x)

    def _worst(self, current: UInt8) -> tuple[int, int]:
        missing = {LabelValue.INK, LabelValue.PAPYRUS} - set(np.unique(self.labels).tolist())
        if self.strokes and missing:
            return self._random(LabelValue.INK in missing)
        wrong = ((current >= 128) != self._ink) & self._mask & (self.labels == 0)
        # The thickest wrong area is what catches the eye; places just beside a stroke are passed over.
        depth = ndimage.distance_transform_edt(wrong & ~ndimage.binary_dilation(self.labels > 0, iterations=2))
        if depth.max() < 2:
            return self._random(self.strokes % 2 == 0)
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        return int(y), int(x)

    def _stroke(self, place: tuple[int, int]) -> None:
        """Paint through a place, in the direction in which the stroke stays longest on ink, or on papyrus."""
        y, x = place
        is_ink = bool(self._ink[y, x])
        best: tuple[float, Any] = (-1.0, None)
        for angle in self._rng.uniform(0, np.pi, 8):
            dy, dx = np.sin(angle) * STROKE_PX / 2, np.cos(angle) * STROKE_PX / 2
            rows, columns = line(round(y - dy), round(x - dx), round(y + dy), round(x + dx))
            inside = (rows >= 0) & (rows < self._ink.shape[0]) & (columns >= 0) & (columns < self._ink.shape[1])
            rows, columns = rows[inside], columns[inside]
            share = float((self._ink[rows, columns] == is_ink).mean())
            best = max(best, (share, (rows, columns)), key=lambda one: one[0])
        plane = np.zeros(self._ink.shape, bool)
        plane[best[1]] = True
        painted = ndimage.binary_dilation(plane, self._brush) & (self._can_be_ink if is_ink else self._can_be_papyrus)
        self.labels[painted] = LabelValue.INK if is_ink else LabelValue.PAPYRUS


def queue(case: Case, edge: UInt8, labels: UInt8, model: UInt8, live: UInt8) -> list[Region]:
    """Return the regions in the order in which the review names them, from the maps of the model and the live head."""
    readers = [lambda y, x, plane=plane: plane[slice(*y), slice(*x)] for plane in (model, edge, labels, live)]
    review = np.zeros([-(-length // REGION_PX) for length in labels.shape], np.uint8)
    scores = varied(list(score_regions(labels.shape, *readers[:3], review, other=readers[3])))
    bounds = [cell_bounds(score.region, labels.shape) for score in scores]
    return [Region(*bound) for bound in bounds]


def whole_map(model: InkModel, stack: DepthStack, channel: int = INK) -> UInt8:
    """Return a model's map of ink, or of edges, of a whole phantom, in one tile."""
    contract = model.contract.with_greys_of(stack)
    values = contract.prepare(stack.read(contract.z_window(stack.shape[0]), slice(None), slice(None)))
    with torch.inference_mode():
        logits = for_prediction(model.network)(torch.from_numpy(np.ascontiguousarray(values))[None])[0, channel]
    found: UInt8 = (torch.sigmoid(logits) * 255).round().to(torch.uint8).numpy()
    return found


class Ilastik:
    """A random forest on scikit-image's multiscale features of eight projections, which is how ilastik learns."""

    def __init__(self, case: Case) -> None:
        depth = case.stack.shape[0]
        window = slice(depth // 2 - 16, depth // 2 + 16)
        block = case.stack.read(window, slice(None), slice(None)).astype(np.float32) / np.iinfo(case.stack.dtype).max
        planes = [group.mean(axis=0) for group in np.array_split(block, 8)]
        self._features = np.concatenate([self._of(plane) for plane in planes])

    def _of(self, plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        features = np.moveaxis(multiscale_basic_features(plane, sigma_min=1, sigma_max=16), -1, 0)
        return in_cells(features.astype(np.float32))

    def map(self, labels: UInt8, seed: int) -> UInt8:
        """Return the map after learning from labels."""
        ink, papyrus = in_cells(labels == LabelValue.INK), in_cells(labels == LabelValue.PAPYRUS)
        known = ink + papyrus >= 0.5
        rows = self._features.reshape(len(self._features), -1).T
        forest = RandomForestClassifier(100, n_jobs=1, random_state=seed, class_weight="balanced", min_samples_leaf=2)
        forest.fit(rows[known.ravel()], (ink > papyrus)[known])
        found = forest.predict_proba(rows)[:, 1].reshape(ink.shape)
        return np.rint(ndimage.zoom(found, CELL_PX, order=1, grid_mode=True, mode="nearest") * 255).astype(np.uint8)


def in_cells(planes: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the means of planes ``(..., y, x)`` in cells."""
    *rest, height, width = planes.shape
    cells = planes.reshape(*rest, height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX)
    means: npt.NDArray[np.float32] = cells.mean(axis=(-3, -1), dtype=np.float32)
    return means


class Live:
    """The live head."""

    def __init__(self, case: Case, start: InkModel) -> None:
        self.case = case
        self._model = adapted(start, case.stack)[0]
        self._cache = FeatureCache(self._model, case.stack)

    def map(self, labels: UInt8, seed: int) -> UInt8:
        """Return the map after learning from labels."""
        sampler = StrokeSampler(self._cache, lambda area: labels[area.slices])
        blocks = labelled_blocks(self._corrections(labels))
        samples = sampler.collect(blocks)
        assert samples is not None
        whitening = whitening_near([(self._cache, block) for block in blocks])
        head = StrokeHead.fit(samples, whitening, self._cache.ink_logit, seed)
        return head.area(self._cache, Region.whole(labels.shape))

    def recommend(self, labels: UInt8) -> float:
        """Return the threshold that the row of a quick model recommends."""
        lesson = Lesson(self._model, [self._corrections(labels)])
        lesson.caches = [self._cache]
        for _ in lesson.read():
            pass
        held_out, _ = choose_folds(lesson.units)
        found = scores_by_fold(
            lesson.cross_validate(held_out), lesson.samples.is_ink, fold_of(lesson.unit, held_out)
        ) or StrokeScores(auc=0.5, f0_5=0, threshold=0.5)
        return with_plausible_threshold(found, lesson.map_of(lesson.fit(lesson.samples))).threshold

    def _corrections(self, labels: UInt8) -> Corrections:
        return Corrections(self.case.path, self.case.stack, labels, np.zeros_like(labels))


def deep(case: Case, labels: UInt8, start: InkModel, minutes: float, home: Path) -> tuple[InkModel, str]:
    """Teach a project with these strokes; return the deep model and its verdict."""
    folder = home / f"{case.name}.ink"
    shutil.rmtree(folder, ignore_errors=True)
    project = create_project(folder, case.stack, "simulation")
    project.annotation.apply([("ink", 0, 0, labels)], "brush")
    project.close()
    made = [event for event in teach(TeachRequest((folder,), start, minutes)) if isinstance(event, ModelTaught)]
    return load_model(made[-1].path), "; ".join(
        f"{one.row.kind} {one.row.after.auc:.2f}{'*' * one.row.is_better}" for one in made
    )


def from_scratch(case: Case, labels: UInt8, minutes: float, home: Path) -> InkModel:
    """Train a new network on these strokes alone."""
    out = home / f"{case.name}-scratch"
    shutil.rmtree(out, ignore_errors=True)
    steps = round(minutes * STEPS_PER_MINUTE)
    settings = TrainSettings(steps=steps, validate_every=max(5, steps // 4), patience=0, average_decay=0.98)
    for _ in train(TrainRequest([TrainingPair(case.stack, labels)], out, settings)):
        pass
    return load_model(out / "best.safetensors")


def own_threshold(model: InkModel) -> float:
    """Return the threshold that a model recommends."""
    return recommended_thresholds(model.provenance)["ink"]


def known_score(model: InkModel) -> float:
    """Return the mean F0.5 on phantoms of the world that the start model knows."""
    found = []
    for seed in SETS["test"][:KNOWN]:
        phantom = make_phantom(set_config(seed, 512, 512))
        contract = model.contract.with_greys_of(stack_of_array(phantom.volume, "phantom"))
        values = contract.prepare(phantom.volume[contract.z_window(len(phantom.volume))])
        with torch.inference_mode():
            logits = for_prediction(model.network)(torch.from_numpy(np.ascontiguousarray(values))[None])[0, 0]
        ink = (torch.sigmoid(logits) * 255).round().to(torch.uint8).numpy()
        found.append(ink_scores(ink, phantom.ink, phantom.mask).f0_5)
    return float(np.mean(found))


def f_half(found: UInt8, ink: Bool, rest: Bool, threshold: float) -> float:
    """Return F0.5 at a threshold."""
    marked = found[rest] >= threshold * 255
    both, said, true = int((marked & ink[rest]).sum()), int(marked.sum()), int(ink[rest].sum())
    return 1.25 * both / max(said + 0.25 * true, 1)


class Table:
    """Scores by row, and seconds."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def run(
        self, case: Case, labels: UInt8, how: str, what: str, work: Callable[[], UInt8], threshold: Callable[[], float]
    ) -> UInt8:
        """Run a row, and score its map on what was not painted; its threshold is not timed."""
        began = time.process_time()
        found = work()
        seconds = time.process_time() - began
        rest = case.mask & (labels == 0)
        scores = ink_scores(found, case.ink, rest)
        self.rows.append(
            {
                "case": case.name, "annotator": how, "row": what, "area": float((labels > 0).sum() / case.mask.sum()),
                "f0_5": scores.f0_5, "recommended": f_half(found, case.ink, rest, threshold()), "seconds": seconds,
            }
        )  # fmt: skip
        return found

    def show(self) -> None:
        """Print the means over the cases so far."""
        for how in dict.fromkeys(row["annotator"] for row in self.rows):
            print(f"\nStrokes at {how} places, {len({row['case'] for row in self.rows})} phantoms:\n")
            print("| row | F0.5 | at its threshold | worst | area | seconds |\n| --- | --- | --- | --- | --- | --- |")
            mine = [row for row in self.rows if row["annotator"] == how]
            for name in dict.fromkeys(row["row"] for row in mine):
                own = [row for row in mine if row["row"] == name]
                f, half, area, seconds = (
                    float(np.mean([row[key] for row in own])) for key in ("f0_5", "recommended", "area", "seconds")
                )
                worst = min(row["f0_5"] for row in own)
                print(f"| {name} | {f:.3f} | {half:.3f} | {worst:.3f} | {area:.1%} | {seconds:.1f} |")

    def compare_places(self) -> None:
        """Print how many strokes in other places reach the scores of strokes at random places."""
        at_random = self._live("random")
        for how in ("ranked", "worst"):
            other = self._live(how)
            for count in [count for count in at_random if count and other]:
                needed = strokes_to_reach(at_random[count], other)
                print(f"Live, as good as {count} strokes at random places: {needed:.0f} at {how} places.")

    def _live(self, how: str) -> dict[int, float]:
        """Return the mean F0.5 of the live head by number of strokes."""
        found: dict[int, list[float]] = {}
        for row in self.rows:
            if row["annotator"] == how and row["row"].endswith((": live", ": no teaching")):
                found.setdefault(int(row["row"].split(":")[0]), []).append(row["f0_5"])
        return {count: float(np.mean(values)) for count, values in sorted(found.items())}


def strokes_to_reach(score: float, means: dict[int, float]) -> float:
    """Return the number of strokes after which a score was reached, interpolated; infinity if it was not.

    Parameters
    ----------
    score
        The score.
    means
        Mean score after each number of strokes, in the order of these.
    """
    counts = list(means)
    for before, after in zip(counts, counts[1:], strict=False):
        low, high = means[before], means[after]
        if low < score <= high:
            return before + (after - before) * (score - low) / (high - low)
    return 0.0 if means and score <= means[counts[0]] else float("inf")


class Run:
    """All rows of all cases.

    Parameters
    ----------
    args
        The arguments of the script.
    home
        Folder for stacks and projects.
    """

    def __init__(self, args: argparse.Namespace, home: Path) -> None:
        self._args, self._home, self._start = args, home, load_model(args.model)
        self.table, self.forgotten, self.verdicts = Table(), list[float](), list[str]()
        self.known = known_score(self._start) if args.deep else 0.0

    def case(self, case: Case) -> None:
        """Run one phantom."""
        rival, live = Ilastik(case), Live(case, self._start)
        for how in self._args.annotators:
            annotator = Annotator(case, 1)
            current = self.table.run(
                case,
                annotator.labels,
                how,
                "0: no teaching",
                lambda: whole_map(self._start, case.stack),
                lambda: own_threshold(self._start),
            )
            for count in self._args.strokes:
                self._paint(annotator, count, how, current, live)
                labels = annotator.labels.copy()
                self.table.run(case, labels, how, f"{count}: random forest", partial(rival.map, labels, 0), lambda: 0.5)
                current = self.table.run(
                    case, labels, how, f"{count}: live", partial(live.map, labels, 0), partial(live.recommend, labels)
                )
                if count in self._args.deep and how == self._args.annotators[0]:
                    self._deep(case, labels, how, count)
        self.table.show()

    def _paint(self, annotator: Annotator, count: int, how: str, current: UInt8, live: Live) -> None:
        if how == "ranked":
            self._paint_ranked(annotator, count, current, live)
            return
        while annotator.strokes < count:
            annotator.paint(min(5, count - annotator.strokes), current if how == "worst" else None)
            if how == "worst" and annotator.strokes < count:
                current = live.map(annotator.labels, 0)

    def _paint_ranked(self, annotator: Annotator, count: int, current: UInt8, live: Live) -> None:
        case = live.case
        model, edge = (whole_map(self._start, case.stack, channel) for channel in (INK, EDGE))
        while annotator.strokes < count:
            regions = queue(case, edge, annotator.labels, model, current)
            for number in range(min(5, count - annotator.strokes)):
                annotator.paint_within(regions[number % len(regions)])
            if annotator.strokes < count:
                current = live.map(annotator.labels, 0)

    def _deep(self, case: Case, labels: UInt8, how: str, count: int) -> None:
        args, taught = self._args, list[InkModel]()

        def teaching() -> UInt8:
            model, verdict = deep(case, labels, self._start, args.minutes, self._home)
            taught.append(model)
            self.verdicts.append(f"{case.name}, {count} strokes: {verdict}")
            return whole_map(model, case.stack)

        self.table.run(case, labels, how, f"{count}: deep", teaching, lambda: own_threshold(taught[0]))
        # With the contract that the start was trained with: a taught one may be fitted to other greys.
        self.forgotten.append(known_score(replace(taught[0], contract=self._start.contract)) - self.known)
        if args.scratch:
            made = list[InkModel]()

            def scratch() -> UInt8:
                made.append(from_scratch(case, labels, args.minutes, self._home))
                return whole_map(made[0], case.stack)

            self.table.run(case, labels, how, f"{count}: deep from scratch", scratch, lambda: own_threshold(made[0]))


def main() -> None:
    """Run all rows, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", nargs="+", default=[name for name in WORLDS if name != "gaussian"])
    parser.add_argument("--seeds", type=int, default=1, help="phantoms of each world")
    parser.add_argument(
        "--first", type=int, default=1, help="number of the first of them; settings were chosen on those of number 0"
    )
    parser.add_argument("--strokes", nargs="+", type=int, default=[20, 50, 100, 200])
    parser.add_argument("--deep", nargs="*", type=int, default=[20, 100], help="after how many strokes to train deeply")
    parser.add_argument("--scratch", action="store_true", help="also train from scratch where a deep model is trained")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument(
        "--annotators", nargs="+", choices=("worst", "random", "ranked"), default=["worst", "random", "ranked"]
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--quick", action="store_true", help="two worlds, 20 strokes, nothing deep")
    parser.add_argument("--json", type=Path, help="write the rows to this file, after each phantom")
    parser.add_argument("--join", nargs="+", type=Path, help="print the tables of such files together, and run nothing")
    args = parser.parse_args()
    if args.join:
        join(args.join)
        return
    if args.quick:
        args.worlds, args.strokes, args.deep, args.annotators = args.worlds[:2], [20], [], ["worst"]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place, memory_kept():
        run = Run(args, Path(place))
        for case in tqdm(cases(args.worlds, Path(place), args.seeds, args.first), total=len(args.worlds) * args.seeds):
            run.case(case)
            if args.json:
                stated = {"rows": run.table.rows, "forgotten": run.forgotten, "verdicts": run.verdicts}
                args.json.write_text(json.dumps({**stated, "known": run.known}, indent=1))
    run.table.compare_places()
    phantoms = len(args.worlds) * args.seeds
    print(f"\n{phantoms} phantoms of {SIZE_PX}² that {args.model} never saw, {platform.machine()}, CPU.")
    show_deep(run.forgotten, run.verdicts, run.known)


def show_deep(forgotten: list[float], verdicts: list[str], known: float) -> None:
    """Print what deep models forgot, and which were put in use."""
    if forgotten:
        lost = f"{min(forgotten):+.3f} at worst, {np.mean(forgotten):+.3f} in the mean"
        print(f"On phantoms that it knew (F0.5 {known:.3f}): {lost}.")
        print("AUC on strokes that were held out, * where the model was put in use:", *verdicts, sep="\n")


def join(paths: list[Path]) -> None:
    """Print the tables of several runs together."""
    table, forgotten, verdicts, known = Table(), list[float](), list[str](), 0.0
    for path in paths:
        stated = json.loads(path.read_text())
        table.rows += stated["rows"]
        forgotten += stated["forgotten"]
        verdicts += stated["verdicts"]
        known = max(known, stated["known"])
    table.show()
    table.compare_places()
    show_deep(forgotten, verdicts, known)


if __name__ == "__main__":
    main()
