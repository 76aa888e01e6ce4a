"""Levels of a large picture as lazy arrays: the window never waits, since unread parts are shown coarsely at first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Qt, Signal
from superqt.utils import QSignalThrottler

from napari_ink.gui.layers.reading_errors import ReadingErrors
from napari_ink.stack import CoarseSample, Level, Tiles

if TYPE_CHECKING:
    from napari.layers import Layer

WAIT_S = 0.015
_REFRESH_MS = 30
_CHUNK_PX = 256  # napari slices to multiples of this, so that a small move of the view reads nothing new


class TiledSource(QObject):
    """Source of the tiles of one napari layer, which is redrawn as tiles arrive.

    Parameters
    ----------
    levels
        Levels of the picture, the finest first.
    dtype
        Dtype of the values.
    errors
        Collector of the errors in reading tiles.
    by_layer
        Whether reading a part of a depth layer takes as long as reading a band of rows.
    sample
        Function that returns a sample of the stack's chunks, to show until the tiles arrive, or None.

    Signals: `sampled`, with whether part of the picture is interpolated from the sample.
    """

    sampled = Signal(bool)
    _arrived = Signal()
    _drawn = Signal()

    def __init__(
        self,
        levels: Sequence[Level],
        dtype: np.dtype,
        errors: ReadingErrors,
        by_layer: bool = False,
        sample: Callable[[], CoarseSample | None] = lambda: None,
    ) -> None:
        super().__init__()
        self._errors, self._sample = errors, sample
        self.levels, self.dtype = tuple(levels), np.dtype(dtype)
        self._by_layer = by_layer
        self._tiles: Tiles | None = None
        self._layer: Layer | None = None
        self._is_behind = self._is_sampled = self._is_reported = self._is_held = False
        # Trailing, so that tiles that arrive within one interval cause a single redraw.
        self._arrivals = QSignalThrottler(QSignalThrottler.EmissionPolicy.Trailing, parent=self)
        self._arrivals.setTimeout(_REFRESH_MS)
        self._arrivals.triggered.connect(self._refresh)
        self._arrived.connect(self._on_arrival, Qt.ConnectionType.QueuedConnection)
        # Queued: napari is slicing the layer when the window learns that part of it is sampled.
        self._drawn.connect(self._report_sampled, Qt.ConnectionType.QueuedConnection)

    def arrays(self) -> list[LazyLevel]:
        """Return the levels as arrays ``(z, y, x)`` for napari."""
        return [LazyLevel(self, number) for number in range(len(self.levels))]

    def planes(self) -> list[LazyPlane]:
        """Return the levels of a picture with a single depth layer as arrays ``(y, x)`` for napari."""
        return [LazyPlane(self, number) for number in range(len(self.levels))]

    def attach(self, layer: Layer) -> None:
        """Redraw a napari layer as tiles arrive; from now on, the window waits for tiles for a moment at most."""
        self._layer = layer
        if self._tiles is None:
            self._tiles = Tiles(self.levels, self.dtype, self._by_layer, sample=self._sample())
            self._tiles.on_arrival, self._tiles.on_failure = self._arrived.emit, self._errors.report

    def hold(self) -> None:
        """Show black and read nothing until `release`.

        napari slices the first depth layer as it makes and adds a layer, which would be read on the GUI thread.
        """
        self._is_held = True

    def release(self) -> None:
        """Read what is shown."""
        self._is_held = False
        self._refresh()

    def close(self) -> None:
        """Stop reading tiles in advance; until the next `attach`, each read waits for its result."""
        self._layer = None
        self._is_sampled = self._is_reported = False
        if self._tiles is not None:
            self._tiles.close()
            self._tiles = None

    def layer_of(self, level: int, z: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return a window of one depth layer: on the GUI thread the values available now, elsewhere all values."""
        # napari slices on the GUI thread, which must not wait; other threads compute with the values and need all.
        is_main = threading.current_thread() is threading.main_thread()
        if self._is_held and is_main:
            self._is_behind = True
            return np.zeros((y.stop - y.start, x.stop - x.start), self.dtype)
        if self._tiles is None or not is_main:
            return self.whole_layer(level, z, y, x)
        shown = self._tiles.window(level, z, y, x, WAIT_S)
        self._is_behind |= not shown.is_whole
        self._is_sampled |= shown.is_sampled
        if self._is_sampled != self._is_reported:
            self._drawn.emit()
        return shown.values

    def whole_layer(self, level: int, z: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Read a window of one depth layer completely; on the GUI thread, an unreadable layer is black."""
        return self._errors.black_instead(self.levels[level].read, self.dtype)(slice(z, z + 1), y, x)[0]

    def _on_arrival(self) -> None:
        if self._is_behind:
            self._arrivals.throttle()

    def _refresh(self) -> None:
        if self._layer is not None and self._layer.visible:
            self._is_behind = self._is_sampled = False  # set again below if the redraw still lacks tiles
            self._layer.refresh(extent=False)
            self._report_sampled()

    def _report_sampled(self) -> None:
        if self._layer is not None and self._is_sampled != self._is_reported:
            self._is_reported = self._is_sampled
            self.sampled.emit(self._is_sampled)

    @property
    def is_sampled(self) -> bool:
        """Whether part of the picture is interpolated from the sample."""
        return self._is_sampled


class LazyLevel:
    """One level as an array ``(z, y, x)`` of which napari reads the visible part.

    Indexing a single depth layer returns the values that are available after a moment; the napari layer is redrawn once
    the others have been read. To compute with grey values, read the depth stack, or `numpy.asarray` of this array.
    """

    ndim = 3

    def __init__(self, source: TiledSource, level: int, y: slice | None = None, x: slice | None = None) -> None:
        self._source, self._level = source, level
        depth, height, width = source.levels[level].shape
        self._y, self._x = y or slice(0, height), x or slice(0, width)
        self.shape = (depth, self._y.stop - self._y.start, self._x.stop - self._x.start)
        self.dtype = source.dtype
        self.size = int(np.prod(self.shape, dtype=object))
        self.chunks = (1, _CHUNK_PX, _CHUNK_PX)

    def __getitem__(self, index: Any) -> Any:
        """Return the available values of a window of one depth layer, or a lazy window of all depth layers."""
        parts = index if isinstance(index, tuple) else (index,)
        if Ellipsis in [part for part in parts if part is Ellipsis]:
            return np.asarray(self)[index]
        z, y, x = parts + (slice(None),) * (3 - len(parts))
        rows, columns = _within(y, self._y), _within(x, self._x)
        depth = self.shape[0]
        if isinstance(z, slice) and rows is not None and columns is not None:
            first, last, step = z.indices(depth)
            if (first, last, step) == (0, depth, 1):
                return LazyLevel(self._source, self._level, rows, columns)
            if (last - first, step) == (1, 1):
                return self._source.layer_of(self._level, first, rows, columns)[np.newaxis]
        if rows is None or columns is None or not isinstance(z, int | np.integer):
            return np.asarray(self)[index]
        if not -depth <= z < depth:
            raise IndexError(f"layer {z} is not one of the {depth} layers")
        return self._source.layer_of(self._level, int(z) % depth, rows, columns)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read the whole level, and wait for it."""
        values = self._source.levels[self._level].read(slice(0, self.shape[0]), self._y, self._x)
        return np.asarray(values, dtype)

    def __len__(self) -> int:
        return self.shape[0]


class LazyPlane:
    """One level of a picture with a single depth layer as an array ``(y, x)``, for napari to read the visible part."""

    ndim = 2

    def __init__(self, source: TiledSource, level: int) -> None:
        self._source, self._level = source, level
        _, height, width = source.levels[level].shape
        self.shape, self.dtype = (height, width), source.dtype
        self.size = height * width
        self.chunks = (_CHUNK_PX, _CHUNK_PX)

    def __getitem__(self, index: Any) -> Any:
        """Return the available values of a window."""
        parts = index if isinstance(index, tuple) else (index,)
        whole = [slice(0, length) for length in self.shape]
        if len(parts) == 2 and (y := _within(parts[0], whole[0])) and (x := _within(parts[1], whole[1])):
            return self._source.layer_of(self._level, 0, y, x)
        return np.asarray(self)[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Compute the whole level, and wait for it."""
        height, width = self.shape
        values = self._source.whole_layer(self._level, 0, slice(0, height), slice(0, width))
        return np.asarray(values, dtype)

    def __len__(self) -> int:
        return self.shape[0]


def _within(part: Any, whole: slice) -> slice | None:
    """Return the range of the level that a slice of its range `whole` selects; None for steps other than 1."""
    if not isinstance(part, slice):
        return None
    start, stop, step = part.indices(whole.stop - whole.start)
    return slice(whole.start + start, whole.start + max(start, stop)) if step == 1 else None
