"""What runs on a thread, as generators of frozen events: no Qt, no layers; heavy imports happen where they are used."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError
from napari_ink.stack import DepthStack, SegmentFiles, find_beside, open_stack, read_mask

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation, Project
    from napari_ink.gui.edit_window import EditWindow
    from napari_ink.gui.state import What
    from napari_ink.model import InkModel
    from napari_ink.predict import DeviceName, Region

UInt8Array = npt.NDArray[np.uint8]
OVERVIEW_PX = 2048
DRAFT = "draft"


@dataclass(frozen=True, slots=True, eq=False)
class StackOpened:
    """A stack's headers are read, and its grey values sampled; it may have been opened by its project."""

    stack: DepthStack
    contrast_limits: tuple[float, float]
    beside: SegmentFiles
    project: Project | None = None
    missing: str = ""


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
    """A segment's project is open, with its labels."""

    project: Project


@dataclass(frozen=True, slots=True, eq=False)
class PredictionRead:
    """An earlier prediction of the stack, with the cuts that its model recommends."""

    path: Path
    ink: UInt8Array
    edge: UInt8Array
    ink_threshold: float
    edge_threshold: float


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


def open_job(source: Path | str, stack_at: Path | None = None) -> Generator[StackOpened, None, None]:
    """Open a stack, or a project and its stack, and look at what lies beside it."""
    from napari_ink.annotation import is_project, open_project

    project = open_project(source, stack_at) if isinstance(source, Path) and is_project(source) else None
    stack = open_stack(source) if project is None else project.stack
    yield StackOpened(stack, stack.contrast_limits(), find_beside(stack), project, stack.missing())


def predict_job(request: RunRequest) -> Generator[Any, None, None]:
    """Load the model unless it is there, then predict; yields `ModelReady` and the prediction's own events."""
    from napari_ink.model import load_model
    from napari_ink.predict import PredictRequest, predict

    model = request.model or load_model(request.model_name)
    yield ModelReady(request.model_name, model)
    mask = None if request.mask is None else read_mask(request.mask, request.stack.shape[1:])
    wanted = PredictRequest(
        request.stack, model, request.out, region=request.region, mask=mask, device=request.device
    )  # fmt: skip
    with closing(predict(wanted)) as events:
        yield from events


def warm_up_job(model_name: str) -> Generator[Any, None, None]:
    """Import torch, find the device that would be picked, and load a model, so that the first Run starts at once."""
    from napari_ink.model import load_model
    from napari_ink.predict import choose_device, device_title

    # napari imports it with its first labels layer, and the window would wait for it.
    import_module("pandas")
    yield DeviceFound(device_title(choose_device("auto")))
    yield ModelReady(model_name, load_model(model_name))


def project_job(stack: DepthStack, folder: Path, project: Project | None) -> Generator[Any]:
    """Open a segment's project where there is one, and read the prediction that was shown last, or else the newest."""
    from napari_ink.annotation import is_project, open_project

    if project is None and is_project(folder):
        project = open_project(folder, stack_at=stack.source)
    if project is not None:
        yield ProjectOpened(project)
    shown = project.view.get("prediction") if project is not None else None
    if (path := _last_prediction(folder, shown)) is not None and (read := _read_prediction(path, stack)) is not None:
        yield read


def _last_prediction(folder: Path, shown: object) -> Path | None:
    if isinstance(shown, str) and (folder / shown).is_dir():
        return folder / shown
    stores = [path for path in (folder / "predictions").glob("*.zarr") if path.is_dir()]
    return max(stores, key=lambda path: path.stat().st_mtime, default=None)


def _read_prediction(path: Path, stack: DepthStack) -> PredictionRead | None:
    """Read a prediction; None if it is of another size, or cannot be read: a new one can be made."""
    from napari_ink.predict import open_prediction

    try:
        prediction = open_prediction(path)
        if prediction.shape != stack.shape[1:]:
            return None
        ink, edge = prediction.read("ink"), prediction.read("edge")
        cuts = prediction.recommended_threshold("ink"), prediction.recommended_threshold("edge")
    except (BadInputError, OSError):
        return None
    return PredictionRead(path, ink, edge, *cuts)


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
    import_labels(project, path, what)
    yield ProjectOpened(project)
