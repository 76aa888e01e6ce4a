"""Requests for predictions, made from the current settings or from the record of a stored prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.errors import BadInputError
from napari_ink.gui.jobs.prediction import ModelReady, RunRequest
from napari_ink.gui.models.polygons import Polygon, around, is_upright_box
from napari_ink.predict import PredictionFolder

if TYPE_CHECKING:
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.gui.layers.roi_layer import RoiLayer
    from napari_ink.gui.models.prediction import RunSettings
    from napari_ink.model import InkModel
    from napari_ink.region import Region
    from napari_ink.stack import DepthStack


class RunRequestFactory:
    """Factory of requests from the settings, the regions of interest and the visible region.

    Parameters
    ----------
    store
        State of the window.
    layers
        Layers of the viewer.
    roi
        Regions of interest that the user drew.
    project_folder
        Function that returns the project folder of a stack.

    Attributes
    ----------
    ready : ModelReady or None
        Loaded model.
    """

    def __init__(
        self, store: StateStore, layers: LayerManager, roi: RoiLayer, project_folder: Callable[[DepthStack], Path]
    ) -> None:
        self._store, self._layers, self._roi, self._project_folder = store, layers, roi, project_folder
        self.ready: ModelReady | None = None

    def from_settings(
        self, stack: DepthStack, settings: RunSettings, instead_of: RunRequest | None = None
    ) -> RunRequest:
        """Return a request with the current settings, perhaps in place of an earlier one, whose visible region is kept.

        Raises
        ------
        BadInputError
            If there is nothing to predict, the model cannot read the stack, or no store can be created.
        """
        check_depth(stack, settings)
        superseded: tuple[Path, ...] = ()
        if instead_of is not None:
            # A store that the earlier run only resumed holds older results, so it must not be removed.
            superseded = (*instead_of.superseded, *(() if instead_of.resume else (instead_of.out,)))
        if instead_of is not None and settings.where == "visible":
            region, polygons = instead_of.region, instead_of.polygons
        else:
            region, polygons = self.area(stack, settings)
        model = settings.model
        out = PredictionFolder(self._project_folder(stack)).new_path(model.title, datetime.now())
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
            precision=settings.precision,
            resample=None if model.is_ours else settings.resample,
            # A former store of the same name may be among them; the new store must not be removed instead.
            superseded=tuple(store for store in superseded if store != out),
        )

    def from_stored(self, path: Path, record: Mapping[str, Any]) -> RunRequest | None:
        """Return a request that resumes a stored prediction; None if its provenance is not enough for that."""
        from napari_ink.region import Region

        stack = self._store.state.stack
        source = _at(record, "model", "source")
        if stack is None or source is None or record.get("others"):
            return None
        # Names of the settings that the user chose in place of the model's; the others follow the model again.
        asked = record.get("asked_instead_of") or {}
        contract = record["contract"]
        return RunRequest(
            stack,
            source,
            self._loaded(source),
            path,
            record.get("device") or "auto",
            Region(*record["region"]),
            None if record.get("mask") is None else Path(record["mask"]),
            (),
            contract["direction"] if "direction" in asked else None,
            contract["surface_offset"] if "surface_offset" in asked else None,
            tuple(contract["grey_range"]) if "grey_range" in asked and contract.get("grey_range") else None,
            tuple(record.get("augment", ())),
            precision="fast" if record.get("precision") == "bfloat16" else "float32",
        )

    def area(self, stack: DepthStack, settings: RunSettings) -> tuple[Region | None, tuple[Polygon, ...]]:
        """Return the chosen region (None for the whole segment), and the outlines if they do not fill it.

        Raises
        ------
        BadInputError
            If no part of the segment is visible, or no region of interest lies on it.
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
        """Whether the area to predict differs from the area of a request."""
        try:
            region, polygons = self.area(request.stack, settings)
        except BadInputError:
            return False  # nothing to predict instead, so the run continues
        is_same = len(polygons) == len(request.polygons) and all(map(np.array_equal, polygons, request.polygons))
        return region != request.region or not is_same

    def visible_region(self) -> Region | None:
        """Return the visible region of the segment; None if no part is visible."""
        return self._layers.viewport.visible_region()

    def _loaded(self, name_or_path: str) -> InkModel | None:
        ready = self.ready
        return ready.model if ready is not None and ready.name_or_path == name_or_path else None


def check_depth(stack: DepthStack, settings: RunSettings) -> None:
    """Check that a model can read a stack with these settings.

    Raises
    ------
    ContractError
        If too few depth layers remain, or the grey range does not fit the stack.
    """
    contract = settings.model.contract_for(stack, settings.resample)
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
