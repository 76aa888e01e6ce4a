"""Check of the size in a picture's header against the file's size and free memory, before decoding."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from napari_ink.decoding import check_memory, check_regular
from napari_ink.errors import BadInputError

# Deflate encodes up to 258 bytes in two bits, so one byte unpacks to at most 1032.
_MOST_DEFLATED = 1032
_PNG_DEPTH_AT, _PNG_KIND_AT = 24, 25
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_WIDE_MODES = {"I": 4, "F": 4, "I;16": 2, "I;16B": 2, "I;16L": 2, "1": 1, "L": 1, "P": 1}


def check_picture_size(path: Path, image: Image.Image, kind: type[BadInputError]) -> None:
    """Refuse a picture that states more pixels than its file can contain or memory can hold.

    Parameters
    ----------
    path
        File of the picture, for the message and its size.
    image
        Picture as `PIL.Image.open` returns it: its header is read, its pixels are not.
    kind
        Class of the error to raise.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if the picture is too large.
    """
    width, height = image.size
    stored = check_regular(path, kind)
    if image.format == "PNG" and (needed := height * -(-width * png_bits(path) // 8)) > stored * _MOST_DEFLATED:
        raise kind(
            f"{path} states {height} × {width} pixels, {needed} bytes, and its {stored} bytes cannot unpack "
            "to that many; replace it with the original file."
        )
    check_memory(height * width * _WIDE_MODES.get(image.mode, 4), kind, path, "check that it is the right picture")


def png_bits(path: Path, samples: bool = True) -> int:
    """Return the stored bits per pixel of a PNG, or, without `samples`, the bits per channel."""
    with path.open("rb") as file:
        header = file.read(_PNG_KIND_AT + 1)
    return header[_PNG_DEPTH_AT] * (_PNG_SAMPLES.get(header[_PNG_KIND_AT], 1) if samples else 1)
