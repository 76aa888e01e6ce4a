"""Jobs that open stacks and projects and read or draft labels; heavy imports happen where they are used."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.errors import BadInputError
from napari_ink.gui.jobs.prediction import stored_job
from napari_ink.stack import (
    DepthStack,
    SegmentFiles,
    find_beside,
    grey_note,
    open_stack,
    suggested_range,
)
from napari_ink.typing import LabelKind, UInt8Array

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation, Project, StepKind
    from napari_ink.region import Region

OVERVIEW_PX = 2048


@dataclass(frozen=True, slots=True, eq=False)
class StackOpened:
    """Event: a stack was opened and its grey values sampled, perhaps through its project."""

    stack: DepthStack
    contrast_limits: tuple[float, float]
    beside: SegmentFiles
    project: Project | None = None
    missing: str = ""
    grey_note: str = ""
    suggested_greys: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ProjectOpened:
    """Event: the project of a segment was opened; `notes` list what an import left out."""

    project: Project
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class WindowRead:
    """Event: label values in a window, and every `step`-th ink label of a segment larger than the window."""

    window: Region
    values: dict[LabelKind, UInt8Array]
    overview: UInt8Array | None
    step: int


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Prediction and the thresholds to draft labels from it."""

    ink: UInt8Array
    edge: UInt8Array
    ink_threshold: float
    edge_threshold: float


def open_job(source: Path | str, stack_at: Path | None = None, author: str | None = None) -> Generator[StackOpened]:
    """Open a stack, or a project and its stack, and find the files beside it."""
    from napari_ink.annotation import is_project, open_project

    project = open_project(source, stack_at, author) if isinstance(source, Path) and is_project(source) else None
    stack = open_stack(source) if project is None else project.stack
    note = grey_note(stack)
    suggested = suggested_range(stack.grey_sample(), stack.scaling) if note else None
    yield StackOpened(stack, stack.contrast_limits(), find_beside(stack), project, stack.missing(), note, suggested)


def project_job(stack: DepthStack, folder: Path, project: Project | None, author: str | None = None) -> Generator[Any]:
    """Open the project of a segment if it exists, and read the prediction shown last, or else the newest."""
    from napari_ink.annotation import is_project, open_project

    if project is None and is_project(folder):
        project = open_project(folder, stack_at=stack.source, author=author)
    if project is not None:
        yield ProjectOpened(project)
    shown = project.view.get("prediction") if project is not None else None
    if (path := _last_prediction(folder, stack, shown)) is not None:
        yield from stored_job(path, stack)


def _last_prediction(folder: Path, stack: DepthStack, shown: object) -> Path | None:
    if isinstance(shown, str) and (folder / shown).is_dir():
        return folder / shown
    stores = [path for path in (folder / "predictions").glob("*.zarr") if path.is_dir()]
    newest_first = sorted(stores, key=lambda path: path.stat().st_mtime, reverse=True)
    return next((path for path in newest_first if _may_be_of(path, stack)), None)


def _may_be_of(path: Path, stack: DepthStack) -> bool:
    # In a folder for all projects, segments of one name share their predictions.
    from napari_ink.predict import is_of_stack, open_prediction

    try:
        return is_of_stack(open_prediction(path).provenance, stack)
    except (BadInputError, OSError):
        return True  # a damaged one, which the list of predictions tells


def draft_job(
    stack: DepthStack, project: Project | None, folder: Path, cut: Cut | None, author: str | None = None
) -> Generator[ProjectOpened]:
    """Draft labels from a prediction into a project, which is created if necessary."""
    from napari_ink.annotation import DRAFT, create_project, draft_edge_labels, draft_ink_labels

    project = project or create_project(folder, stack, author)
    if cut is not None:
        ink = draft_ink_labels(cut.ink, cut.ink_threshold)
        edge = draft_edge_labels(cut.edge, cut.edge_threshold)
        project.annotation.apply([("ink", 0, 0, ink), ("edge", 0, 0, edge)], DRAFT)
    yield ProjectOpened(project)


def read_window_job(annotation: Annotation, window: Region) -> Generator[WindowRead]:
    """Read the labels in a window of a segment."""
    y, x = (window.y0, window.y1), (window.x0, window.x1)
    # The whole segment at full resolution may not fit into memory, nor into a texture.
    step = -(-max(annotation.shape) // OVERVIEW_PX)
    overview = None if window.shape == annotation.shape else annotation.overview("ink", step)
    # Read last, so that the window's chunks are in memory, and no stroke in it has to read them from the disk.
    values: dict[LabelKind, UInt8Array] = {"ink": annotation.read("ink", y, x), "edge": annotation.read("edge", y, x)}
    yield WindowRead(window, values, overview, step)


@dataclass(frozen=True, slots=True)
class StepPrepared:
    """Event: the values of the step to undo or redo are in memory; `number` is that of its edit as it was asked for."""

    number: int


def prepare_step_job(annotation: Annotation, kind: StepKind, number: int) -> Generator[StepPrepared]:
    """Read the values of the step to undo or redo from the journal."""
    annotation.prepare(kind)
    yield StepPrepared(number)


def import_job(
    stack: DepthStack,
    project: Project | None,
    folder: Path,
    path: Path,
    what: LabelKind,
    author: str | None = None,
) -> Generator[ProjectOpened]:
    """Import labels from a file into a project, which is created if necessary."""
    from napari_ink.annotation import create_project
    from napari_ink.gui.jobs.export import import_labels

    project = project or create_project(folder, stack, author)
    notes = import_labels(project, path, what)
    yield ProjectOpened(project, notes)
