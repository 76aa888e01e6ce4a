"""What runs on a thread, as generators of frozen events: no Qt, no layers; heavy imports happen where they are used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError
from napari_ink.gui.roi_mask import check_papyrus, roi_mask, roi_mask_path
from napari_ink.stack import (
    DepthStack,
    SegmentFiles,
    find_beside,
    grey_note,
    open_stack,
    read_segment_mask,
    suggested_range,
)

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation, Project
    from napari_ink.gui.edit_window import EditWindow
    from napari_ink.gui.state import What
    from napari_ink.model import Direction, InkModel
    from napari_ink.predict import Augmentation, DeviceName, Region

UInt8Array = npt.NDArray[np.uint8]
OVERVIEW_PX = 2048
_BAND_PX = 256
DRAFT = "draft"


@dataclass(frozen=True, slots=True, eq=False)
class StackOpened:
    """A stack's headers are read, and its grey values sampled; it may have been opened by its project."""

    stack: DepthStack
    contrast_limits: tuple[float, float]
    beside: SegmentFiles
    project: Project | None = None
    missing: str = ""
    grey_note: str = ""
    suggested_greys: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ModelReady:
    """A model is in memory."""

    name_or_path: str
    model: InkModel


@dataclass(frozen=True, slots=True)
class DeviceFound:
    """The device that the automatic choice picks, in words."""

    title: str


@dataclass(frozen=True, slots=True, eq=False)
class ProjectOpened:
    """A segment's project is open, with its labels; `notes` say what was left out where they come from a file."""

    project: Project
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PredictionFound:
    """An earlier prediction of the stack, with the cuts that its model recommends."""

    path: Path
    shape: tuple[int, int]
    has_disagreement: bool
    is_complete: bool
    record: Mapping[str, Any]
    ink_threshold: float
    edge_threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class PredictionBand:
    """Some rows of it: ink, edges, and disagreement where there is any."""

    y: slice
    planes: tuple[UInt8Array, ...]
    is_last: bool


@dataclass(frozen=True, slots=True, eq=False)
class WindowRead:
    """Label values in a part of a segment, and every `step`-th ink label of all of it where it is larger than that."""

    window: EditWindow
    values: dict[What, UInt8Array]
    overview: UInt8Array | None
    step: int


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A prediction, and where it is to be cut."""

    ink: UInt8Array
    edge: UInt8Array
    ink_threshold: float
    edge_threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class RunRequest:
    """All that a prediction needs, caught when Run was pressed."""

    stack: DepthStack
    model_name: str
    model: InkModel | None
    out: Path
    device: DeviceName
    region: Region | None
    mask: Path | None
    polygons: tuple[npt.NDArray[np.float64], ...] = ()
    direction: Direction | None = None
    offset: int | None = None
    grey_range: tuple[float, float] | None = None
    augment: tuple[Augmentation, ...] = ()
    resume: bool = False
    reads_stored: bool = False
    superseded: tuple[Path, ...] = ()


def open_job(source: Path | str, stack_at: Path | None = None) -> Generator[StackOpened, None, None]:
    """Open a stack, or a project and its stack, and look at what lies beside it."""
    from napari_ink.annotation import is_project, open_project

    project = open_project(source, stack_at) if isinstance(source, Path) and is_project(source) else None
    stack = open_stack(source) if project is None else project.stack
    note = grey_note(stack)
    suggested = suggested_range(stack.grey_sample(), stack.scaling) if note else None
    yield StackOpened(stack, stack.contrast_limits(), find_beside(stack), project, stack.missing(), note, suggested)


def predict_job(
    request: RunRequest, looking_at: Callable[[], Region | None] = lambda: None
) -> Generator[Any, None, None]:  # fmt: skip
    """Load the model unless it is there, then predict; yields `ModelReady` and the prediction's own events.

    What is stored comes first, in bands, where a run goes on that is not shown. What this one takes the place of is
    removed once it has begun, if nothing was predicted there yet.
    """
    from napari_ink.model import load_model
    from napari_ink.predict import PredictionStarted, PredictRequest, Region, cores_for_torch, predict

    if request.reads_stored:
        yield from (event for event in stored_job(request.out, request.stack) if isinstance(event, PredictionBand))
    model = request.model or load_model(request.model_name)
    yield ModelReady(request.model_name, model)
    mask_file = request.mask
    mask = None if mask_file is None else read_segment_mask(mask_file, request.stack.shape[1:])
    if request.polygons and request.region is not None:
        mask_file = roi_mask_path(request.out)
        mask = roi_mask(request.polygons, request.region, mask, request.stack.shape[1:], mask_file)
    elif mask is not None:
        check_papyrus(mask, Region.whole(mask.shape) if request.region is None else request.region)
    wanted = PredictRequest(
        request.stack, model.reading(request.direction, request.offset, request.grey_range), request.out,
        region=request.region, mask=mask, mask_source=mask_file, device=request.device,
        augment=request.augment, resume=request.resume, looking_at=looking_at,
        cores=cores_for_torch(spared=1),  # the window has one to itself
    )  # fmt: skip
    try:
        with closing(predict(wanted)) as events:
            for event in events:
                if isinstance(event, PredictionStarted):
                    _remove_empty(request.superseded)
                yield event
    finally:
        if mask_file == roi_mask_path(request.out) and not request.out.exists():
            mask_file.unlink(missing_ok=True)


def _remove_empty(stores: Iterable[Path]) -> None:
    from napari_ink.predict import remove_if_empty

    for store in stores:
        if remove_if_empty(store):
            roi_mask_path(store).unlink(missing_ok=True)


def warm_up_job(model_name: str) -> Generator[Any, None, None]:
    """Import torch, find the device that would be picked, and load a model, so that the first Run starts at once."""
    from napari_ink.model import load_model
    from napari_ink.predict import choose_device, device_title

    # napari imports it with its first labels layer, and the window would wait for it.
    import_module("pandas")
    yield DeviceFound(device_title(choose_device("auto")))
    yield ModelReady(model_name, load_model(model_name))


def project_job(stack: DepthStack, folder: Path, project: Project | None) -> Generator[Any]:
    """Open a segment's project where there is one, and read the prediction shown last, or else the newest, in bands."""
    from napari_ink.annotation import is_project, open_project

    if project is None and is_project(folder):
        project = open_project(folder, stack_at=stack.source)
    if project is not None:
        yield ProjectOpened(project)
    shown = project.view.get("prediction") if project is not None else None
    if (path := _last_prediction(folder, shown)) is not None:
        yield from stored_job(path, stack)


