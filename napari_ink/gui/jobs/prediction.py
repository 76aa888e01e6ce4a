"""Jobs that run a prediction, load its model in advance, and read a stored prediction."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError
from napari_ink.gui.jobs.roi_mask import check_papyrus, roi_mask, roi_mask_path
from napari_ink.gui.models.words import size_text
from napari_ink.stack import (
    DepthStack,
    read_segment_mask,
)
from napari_ink.typing import ThirdPlane, UInt8Array

if TYPE_CHECKING:
    from napari_ink.model import Direction, InkModel
    from napari_ink.predict import DeviceName, PrecisionName, TestTimeAugmentation, UnfamiliarMap
    from napari_ink.region import Region


_BAND_PX = 256


@dataclass(frozen=True, slots=True, eq=False)
class ModelReady:
    """Event: a model was loaded."""

    name_or_path: str
    model: InkModel


@dataclass(frozen=True, slots=True)
class DeviceFound:
    """Event: the title of the device that the automatic choice selects, and why others are missing.

    Attributes
    ----------
    title
        Title of the device.
    missing
        Name of each device that this machine does not have, and the reason.
    """

    title: str
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PredictionFound:
    """Event: a stored prediction of the stack was found, with the thresholds that its model recommends."""

    path: Path
    shape: tuple[int, int]
    third: ThirdPlane | None
    is_complete: bool
    record: Mapping[str, Any]
    ink_threshold: float
    edge_threshold: float
    unfamiliar: UnfamiliarMap | None = None
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PredictionBand:
    """Event: a band of rows of a stored prediction, with ink, edges and perhaps a third plane."""

    y: slice
    planes: tuple[UInt8Array, ...]
    is_last: bool


@dataclass(frozen=True, slots=True, eq=False)
class RunRequest:
    """Complete input of a prediction, fixed when Run is pressed."""

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
    augment: tuple[TestTimeAugmentation, ...] = ()
    resume: bool = False
    reads_stored: bool = False
    superseded: tuple[Path, ...] = ()
    precision: PrecisionName = "float32"
    resample: tuple[float, float] | None = None


def predict_job(
    request: RunRequest, looking_at: Callable[[], Region | None] = lambda: None
) -> Generator[Any, None, None]:
    """Load the model if necessary, then predict; yields `ModelReady` and the events of the prediction.

    If a run is resumed that is not shown, its stored bands come first. Superseded stores without finished tiles are
    removed once the run has started.
    """
    from napari_ink.model import load_model
    from napari_ink.predict import PredictionStarted, PredictRequest, cores_for_torch, predict
    from napari_ink.region import Region

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
        request.stack,
        model.reading(request.direction, request.offset, request.grey_range),
        request.out,
        region=request.region,
        mask=mask,
        mask_source=mask_file,
        device=request.device,
        augment=request.augment,
        resume=request.resume,
        precision=request.precision,
        resample=request.resample,
        looking_at=looking_at,
        cores=cores_for_torch(spared=1),  # one core is left for the window
    )
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
    """Import torch, find the device that would be picked, and load a model, so that the first run starts at once."""
    from napari_ink.model import load_model
    from napari_ink.predict import choose_device, device_title

    # napari imports pandas with the first labels layer, which would block the window.
    import_module("pandas")
    yield DeviceFound(device_title(choose_device("auto")), _missing_devices())
    yield ModelReady(model_name, load_model(model_name))


def _missing_devices() -> tuple[tuple[str, str], ...]:
    from napari_ink.predict import choose_device

    missing = []
    for name in ("cuda", "mps"):
        try:
            choose_device(name)
        except BadInputError as error:
            missing.append((name, str(error)))
    return tuple(missing)


def stored_job(path: Path, stack: DepthStack) -> Generator[PredictionFound | PredictionBand]:
    """Read a stored prediction; yields nothing more if it has another size or cannot be read."""
    with suppress(BadInputError, OSError):
        yield from chosen_job(path, stack)


def chosen_job(path: Path, stack: DepthStack) -> Generator[PredictionFound | PredictionBand]:
    """Read a stored prediction that the user has chosen, and raise a `BadInputError` if that is not possible."""
    from napari_ink.predict import is_of_stack, open_prediction

    prediction = open_prediction(path)
    if prediction.shape != stack.shape[1:]:
        stored, opened = size_text(*prediction.shape), size_text(*stack.shape[1:])
        raise BadInputError(f"{path.name} is of a segment of {stored}, and this one has {opened}.")
    if not is_of_stack(prediction.provenance, stack):
        source = prediction.provenance["stack"]["source"]
        raise BadInputError(f"{path.name} was predicted from another stack, {source}; open that one to see it.")
    cuts = prediction.recommended_threshold("ink"), prediction.recommended_threshold("edge")
    unfamiliar: UnfamiliarMap | None = None
    notes: tuple[str, ...] = ()
    try:
        unfamiliar = prediction.unfamiliar()
    except BadInputError as error:
        notes = (str(error),)  # the maps of ink and edges can be shown without it
    yield PredictionFound(
        path,
        prediction.shape,
        prediction.third,
        prediction.complete,
        prediction.provenance,
        *cuts,
        unfamiliar=unfamiliar,
        doubts=prediction.doubts,
        notes=notes,
    )
    third = prediction.disagreement or prediction.depth
    planes = [prediction.ink, prediction.edge, *([] if third is None else [third])]
    for first in range(0, prediction.shape[0], _BAND_PX):
        y = slice(first, min(first + _BAND_PX, prediction.shape[0]))
        yield PredictionBand(y, tuple(plane[y] for plane in planes), y.stop == prediction.shape[0])
