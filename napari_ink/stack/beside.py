"""The masks and labels that lie beside a stack, and how they are read."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, UnidentifiedImageError

from napari_ink.errors import LabelError
from napari_ink.stack.depth_stack import DepthStack
from napari_ink.stack.opening import LAYER_FOLDERS
from napari_ink.stack.tiff import READ_ERRORS

_SUFFIXES = (".png", ".tif", ".tiff")


@dataclass(frozen=True)
class SegmentFiles:
    """What was found beside a stack; None where there is no such file."""

    mask: Path | None
    ink_labels: Path | None
    supervision_mask: Path | None = None
    validation_mask: Path | None = None


def find_beside(stack: DepthStack) -> SegmentFiles:
    """Find a stack's masks and ink labels by the names that segments and fragments give them."""
    home = stack.home
    if home is None:
        return SegmentFiles(None, None)
    # In a folder with other segments, a bare mask.png may be another's.
    source = Path(stack.source)
    plain = source == home or source.name in LAYER_FOLDERS

    def find(kind: str) -> Path | None:
        stems = (f"{stack.name}_{kind}", kind) if plain else (f"{stack.name}_{kind}",)
        return next((found for stem in stems if (found := _newest(home, stem)) is not None), None)

    return SegmentFiles(find("mask"), find("inklabels"), find("supervision_mask"), find("validation_mask"))


def find_mask_of_labels(labels: Path, kind: str) -> Path | None:
    """Find the mask that goes with ``<segment>_inklabels[_vN]``: of the same version, as one of another may not fit.

    Parameters
    ----------
    labels
        The image of ink labels.
    kind
        ``"supervision_mask"`` or ``"validation_mask"``.
    """
    if "inklabels" not in labels.stem:
        return None
    stem = labels.stem.replace("inklabels", kind)
    return _first_file(labels.with_name(stem + suffix) for suffix in (labels.suffix, *_SUFFIXES))


def _newest(home: Path, stem: str) -> Path | None:
    """Return the image ``<stem>_vN`` of the highest version, or the one without a version if there is no other."""
    plain = _first_file(home / f"{stem}{suffix}" for suffix in _SUFFIXES)
    versions = [
        (int(path.stem.rpartition("_v")[2]), path)
        for path in home.glob(f"{glob.escape(stem)}_v*")
        if path.suffix in _SUFFIXES and path.stem.rpartition("_v")[2].isdecimal() and path.is_file()
    ]
    return max(versions)[1] if versions else plain


def _first_file(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


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
