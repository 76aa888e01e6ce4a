"""Masks as PGM, a picture with a header of three words: example of a format."""

from pathlib import Path

import numpy as np

from napari_ink.decoding import check_regular, decoder_errors
from napari_ink.errors import LabelError
from napari_ink.export import INK_MASK, LabelPlane, plane_of

_LONGEST_HEADER = 64


def write_pgm(plane: LabelPlane, path: Path) -> None:
    """Write a mask as a binary PGM of 8 bits, a band of rows at a time."""
    height, width = plane.shape
    with path.open("wb") as file:
        file.write(f"P5 {width} {height} 255\n".encode())
        for band in plane.bands():  # memory does not grow with the segment
            file.write(np.ascontiguousarray(band).data)


def read_pgm(path: Path, shape: tuple[int, int] | None, threshold: float | None = None) -> LabelPlane:
    """Open a binary PGM as a lazy plane; see `Format.read`.

    Raises
    ------
    LabelError
        If the file is no such picture, or shorter than its header says.
    """
    check_regular(path, LabelError)  # neither a pipe nor a device
    # Whatever goes wrong inside becomes one sentence with the path and the remedy.
    with decoder_errors(LabelError, path, "save it as a binary PGM of 8 bits"):
        with path.open("rb") as file:
            header = file.read(_LONGEST_HEADER).split(b"\n")[0]
        kind, width, height, highest = header.split()
        if kind != b"P5" or int(highest) > 255:
            raise ValueError("it is no binary PGM of 8 bits")
        size = (int(height), int(width))
        values = np.memmap(path, np.uint8, "r", offset=len(header) + 1, shape=size)
    return plane_of(values, INK_MASK)
