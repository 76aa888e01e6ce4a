"""Regions in the hand: fill one that is enclosed, or grow one from a stroke."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.annotation import EdgeValue, LabelValue, barrier_of, enclosed, grow, straight_path
from napari_ink.errors import LabelError

if TYPE_CHECKING:
    from napari_ink.gui.edit_window import EditWindow
    from napari_ink.gui.tools.bench import Bench
    from napari_ink.gui.tools.tool import Key, Pointer

Mask = npt.NDArray[np.bool_]
_FILL_PX = 1024
_GROW_PX = 96


class FillTool:
    """A click fills the region that edges enclose around it, drawn ones and predicted ones."""

    name = "fill"
    hint = "Click inside a closed outline to fill it with ink (Shift: papyrus)."
    takes_drags = False

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def press(self, at: Pointer) -> None:
        """Fill the region that is clicked."""
        if not self._bench.holds(at.y, at.x):
            return
        part = self._bench.around(at.y, at.x, _FILL_PX)
        y, x = at.pixel
        drawn = self._bench.labels("edge", part)
        values = self._bench.labels("ink", part)
        here = values[y - part.y0, x - part.x0]
        # What has another label already is a border, as in any painting program.
        other = values != here
        try:
            region = self._region(part, drawn, other, y, x)
        except LabelError as error:
            self._bench.say(str(error))
            return
        touched = (drawn == EdgeValue.EDGE) & _beside(region)
        values[region | touched] = LabelValue.PAPYRUS if at.shift else LabelValue.INK
        self._bench.apply([("ink", part.y0, part.x0, values)], self.name)

    def _region(self, part: EditWindow, drawn: npt.NDArray[np.uint8], other: Mask, y: int, x: int) -> Mask:
        """Return the region held by drawn edges, or else by the predicted ones too."""
        row, column = y - part.y0, x - part.x0
        try:
            return enclosed((drawn == EdgeValue.EDGE) | other, row, column)
        except LabelError:
            predicted = self._bench.probability("edge", part)
            if predicted is None:
                raise
            return enclosed(barrier_of(drawn, predicted, self._bench.edge_threshold()) | other, row, column)

    def move(self, at: Pointer, pressed: bool) -> None:
        """Nothing to show."""

    def release(self, at: Pointer) -> None:
        """Nothing: drags move the picture."""

    def double_click(self, at: Pointer) -> None:
        """Nothing to finish."""

    def key(self, key: Key) -> None:
        """Nothing to give up."""

    def drop(self) -> None:
        """Nothing is half done."""


class GrowTool:
    """A drag draws a stroke in ink; on release it grows until edges hold it, within a box around it."""

    name = "grow"
    hint = "Drag a stroke inside the ink; on release it grows up to the edges around it. Undo takes it back."
    takes_drags = True

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._stroke: list[tuple[int, int]] = []

    def press(self, at: Pointer) -> None:
        """Begin a stroke."""
        self._stroke = [at.pixel] if self._bench.holds(at.y, at.x) else []

    def move(self, at: Pointer, pressed: bool) -> None:
        """Draw on."""
        if pressed and self._stroke and self._bench.holds(at.y, at.x):
            self._stroke.append(at.pixel)
            self._bench.preview.draw([self._stroke])

    def release(self, at: Pointer) -> None:
        """Grow the stroke."""
        stroke, self._stroke = self._stroke, []
        self._bench.preview.clear()
        if not stroke:
            return
        part = self._bench.spanning(stroke, _GROW_PX)
        seed = np.zeros(part.shape, bool)
        for start, end in zip(stroke, [*stroke[1:], stroke[-1]], strict=True):
            rows, columns = straight_path(start, end).T
            seed[rows - part.y0, columns - part.x0] = True
        cost = self._bench.edge_cost(part.y0, part.y1, part.x0, part.x1, 1)
        papyrus = self._bench.labels("ink", part) == LabelValue.PAPYRUS
        self._bench.work(lambda: grow(cost, seed, papyrus & ~seed), lambda found: self._grown(part, *found))

    def _grown(self, part: EditWindow, grown: Mask, is_at_border: bool) -> None:
        if is_at_border:
            self._bench.say("The region grew to the border of its box; draw a longer stroke, or an edge where it ends.")
        values = self._bench.labels("ink", part)
        values[grown] = LabelValue.INK
        self._bench.apply([("ink", part.y0, part.x0, values)], self.name)

    def double_click(self, at: Pointer) -> None:
        """Nothing to finish."""

    def key(self, key: Key) -> None:
        """Nothing to give up."""

    def drop(self) -> None:
        """Forget the stroke."""
        self._stroke = []
        self._bench.preview.clear()


def _beside(region: Mask) -> Mask:
    beside: Mask = ndimage.binary_dilation(region, np.ones((3, 3), bool))
    return beside
