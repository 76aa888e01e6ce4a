"""One grey plane of a segment as a PNG or TIFF image, such as a mask or labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, UnidentifiedImageError

from napari_ink.errors import LabelError
from napari_ink.stack.picture_size import check_picture_size
from napari_ink.stack.tiff import READ_ERRORS


def read_plane(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read a grey PNG or TIFF image ``(y, x)`` as it is.

    Raises
    ------
    LabelError
        If there is none, or it is not a grey image of whole numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise LabelError(f"There is no image at {path}; check the path.")
    if path.suffix.lower() in (".tif", ".tiff"):
        with _explaining(path):
            plane = tifffile.imread(path)
    else:
        with opened_picture(path) as image:
            plane = grey_of(image)
    if plane.ndim > 2 and plane.size == plane.shape[-2] * plane.shape[-1]:
        plane = plane.reshape(plane.shape[-2:])  # a stack of one page
    check_plane(plane.shape, plane.dtype, path)
    return plane


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """Open a picture with Pillow, which decodes all of it where a part is looked at.

    Raises
    ------
    LabelError
        If it cannot be read, also later, while it is open.
    """
    # Segments are larger than Pillow takes for an attack; their size is checked against the stack's instead.
    Image.MAX_IMAGE_PIXELS = None
    with _explaining(path), Image.open(path) as image:
        check_picture_size(path, image, LabelError)
        yield image


def grey_of(image: Image.Image) -> npt.NDArray[Any]:
    """Return a picture's values; grey ones where it stores them in another way."""
    return np.asarray(image.convert("L") if image.mode in ("1", "P", "LA") else image)


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except (*READ_ERRORS, UnidentifiedImageError, SyntaxError) as error:  # SyntaxError: Pillow, over broken PNGs
        reason = " ".join(str(error).split())
        raise LabelError(f"{path} cannot be read as an image ({reason}); save it as a grey PNG or TIFF.") from error


def check_plane(shape: tuple[int, ...], dtype: np.dtype[Any], path: Path) -> None:
    """Refuse what is not a grey plane of whole numbers.

    Raises
    ------
    LabelError
        If it is not.
    """
    if len(shape) != 2 or dtype.kind not in "bui":
        raise LabelError(f"{path} has the shape {shape} and {dtype} values; save it as one grey plane of 8 or 16 bits.")


def crop_plane(plane: npt.NDArray[Any], shape: tuple[int, int], path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Cut a plane to `shape` at its bottom and right: label images are padded there, never resized.

    Raises
    ------
    LabelError
        If the plane is smaller than `shape`.
    """
    check_size(plane.shape, shape, path)
    return plane[: shape[0], : shape[1]]


def check_size(size: tuple[int, ...], shape: tuple[int, int], path: str | os.PathLike[str]) -> None:
    """Refuse a plane that is smaller than a stack's height and width `shape`.

    Raises
    ------
    LabelError
        If it is.
    """
    if size[0] < shape[0] or size[1] < shape[1]:
        raise LabelError(
            f"{path} is {size[0]} × {size[1]} pixels, smaller than the stack's {shape[0]} × {shape[1]}; "
            "use an image of the same segment."
        )
