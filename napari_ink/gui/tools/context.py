"""Access of the tools to labels, predictions and grey values, and a way to change labels."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import LabelValue, cost_of_image, cost_of_probability
from napari_ink.gui.layers.tool_preview import ToolPreview
from napari_ink.gui.models.actions import DEFAULT_REACH_PX
from napari_ink.region import Region
from napari_ink.typing import LabelKind, UInt8Array

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from napari_ink.annotation import Annotation, Edit
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.layers.label_layers import Block
    from napari_ink.gui.layers.manager import LayerManager


class EditableLabels(Protocol):
    """Labels as tools need them; the controller of the labels provides them."""

    @property
    def annotation(self) -> Annotation | None:
        """Annotation store of the open project; None without one."""

    def apply(self, blocks: Sequence[Block], tool: str) -> Edit | None:
        """Change labels with a tool, as one undo step."""


class ToolContext:
    """Access to labels, predictions and grey values of any part of the segment.

    Parameters
    ----------
    layers
        Layers of the viewer.
    labels
        Labels of the open project, which every change goes through.
    jobs
        Runner of background jobs.
    notify
        Function that shows a message to the user.

    Attributes
    ----------
    preview : ToolPreview
        Preview of what a tool will do.
    reach_px : dict
        Distance from a click or stroke up to which a tool looks for edges.
    paints_papyrus : bool
        Whether tools paint papyrus, and ink with Shift.
    """

    def __init__(
        self, layers: LayerManager, labels: EditableLabels, jobs: JobRunner, notify: Callable[[str], None]
    ) -> None:
        self._layers, self._labels, self._jobs = layers, labels, jobs
        self.notify = notify
        self._numbers = count()
        self.preview = ToolPreview()
        self.reach_px = dict(DEFAULT_REACH_PX)
        self.paints_papyrus = False

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the segment; (0, 0) without a project."""
        annotation = self._labels.annotation
        return (0, 0) if annotation is None else annotation.shape

    def around(self, y: float, x: float, margin: int) -> Region:
        """Return the part within `margin` pixels of a place, clipped to the segment."""
        return self.spanning([(y, x)], margin)

    def spanning(self, places: Sequence[tuple[float, float]], margin: int) -> Region:
        """Return the smallest part that contains all places with `margin` pixels around each."""
        height, width = self.shape
        # Places beside the segment count as the pixel nearest to them, so that the part is never empty.
        rows, columns = zip(*(self.nearest_pixel(y, x) for y, x in places), strict=True)
        return Region(
            max(min(rows) - margin, 0),
            # Without a project the part is one pixel, which `labels` has as unreviewed.
            max(min(max(rows) + margin + 1, height), 1),
            max(min(columns) - margin, 0),
            max(min(max(columns) + margin + 1, width), 1),
        )

    def nearest_pixel(self, y: float, x: float) -> tuple[int, int]:
        """Return the pixel of the segment that is nearest to a place."""
        height, width = self.shape
        return max(min(round(y), height - 1), 0), max(min(round(x), width - 1), 0)

    def holds(self, y: float, x: float) -> bool:
        """Whether a place lies on the segment."""
        # Pixels are centered on whole numbers, so the first one begins at -0.5.
        return -0.5 <= y < self.shape[0] - 0.5 and -0.5 <= x < self.shape[1] - 0.5

    def visible_region(self) -> Region | None:
        """Return the visible part of the segment; None if no part is visible."""
        return self._layers.viewport.visible_region()

    def labels(self, what: LabelKind, part: Region) -> UInt8Array:
        """Return a copy of the label values ``(y, x)`` in a part."""
        # From the store, not from the layers: the part may reach beyond the edit window.
        annotation = self._labels.annotation
        if annotation is None:
            return np.zeros(part.shape, np.uint8)
        return annotation.read(what, (part.y0, part.y1), (part.x0, part.x1))

    def probability(self, what: LabelKind, part: Region) -> UInt8Array | None:
        """Return predicted probabilities ``(y, x)``, 0…255; None if the part has no prediction."""
        if self._layers.overlay is None:
            return None
        seen = self._layers.overlay.probabilities(what)[part.slices]
        return seen if seen.any() else None

    def image(self, part: Region) -> npt.NDArray[np.float32]:
        """Return the grey values ``(y, x)`` of the current depth layer."""
        return self._layers.viewport.image(part)

    def edge_cost(self, y0: int, y1: int, x0: int, x1: int, step: int) -> npt.NDArray[np.float32]:
        """Return the cost of an outline per pixel, from the predicted edges or else from the grey values."""
        part = Region(y0, y1, x0, x1)
        predicted = self.probability("edge", part)
        return cost_of_image(self.image(part), step) if predicted is None else cost_of_probability(predicted, step)

    def edge_threshold(self) -> float:
        """Return the threshold of predicted edges that is shown, 0…1."""
        return 0.5 if self._layers.overlay is None else self._layers.overlay.level("edge") / 255

    def brush_radius(self) -> int:
        """Return the radius of the brush in pixels."""
        editable = self._layers.editable
        return 8 if editable is None else max(round(editable.layers["ink"].brush_size / 2), 1)

    def value_to_paint(self, shift: bool) -> LabelValue:
        """Return the label to paint, which Shift exchanges for the other one."""
        return LabelValue.PAPYRUS if self.paints_papyrus != shift else LabelValue.INK

    def show_painting(self, part: Region, mask: npt.NDArray[np.bool_], value: int) -> None:
        """Show what an unfinished stroke will paint in the ink labels."""
        if self._layers.editable is not None:
            self._layers.editable.preview_stroke("ink", part, mask, value)

    def apply(self, blocks: Sequence[Block], tool: str) -> None:
        """Change labels, as one undo step."""
        self._labels.apply(blocks, tool)

    def run_in_background(self, compute: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Compute on a worker thread, and call `then` with the result, unless another project is open by then."""
        annotation = self._labels.annotation

        def events() -> Generator[Any, None, None]:
            yield compute()

        def deliver(result: Any) -> None:
            if annotation is self._labels.annotation:
                then(result)

        # A job stops the previous one of its kind; with a kind for each, a second fill does not stop the first.
        kind = f"tool {next(self._numbers)}"
        self._jobs.run(kind, events(), deliver, on_failure=lambda failure: self.notify(failure.message))
