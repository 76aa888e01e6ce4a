"""Jobs of teaching: teach models, list and change the taught ones, check one, and answer strokes live."""

from __future__ import annotations

import importlib.util
import shutil
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_ink.annotation import ReviewState, labels_to_learn_from
from napari_ink.annotation.store.edits import CHUNK_PX, REGION_PX
from napari_ink.durable import replacing
from napari_ink.gui.models.prediction import ModelEntry, known_models, model_entry
from napari_ink.region import Region
from napari_ink.training import BLOCK_PX, TaughtModels, blocks_of, is_interrupted
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation
    from napari_ink.stack import DepthStack
    from napari_ink.training import AdaptEvent, LiveEvent, LiveHead, TaughtModel, TeachingEvent

LIVE_SIDE_PX = 1536
_PACKAGES = {"sklearn": "scikit-learn", "matplotlib": "matplotlib", "tensorboardX": "tensorboardX"}


@dataclass(frozen=True, slots=True, eq=False)
class ModelsListed:
    """Event: the taught models of a project, the key of the one in use, and the model to predict with.

    `entry` is the start model if no taught one is in use, and None without any taught model. `interrupted` says whether
    a lesson was stopped before its end.
    """

    folder: Path
    rows: tuple[TaughtModel, ...]
    in_use: str
    entry: ModelEntry | None
    interrupted: bool = False


def missing_packages() -> str:
    """Return a sentence on a package that learning needs and that is not installed; empty if all are."""
    missing = [name for module, name in _PACKAGES.items() if importlib.util.find_spec(module) is None]
    if not missing:
        return ""
    return f"Learning needs {missing[0]}, which is not installed: pip install 'napari-ink[train]'."


def teach_job(
    annotation: Annotation, projects: tuple[Path, ...], start: str, minutes: float, stop: threading.Event
) -> Generator[TeachingEvent, None, None]:
    """Teach models from the labels of projects, of which the first keeps the models, and yield the events of teaching.

    Once `stop` is set, teaching ends after the current step and saves its state, with which it continues later.
    """
    from napari_ink.model import load_model
    from napari_ink.predict import choose_device, cores_for_torch, cores_left_free
    from napari_ink.training import TeachRequest, teach

    annotation.flush()
    with cores_left_free(1):  # for the window
        device, cores = choose_device("auto").type, cores_for_torch()
        request = TeachRequest(projects, load_model(start), minutes, device=device, cores=cores)
        with closing(teach(request)) as events:
            for event in events:
                yield event
                if stop.is_set():
                    return


def adapt_job(
    stack: DepthStack, folder: Path, start: str, stop: threading.Event
) -> Generator[AdaptEvent | ModelEntry, None, None]:
    """Adapt a model to a stack without labels, yield the events, and at the end the model to choose.

    Parameters
    ----------
    stack
        Stack to adapt to.
    folder
        Folder of the project's models. An adaptation of the same model that was stopped there is continued.
    start
        Name or path of the model to start from.
    stop
        Once it is set, the adaptation ends after the current step.
    """
    from napari_ink.model import load_model
    from napari_ink.predict import choose_device, cores_left_free
    from napari_ink.training import AdaptRequest, ModelAdapted, adapt

    with cores_left_free(1):  # for the window
        model = load_model(start)
        out = _folder_to_adapt_in(folder, model.sha256)
        folder.mkdir(parents=True, exist_ok=True)
        request = AdaptRequest([stack], model, out, device=choose_device("auto").type, resume=out.exists())
        with closing(adapt(request)) as events:
            for event in events:
                yield event
                if isinstance(event, ModelAdapted):
                    yield replace(model_entry(event.path), title=out.name)
                if stop.is_set():
                    return


def _folder_to_adapt_in(models: Path, start_sha256: str) -> Path:
    """Return the folder of an adaptation that was stopped, or one that does not exist yet."""
    numbered = (models / f"adapted-{start_sha256[:8]}-{number}" for number in count(1))
    return next(one for one in numbered if not (one / "adapted.safetensors").exists())


def models_job(project: Path, change: Callable[[TaughtModels], None] | None = None) -> Generator[ModelsListed]:
    """List the taught models of a project, after a change of one if there is any."""
    models = TaughtModels.of_project(project)
    if change is not None:
        change(models)
    yield _listed(models)


def copy_job(folder: Path, key: str, target: Path) -> Generator[Path]:
    """Copy the checkpoint of a taught model, with the record of its making."""
    with replacing(target) as beside:
        shutil.copyfile(TaughtModels(folder).path(key), beside)
    yield target


