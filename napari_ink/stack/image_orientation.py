"""Orientation that images state, which is not applied on reading: notes say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from napari_ink.decoding import decoder_errors
from napari_ink.errors import StackError

TAG = 274
UPRIGHT = 1
# What a viewer that applies the tag does, by its value; the same in TIFF and in EXIF of PNG and JPEG.
_SHOWN = {
    2: "mirrored left to right",
    3: "turned by 180°",
    4: "mirrored top to bottom",
    5: "mirrored along its diagonal",
    6: "turned by 90° clockwise",
    7: "mirrored along its other diagonal",
    8: "turned by 90° anticlockwise",
}
# If EXIF follows the pixels of a PNG, it is among the last chunks.
_TAIL_BYTES = 2**16


def orientation_of(value: Any) -> int:
    """Return the orientation that a tag states, 1 to 8; 1 if it is not a valid one."""
    return value if isinstance(value, int) and value in _SHOWN else UPRIGHT


def picture_orientation(path: Path, image: Image.Image) -> int:
    """Return the orientation that the EXIF or XMP of a picture states, 1 without one; no pixel is decoded.

    Parameters
    ----------
    path
        File of the picture, for the message.
    image
        As `PIL.Image.open` returns it.
    """
    try:
        with decoder_errors(StackError, path, "save it without EXIF"):
            # PNG's own method decodes the whole picture if no EXIF comes before its pixels.
            stated = Image.Image.getexif(image).get(TAG)
            if stated is None and image.format == "PNG":
                stated = _exif_after_pixels(path).get(TAG)
    except StackError:
        return UPRIGHT  # EXIF that cannot be read is ignored; only the pixels matter
    return orientation_of(stated)


def _exif_after_pixels(path: Path) -> Image.Exif:
    exif = Image.Exif()
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
        tail = file.read(_TAIL_BYTES)
    at = tail.find(b"eXIf")
    if at >= 4:
        exif.load(tail[at + 4 : at + 4 + int.from_bytes(tail[at - 4 : at])])
    return exif


def note_on_layers(orientations: Sequence[int]) -> str:
    """Return a note on layers that state an orientation; empty if all are upright."""
    turned = Counter(one for one in orientations if one != UPRIGHT)
    if not turned:
        return ""
    which = (
        "All layers ask"
        if turned.total() == len(orientations)
        else f"{turned.total()} of {len(orientations)} layers ask"
    )
    ways = " or ".join(f"{_SHOWN[one]} (orientation {one})" for one in sorted(turned))
    return (
        f"{which} to be shown {ways}, and all are read as they are stored: masks and labels of another program fit "
        "only if it did so too."
    )


def note_on_plane(path: Path, orientation: int) -> str:
    """Return a note on a mask or label image that states an orientation; empty if it is upright."""
    if orientation == UPRIGHT:
        return ""
    return (
        f"{path} asks to be shown {_SHOWN[orientation]} (orientation {orientation}), and is read as it is stored; if "
        "it does not lie on the stack then, turn its pixels and save it without an orientation."
    )
