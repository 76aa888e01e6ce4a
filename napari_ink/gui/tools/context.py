"""What tools work with: labels, predictions and grey values around a place, and a way to change labels."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import cost_of_image, cost_of_probability
from napari_ink.gui.layers.tool_preview import ToolPreview
from napari_ink.gui.models.edit_window import EditWindow
from napari_ink.typing import LabelKind, UInt8Array

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.layers.label_layers import Block
    from napari_ink.gui.layers.manager import LayerManager


class ToolContext:
    """Labels, predictions and the picture of the segment, wherever a tool asks for them.

    Parameters
    ----------
    layers
        The viewer's layers.
    labels
        The labels.
    jobs
        Runs what takes long.
    notify
        Shows the user a sentence.

    Attributes
    ----------
    preview : ToolPreview
        Draws what a tool is about to do.
    """

    def __init__(
        self, layers: LayerManager, labels: LabelsController, jobs: JobRunner, notify: Callable[[str], None]
    ) -> None:
        self._layers, self._labels, self._jobs = layers, labels, jobs
        self.notify = notify
        self._numbers = count()
        self.preview = ToolPreview()

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the segment."""
        annotation = self._labels.annotation
        return (0, 0) if annotation is None else annotation.shape

    def around(self, y: float, x: float, margin: int) -> EditWindow:
        """Return the part within `margin` pixels of a place, cut off at the segment's edge."""
        return self.spanning([(y, x)], margin)

    def spanning(self, places: Sequence[tuple[float, float]], margin: int) -> EditWindow:
        """Return the least part that holds every place with `margin` pixels around it."""
        height, width = self.shape
        rows, columns = [round(y) for y, _ in places], [round(x) for _, x in places]
        return EditWindow(
            max(min(rows) - margin, 0),
            min(max(rows) + margin + 1, height),
            max(min(columns) - margin, 0),
            min(max(columns) + margin + 1, width),
        )

    def holds(self, y: float, x: float) -> bool:
        """Whether a place lies on the segment."""
        return -0.5 <= y < self.shape[0] - 0.5 and -0.5 <= x < self.shape[1] - 0.5

    def visible_region(self) -> EditWindow | None:
        """Return the part in sight."""
        return self._layers.viewport.visible_region()

    def labels(self, what: LabelKind, part: EditWindow) -> UInt8Array:
        """Return label values ``(y, x)``, an array of its own."""
        annotation = self._labels.annotation
        if annotation is None:
            return np.zeros(part.shape, np.uint8)
        return annotation.read(what, (part.y0, part.y1), (part.x0, part.x1))

    def probability(self, what: LabelKind, part: EditWindow) -> UInt8Array | None:
        """Return predicted probabilities ``(y, x)`` as 0…255, or None where nothing is predicted."""
        if self._layers.overlay is None:
            return None
        seen = self._layers.overlay.probabilities(what)[part.y0 : part.y1, part.x0 : part.x1]
        return seen if seen.any() else None

    def image(self, part: EditWindow) -> npt.NDArray[np.float32]:
        """Return the grey values ``(y, x)`` of the depth layer in sight."""
        return self._layers.viewport.image(part)

    def edge_cost(self, y0: int, y1: int, x0: int, x1: int, step: int) -> npt.NDArray[np.float32]:
        """Return what an outline costs there: by the predicted edges, or by the picture where nothing is predicted."""
        part = EditWindow(y0, y1, x0, x1)
        predicted = self.probability("edge", part)
        return cost_of_image(self.image(part), step) if predicted is None else cost_of_probability(predicted, step)

    def edge_threshold(self) -> float:
        """Return where predicted edges are cut now, 0…1."""
        return 0.5 if self._layers.overlay is None else self._layers.overlay.level("edge") / 255

    def brush_radius(self) -> int:
        """Return the radius of the brush in pixels."""
        editable = self._layers.editable
        return 8 if editable is None else max(round(editable.layers["ink"].brush_size / 2), 1)

    def show_painting(self, part: EditWindow, mask: npt.NDArray[np.bool_], value: int) -> None:
        """Show what a stroke in hand is going to paint in the ink labels."""
        if self._layers.editable is not None:
            self._layers.editable.preview_stroke("ink", part, mask, value)

    def apply(self, blocks: Sequence[Block], tool: str) -> None:
        """Change labels, as one step to undo."""
        self._labels.apply(blocks, tool)

    def run_in_background(self, compute: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Compute on a thread, and go on with the result on this one; dropped if another project is open by then."""
        annotation = self._labels.annotation

        def events() -> Generator[Any, None, None]:
            yield compute()

        def deliver(result: Any) -> None:
            if annotation is self._labels.annotation:
                then(result)

        kind = f"tool {next(self._numbers)}"  # a second fill does not drop the first
        self._jobs.run(kind, events(), deliver, on_failure=lambda failure: self.notify(failure.message))