def check_job(annotation: Annotation, project: Path, row: TaughtModel) -> Generator[ModelsListed]:
    """Run the checks of a taught model, and list the models each time a result was added to its row."""
    from napari_ink.predict import cores_left_free
    from napari_ink.training import check_taught

    annotation.flush()
    models = TaughtModels.of_project(project)
    with cores_left_free(1):
        for name, result in check_taught((project,), row):
            models.record_check(row.key, name, result)
            yield _listed(models)


def start_of(chosen: str, rows: tuple[TaughtModel, ...], folder: Path) -> str:
    """Return the model to start from: the chosen one, or the start of the lesson that made it in this project."""
    models, path = TaughtModels(folder), Path(chosen).absolute()
    return next((row.started_from for row in rows if models.path(row.key).absolute() == path), chosen)


class LiveTeacher:
    """The live head of one stack and its labels, made with the first answer.

    Parameters
    ----------
    stack
        Stack to predict.
    annotation
        Labels to learn from.
    start
        Model to start from.
    """

    def __init__(self, stack: DepthStack, annotation: Annotation, start: str) -> None:
        self.start = start
        self._stack, self._annotation = stack, annotation
        self._head: LiveHead | None = None
        self._lock = threading.Lock()

    def answer_job(self, area: Region, answered: frozenset[tuple[int, int]]) -> Generator[LiveEvent]:
        """Learn from all strokes so far, and predict an area block by block."""
        import torch

        from napari_ink.predict import cores_for_torch
        from napari_ink.training import LiveNote

        # Of this thread alone, and not put back: a training may change the number for threads to come meanwhile.
        torch.set_num_threads(cores_for_torch(spared=1))
        head, note = self._made(torch.get_num_threads())
        if note:
            yield LiveNote(note)
        yield from head.answer(labelled_blocks(self._annotation), area, answered)

    def _made(self, cores: int) -> tuple[LiveHead, str]:
        """Return the head, and a note if it was made just now."""
        from napari_ink.model import load_model
        from napari_ink.training import LiveHead

        with self._lock:
            if self._head is not None:
                return self._head, ""
            self._head = LiveHead(load_model(self.start), self._stack, self._read, cores)
            return self._head, self._head.note

    def _read(self, area: Region) -> UInt8Array:
        return labels_of(self._annotation, area)


def live_area(area: Region, shape: tuple[int, int]) -> Region:
    """Return the blocks around the middle of an area, of which at most `LIVE_SIDE_PX` pixels each way are shown."""
    (y0, y1), (x0, x1) = (
        _middle(*side, length) for side, length in zip(((area.y0, area.y1), (area.x0, area.x1)), shape, strict=True)
    )
    return Region(y0, y1, x0, x1)


def _middle(start: int, end: int, length: int) -> tuple[int, int]:
    """Return the range of whole blocks around the middle of a range."""
    first = start + max(end - start - LIVE_SIDE_PX, 0) // 2
    last = min(first + LIVE_SIDE_PX, end)
    return first // BLOCK_PX * BLOCK_PX, min(-(-last // BLOCK_PX) * BLOCK_PX, length)


def labels_of(annotation: Annotation, area: Region) -> UInt8Array:
    """Return the label values ``(y, x)`` to learn from in a region, where reviewed pixels without ink are papyrus."""
    ink = annotation.read("ink", (area.y0, area.y1), (area.x0, area.x1))
    return labels_to_learn_from(ink, annotation.review_states(), area.y0, area.x0)


def labelled_blocks(annotation: Annotation) -> set[tuple[int, int]]:
    """Return the blocks of a segment that may have labels, or were reviewed."""
    found: set[tuple[int, int]] = set()
    reviewed = np.argwhere(annotation.review_states() == ReviewState.REVIEWED).tolist()
    for side, cells in ((CHUNK_PX, annotation.stored("ink")), (REGION_PX, reviewed)):
        for row, column in cells:
            found.update(blocks_of(Region.grid_square((row, column), side).clip(annotation.shape)))
    return found


def _listed(models: TaughtModels) -> ModelsListed:
    rows, in_use = tuple(models.rows()), models.current
    entry = None
    if in_use:
        entry = replace(model_entry(models.path(in_use)), title=models.row(in_use).name)
    elif rows:
        entry = _entry_of(rows[-1].started_from)
    return ModelsListed(models.folder, rows, in_use, entry, is_interrupted(models.folder.parent))


def _entry_of(name_or_path: str) -> ModelEntry | None:
    """Return a shipped model or a file; None if the file is missing."""
    known = next((model for model in known_models() if model.name_or_path == name_or_path), None)
    if known is not None or not Path(name_or_path).is_file():
        return known
    return model_entry(Path(name_or_path))
