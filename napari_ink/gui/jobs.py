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

from napari_ink.gui.state import ExportWhat
from napari_ink.stack import DepthStack, SegmentFiles, find_beside, open_stack, read_mask

if TYPE_CHECKING:
    from napari_ink.model import InkModel
    from napari_ink.predict import DeviceName, Region

UInt8Array = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class StackOpened:
    """A stack's headers are read, and its grey values sampled."""

    stack: DepthStack
    contrast_limits: tuple[float, float]
    beside: SegmentFiles


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
class LabelsDrafted:
    """Label values cut from a prediction."""

    ink: UInt8Array
    edge: UInt8Array


@dataclass(frozen=True, slots=True)
class Exported:
    """A mask is on disk."""

    path: Path
    what: ExportWhat


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


def open_job(source: Path) -> Generator[StackOpened, None, None]:
    """Open a stack and look at what lies beside it."""
    stack = open_stack(source)
    yield StackOpened(stack, stack.contrast_limits(), find_beside(stack))


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


def draft_job(ink: UInt8Array, edge: UInt8Array, ink_cut: float, edge_cut: float) -> Generator[LabelsDrafted]:
    """Cut labels from a prediction."""
    from napari_ink.annotation import draft_edge_labels, draft_ink_labels

    yield LabelsDrafted(draft_ink_labels(ink, ink_cut), draft_edge_labels(edge, edge_cut))


def export_job(what: ExportWhat, values: npt.NDArray[Any], path: Path) -> Generator[Exported]:
    """Write a mask (bool values) or label values (uint8) to an image file."""
    from napari_ink.export import write_label_values, write_mask

    write = write_mask if values.dtype == np.bool_ else write_label_values
    write(values, path, overwrite=True)
    yield Exported(path, what)
