"""Depth layers as PNG or JPEG pictures: decoded whole, with the last few cached, since people view one for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from napari_ink.decoding import check_regular, decoder_errors
from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import Grey
from napari_ink.stack.image_orientation import UPRIGHT, picture_orientation
from napari_ink.stack.picture_size import check_picture_size
from napari_ink.stack.raw import State, check_unchanged, state_of

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_MODES = {"L": np.uint8, "I;16": np.uint16, "I;16B": np.uint16, "I;16L": np.uint16}
_KEPT_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Picture:
    """The header of one layer's picture.

    Attributes
    ----------
    file
        Path of the picture.
    shape
        Height and width.
    dtype
        uint8 or uint16.
    state
        Size and time of the file when its header was read.
    orientation
        EXIF orientation, 1 to 8; it is not applied.
    """

    file: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    state: State
    orientation: int = UPRIGHT


def read_picture_header(path: Path) -> Picture:
    """Read a picture's header, not its pixels.

    Raises
    ------
    StackError
        If the file is not a grey picture.
    """
    Image.MAX_IMAGE_PIXELS = None  # Pillow takes pictures as large as segments for an attack
    check_regular(path, StackError)
    with decoder_errors(StackError, path, "replace it with the original file"), Image.open(path) as image:
        mode, (width, height) = image.mode, image.size
        if mode not in _MODES:
            raise StackError(f"{path} is not a grey picture (Pillow calls it {mode}); save it as 8- or 16-bit grey.")
        check_picture_size(path, image, StackError)
        orientation = picture_orientation(path, image)
    return Picture(path, (height, width), np.dtype(_MODES[mode]), state_of(path), orientation)


class Pictures:
    """Reader of blocks from layers that are pictures, with a cache of decoded layers.

    Parameters
    ----------
    pictures
        The layers, in order of depth.
    """

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._pictures = pictures
        self._kept: OrderedDict[int, Grey] = OrderedDict()
        self._lock = Lock()

    def __call__(self, z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        """Return a block ``(z, y, x)``; of rows and columns only every `step`-th.

        Raises
        ------
        StackError
            If a picture was removed, changed or damaged since it was opened.
        """
        layers = [
            self._plane(layer)[y.start : y.stop : step, x.start : x.stop : step] for layer in range(z.start, z.stop)
        ]
        if layers:
            return np.stack(layers)
        rows, columns = len(range(y.start, y.stop, step)), len(range(x.start, x.stop, step))
        return np.zeros((0, rows, columns), self._pictures[0].dtype)

    def _plane(self, z: int) -> Grey:
        picture = self._pictures[z]
        check_unchanged(picture.file, picture.state)
        with self._lock:
            if z in self._kept:
                self._kept.move_to_end(z)
                return self._kept[z]
        # Decoded outside of the lock: two threads may decode the same layer, but none waits for another's.
        with decoder_errors(StackError, picture.file, "restore the file"), Image.open(picture.file) as image:
            plane: Grey = np.asarray(image).astype(picture.dtype, copy=False)
        if plane.shape != picture.shape:
            raise StackError(f"{picture.file} contradicts its header; replace it with the original file.")
        with self._lock:
            self._kept[z] = plane
            while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > _KEPT_BYTES:
                self._kept.popitem(last=False)
        return plane