def _last_prediction(folder: Path, shown: object) -> Path | None:
    if isinstance(shown, str) and (folder / shown).is_dir():
        return folder / shown
    stores = [path for path in (folder / "predictions").glob("*.zarr") if path.is_dir()]
    return max(stores, key=lambda path: path.stat().st_mtime, default=None)


def stored_job(path: Path, stack: DepthStack) -> Generator[PredictionFound | PredictionBand]:
    """Read a prediction; nothing if it is of another size, or cannot be read: a new one can be made."""
    from napari_ink.predict import open_prediction

    try:
        prediction = open_prediction(path)
        if prediction.shape != stack.shape[1:]:
            return
        cuts = prediction.recommended_threshold("ink"), prediction.recommended_threshold("edge")
        doubt = prediction.disagreement
        yield PredictionFound(
            path, prediction.shape, doubt is not None, prediction.complete, prediction.provenance, *cuts
        )  # fmt: skip
        planes = [prediction.ink, prediction.edge, *([] if doubt is None else [doubt])]
        for first in range(0, prediction.shape[0], _BAND_PX):
            y = slice(first, min(first + _BAND_PX, prediction.shape[0]))
            yield PredictionBand(y, tuple(plane[y] for plane in planes), y.stop == prediction.shape[0])
    except (BadInputError, OSError):
        return


def draft_job(stack: DepthStack, project: Project | None, folder: Path, cut: Cut | None) -> Generator[ProjectOpened]:
    """Cut labels from a prediction into a project, which is made if there is none."""
    from napari_ink.annotation import create_project, draft_edge_labels, draft_ink_labels

    project = project or create_project(folder, stack)
    if cut is not None:
        ink = draft_ink_labels(cut.ink, cut.ink_threshold)
        edge = draft_edge_labels(cut.edge, cut.edge_threshold)
        project.annotation.apply([("ink", 0, 0, ink), ("edge", 0, 0, edge)], DRAFT)
    yield ProjectOpened(project)


def read_window_job(annotation: Annotation, window: EditWindow) -> Generator[WindowRead]:
    """Read the labels in a part of a segment."""
    y, x = (window.y0, window.y1), (window.x0, window.x1)
    values: dict[What, UInt8Array] = {"ink": annotation.read("ink", y, x), "edge": annotation.read("edge", y, x)}
    step = -(-max(annotation.shape) // OVERVIEW_PX)
    is_all = window.shape == annotation.shape
    yield WindowRead(window, values, None if is_all else annotation.overview("ink", step), step)


def import_job(
    stack: DepthStack, project: Project | None, folder: Path, path: Path, what: What
) -> Generator[ProjectOpened]:  # fmt: skip
    """Read labels from a file into a project, which is made if there is none."""
    from napari_ink.annotation import create_project
    from napari_ink.gui.exporting import import_labels

    project = project or create_project(folder, stack)
    notes = import_labels(project, path, what)
    yield ProjectOpened(project, notes)
