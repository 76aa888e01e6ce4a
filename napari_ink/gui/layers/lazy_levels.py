"""Large pictures in a layer that never keep the window waiting: what is not read yet is shown coarsely at first."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Qt, Signal
from superqt.utils import QSignalThrottler

from napari_ink.gui.layers.reading_errors import ReadingErrors
from napari_ink.stack import Level, Tiles

if TYPE_CHECKING:
    from napari.layers import Layer

WAIT_S = 0.015
_REFRESH_MS = 30
_CHUNK_PX = 256  # what is drawn reaches to the next multiple of it, so that a small move needs nothing new


class TiledSource(QObject):
    """The tiles of one layer, which is drawn anew as they arrive.

    Parameters
    ----------
    levels
        The finest first.
    dtype
        Of their values.
    errors
        Gets the errors in reading tiles.
    by_layer
        Whether a part of a layer costs as much as a band of it.
    """

    _arrived = Signal()

    def __init__(self, levels: Sequence[Level], dtype: np.dtype, errors: ReadingErrors, by_layer: bool = False) -> None:
        super().__init__()
        self._errors = errors
        self.levels, self.dtype = tuple(levels), np.dtype(dtype)
        self._by_layer = by_layer
        self._tiles: Tiles | None = None
        self._layer: Layer | None = None
        self._is_behind = False
        # Trailing: several tiles that arrive together are drawn together.
        self._arrivals = QSignalThrottler(QSignalThrottler.EmissionPolicy.Trailing, parent=self)
        self._arrivals.setTimeout(_REFRESH_MS)
        self._arrivals.triggered.connect(self._refresh)
        self._arrived.connect(self._on_arrival, Qt.ConnectionType.QueuedConnection)

    def arrays(self) -> list[LazyLevel]:
        """Return the levels as arrays that napari can show."""
        return [LazyLevel(self, number) for number in range(len(self.levels))]

    def planes(self) -> list[LazyPlane]:
        """Return the levels of what has one layer only, as pictures that napari can show."""
        return [LazyPlane(self, number) for number in range(len(self.levels))]

    def attach(self, layer: Layer) -> None:
        """Draw a layer anew as tiles arrive; from now on the window waits for them no longer than a moment."""
        self._layer = layer
        if self._tiles is None:
            self._tiles = Tiles(self.levels, self.dtype, self._by_layer)
            self._tiles.on_arrival, self._tiles.on_failure = self._arrived.emit, self._errors.report

    def close(self) -> None:
        """Read nothing more ahead; whoever asks waits for what he asked for, until a layer is attached again."""
        self._layer = None
        if self._tiles is not None:
            self._tiles.close()
            self._tiles = None

    def layer_of(self, level: int, z: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return a window of one layer: what there is of it, if the window that shows it asks; else all of it."""
        if self._tiles is None or threading.current_thread() is not threading.main_thread():
            return self.whole_layer(level, z, y, x)
        shown = self._tiles.window(level, z, y, x, WAIT_S)
        self._is_behind |= not shown.is_whole
        return shown.values

    def whole_layer(self, level: int, z: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Read a window of one layer now; black in the window if it cannot be read."""
        return self._errors.black_instead(self.levels[level].read, self.dtype)(slice(z, z + 1), y, x)[0]

    def _on_arrival(self) -> None:
        if self._is_behind:
            self._arrivals.throttle()

    def _refresh(self) -> None:
        if self._layer is not None and self._layer.visible:
            self._is_behind = False  # unless what is drawn now lacks a tile again
            self._layer.refresh(extent=False)


class LazyLevel:
    """One level as an array ``(z, y, x)`` of which napari reads what it shows.

    One layer of the depth gives what is there after a moment, and the layer is drawn again once the rest is; to
    compute with grey values, read the depth stack itself, or `numpy.asarray` of this.
    """

    ndim = 3

    def __init__(self, browser: TiledSource, level: int, y: slice | None = None, x: slice | None = None) -> None:
        self._browser, self._level = browser, level
        depth, height, width = browser.levels[level].shape
        self._y, self._x = y or slice(0, height), x or slice(0, width)
        self.shape = (depth, self._y.stop - self._y.start, self._x.stop - self._x.start)
        self.dtype = browser.dtype
        self.size = int(np.prod(self.shape, dtype=object))
        self.chunks = (1, _CHUNK_PX, _CHUNK_PX)

    def __getitem__(self, index: Any) -> Any:
        """Return a window of a layer as it is there now, or for a range of layers what is read only later."""
        parts = index if isinstance(index, tuple) else (index,)
        if Ellipsis in [part for part in parts if part is Ellipsis]:
            return np.asarray(self)[index]
        z, y, x = parts + (slice(None),) * (3 - len(parts))
        rows, columns = _within(y, self._y), _within(x, self._x)
        depth = self.shape[0]
        if isinstance(z, slice) and rows is not None and columns is not None:
            first, last, step = z.indices(depth)
            if (first, last, step) == (0, depth, 1):
                return LazyLevel(self._browser, self._level, rows, columns)
            if (last - first, step) == (1, 1):
                return self._browser.layer_of(self._level, first, rows, columns)[np.newaxis]
        if rows is None or columns is None or not isinstance(z, int | np.integer):
            return np.asarray(self)[index]
        if not -depth <= z < depth:
            raise IndexError(f"layer {z} lies outside of {depth}")
        return self._browser.layer_of(self._level, int(z) % depth, rows, columns)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read all of it."""
        values = self._browser.levels[self._level].read(slice(0, self.shape[0]), self._y, self._x)
        return np.asarray(values, dtype)

    def __len__(self) -> int:
        return self.shape[0]


class LazyPlane:
    """One level of what has one layer as an array ``(y, x)`` of which napari reads what it shows."""

    ndim = 2

    def __init__(self, browser: TiledSource, level: int) -> None:
        self._browser, self._level = browser, level
        _, height, width = browser.levels[level].shape
        self.shape, self.dtype = (height, width), browser.dtype
        self.size = height * width
        self.chunks = (_CHUNK_PX, _CHUNK_PX)

    def __getitem__(self, index: Any) -> Any:
        """Return a window as it is there now."""
        parts = index if isinstance(index, tuple) else (index,)
        whole = [slice(0, length) for length in self.shape]
        if len(parts) == 2 and (y := _within(parts[0], whole[0])) and (x := _within(parts[1], whole[1])):
            return self._browser.layer_of(self._level, 0, y, x)
        return np.asarray(self)[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Work out all of it."""
        height, width = self.shape
        values = self._browser.whole_layer(self._level, 0, slice(0, height), slice(0, width))
        return np.asarray(values, dtype)

    def __len__(self) -> int:
        return self.shape[0]


def _within(part: Any, whole: slice) -> slice | None:
    """Return the range of the level that a slice of a range of it names; None for anything but forward ranges."""
    if not isinstance(part, slice):
        return None
    start, stop, step = part.indices(whole.stop - whole.start)
    return slice(whole.start + start, whole.start + max(start, stop)) if step == 1 else None
