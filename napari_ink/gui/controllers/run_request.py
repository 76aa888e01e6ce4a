"""What is asked of a prediction, caught when Run is pressed or when a stored one is to go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.errors import BadInputError, storage_errors
from napari_ink.gui.jobs.prediction import ModelReady, PredictionFound, RunRequest
from napari_ink.gui.models.polygons import Polygon, around, is_upright_box

if TYPE_CHECKING:
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.gui.layers.roi_layer import RoiLayer
    from napari_ink.gui.models.prediction import RunSettings
    from napari_ink.model import InkModel
    from napari_ink.region import Region
    from napari_ink.stack import DepthStack


class RunRequestFactory:
    """Makes requests of what is chosen, drawn and in sight.

    Parameters
    ----------
    store
        The state of the work.
    layers
        The viewer's layers.
    roi
        What a person drew to be predicted.
    project_folder
        Says where a stack's predictions are kept.

    Attributes
    ----------
    ready : ModelReady or None
        The model that is in memory.
    """

    def __init__(
        self, store: StateStore, layers: LayerManager, roi: RoiLayer, project_folder: Callable[[DepthStack], Path]
    ) -> None:
        self._store, self._layers, self._roi, self._project_folder = store, layers, roi, project_folder
        self.ready: ModelReady | None = None

    def from_settings(
        self, stack: DepthStack, settings: RunSettings, instead_of: RunRequest | None = None
    ) -> RunRequest:
        """Return what is chosen now, or what takes the place of an earlier request, of which the view is kept.

        Raises
        ------
        BadInputError
            If there is nothing to predict, the model cannot read the stack so, or there is no place to keep it.
        """
        check_depth(stack, settings)
        superseded: tuple[Path, ...] = ()
        if instead_of is not None:
            # What was predicted before this window's run went on with it is not this run's to throw away.
            superseded = (*instead_of.superseded, *(() if instead_of.resume else (instead_of.out,)))
        if instead_of is not None and settings.where == "visible":
            region, polygons = instead_of.region, instead_of.polygons
        else:
            region, polygons = self.area(stack, settings)
        model = settings.model
        with storage_errors(stack.source):
            out = new_prediction_path(self._project_folder(stack), model.title, datetime.now())
        mask = self._store.state.mask if settings.use_mask else None
        return RunRequest(
            stack,
            model.name_or_path,
            self._loaded(model.name_or_path),
            out,
            settings.device,
            region,
            mask,
            polygons,
            settings.direction,
            settings.offset,
            settings.grey_range,
            settings.augment,
            # A store of this name that is gone may be among them: this one is not to be removed in its place.
            superseded=tuple(store for store in superseded if store != out),
        )

    def from_stored(self, event: PredictionFound) -> RunRequest | None:
        """Return what goes on with an earlier prediction; None where its record lacks something."""
        from napari_ink.region import Region

        stack, record = self._store.state.stack, event.record
        source = _at(record, "model", "source")
        if stack is None or source is None or record.get("others"):
            return None
        asked = record.get("asked_instead_of") or {}
        contract = record["contract"]
        return RunRequest(
            stack,
            source,
            self._loaded(source),
            event.path,
            record["device"],
            Region(*record["region"]),
            None if record.get("mask") is None else Path(record["mask"]),
            (),
            contract["direction"] if "direction" in asked else None,
            contract["surface_offset"] if "surface_offset" in asked else None,
            tuple(contract["grey_range"]) if "grey_range" in asked else None,
            tuple(record.get("augment", ())),
        )

    def area(self, stack: DepthStack, settings: RunSettings) -> tuple[Region | None, tuple[Polygon, ...]]:
        """Return the region that is chosen, None for all of the segment, and the outlines in it where it is not all.

        Raises
        ------
        BadInputError
            If there is none.
        """
        if settings.where == "whole":
            return None, ()
        if settings.where == "visible":
            if (region := self.visible_region()) is None:
                raise BadInputError(
                    "No part of the segment is visible; press the home button, bottom left, or predict all of it."
                )
            return region, ()
        polygons = self._roi.polygons()
        if (region := around(polygons, stack.shape[1:])) is None:
            raise BadInputError(
                "No region of interest is drawn on the segment; draw a rectangle, or predict all of it."
            )
        return region, () if is_upright_box(polygons) else tuple(polygons)

    def has_area_changed(self, request: RunRequest, settings: RunSettings) -> bool:
        """Whether something else is drawn on the segment now than what was asked for."""
        try:
            region, polygons = self.area(request.stack, settings)
        except BadInputError:
            return False
        is_same = len(polygons) == len(request.polygons) and all(map(np.array_equal, polygons, request.polygons))
        return region != request.region or not is_same

    def visible_region(self) -> Region | None:
        """Return what of the segment is in sight; None where nothing is."""
        from napari_ink.region import Region

        view = self._layers.viewport.visible_region()
        return None if view is None else Region(view.y0, view.y1, view.x0, view.x1)

    def _loaded(self, name_or_path: str) -> InkModel | None:
        ready = self.ready
        return ready.model if ready is not None and ready.name_or_path == name_or_path else None


def check_depth(stack: DepthStack, settings: RunSettings) -> None:
    """Refuse settings with which a model cannot read a stack.

    Raises
    ------
    ContractError
        If too few depth layers are left, or the grey range is none of the stack's.
    """
    contract = settings.model.contract
    offset = contract.surface_offset if settings.offset is None else settings.offset
    greys = contract.grey_range if settings.grey_range is None else settings.grey_range
    wanted = contract.changed(surface_offset=offset, grey_range=greys)
    wanted.z_window(stack.shape[0])
    wanted.check_greys(stack.dtype)


def _at(values: Mapping[str, Any], *names: str) -> Any:
    found: Any = values
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def new_prediction_path(project: Path, model_name: str, now: datetime) -> Path:
    """Choose a name that is not taken yet for a prediction store, and make its folder.

    Parameters
    ----------
    project
        The folder of the segment's project; it need not be there yet.
    model_name
        Stands in the name.
    now
        Stands in the name.
    """
    folder = project / "predictions"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{model_name}-{now:%Y%m%d-%H%M%S}"
    path, again = folder / f"{stem}.zarr", 2
    while path.exists():
        path, again = folder / f"{stem}-{again}.zarr", again + 1
    return path
