"""Mask and label planes in pictures that Pillow reads, mostly PNG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_ink.decoding import check_memory, decoder_errors
from napari_ink.errors import LabelError
from napari_ink.mask_meaning import LABELS_KEY, LABELS_TEXT, Colour, Samples
from napari_ink.stack.image_orientation import note_on_plane, picture_orientation
from napari_ink.stack.picture_size import check_picture_size, png_bits
from napari_ink.stack.plane import StoredPlane, check_plane, grey_of_colours

_SAVE_GREY = "save it as a grey PNG or TIFF"
_GREY_MODES = {"1": 1, "L": 8, "P": 8, "I;16": 16, "I;16B": 16, "I;16L": 16, "I": None, "F": None}
_COLOUR_MODES = ("LA", "RGB", "RGBA")
# Pillow multiplies greys of 2 and 4 bits by these factors, to fill 8 bits.
_STRETCHED = {2: 85, 4: 17}


@contextmanager
def opened_picture_plane(path: Path) -> Iterator[StoredPlane]:
    """Open a grey or palette picture; reading any rows decodes all of it.

    Raises
    ------
    LabelError
        If the picture cannot be read; also raised later, while it is open.
    """
    # Pillow takes pictures as large as segments for an attack; `check_picture_size` compares size and file instead.
    Image.MAX_IMAGE_PIXELS = None
    with decoder_errors(LabelError, path, _SAVE_GREY):
        image = Image.open(path)
    with image:
        check_picture_size(path, image, LabelError)
        if image.format == "PNG" and image.mode in _COLOUR_MODES and png_bits(path, samples=False) == 16:
            yield _wide_plane(path, image)
            return
        width, height = image.size
        stretched = _STRETCHED.get(png_bits(path, samples=False), 1) if image.format == "PNG" else 1
        stretched = stretched if image.mode == "L" else 1

        def read(y: slice) -> npt.NDArray[Any]:
            with decoder_errors(LabelError, path, _SAVE_GREY):
                return _values(image.crop((0, y.start, width, y.stop)), path) // np.uint8(stretched)

        # One row shows the number of channels and the dtype, before other code relies on them.
        first = read(slice(0, min(1, height)))
        check_plane((height, *first.shape[1:]), first.dtype, path)
        yield StoredPlane(path, (height, width), first.dtype, _samples(path, image, stretched), read)


def _wide_plane(path: Path, image: Image.Image) -> StoredPlane:
    """Read a whole PNG with 16-bit colours; Pillow would keep only the upper 8 bits, in which small values are 0."""
    import imagecodecs

    width, height = image.size
    check_memory(height * width * 4 * np.dtype(np.uint16).itemsize, LabelError, path, _SAVE_GREY)
    with decoder_errors(LabelError, path, _SAVE_GREY):
        values = np.ascontiguousarray(grey_of_colours(imagecodecs.png_decode(path.read_bytes()), path))
    check_plane(values.shape, values.dtype, path)
    samples = replace(_samples(path, image, 1), bits=16)
    return StoredPlane(path, values.shape, values.dtype, samples, lambda y: values[y])


def _values(image: Image.Image, path: Path) -> npt.NDArray[Any]:
    """Return grey values, or palette indices."""
    if image.mode in _GREY_MODES:
        return np.asarray(image)
    if image.mode in _COLOUR_MODES:
        return grey_of_colours(np.asarray(image), path)
    return grey_of_colours(np.asarray(image.convert("RGBA")), path)


def _samples(path: Path, image: Image.Image, stretched: int) -> Samples:
    text = image.info.get(LABELS_KEY, "")
    are_labels = isinstance(text, str) and text.startswith(LABELS_TEXT)
    bits = {85: 2, 17: 4}.get(stretched) or _GREY_MODES.get(image.mode, 8)
    note = note_on_plane(path, picture_orientation(path, image))
    return Samples(bits, _palette(image), are_labels, note=note)


def _palette(image: Image.Image) -> tuple[Colour, ...]:
    if image.mode != "P":
        return ()
    parts = image.getpalette("RGB") or []
    return tuple((red, green, blue) for red, green, blue in zip(*[iter(parts)] * 3, strict=True))
