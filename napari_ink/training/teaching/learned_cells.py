"""Which cells of a segment a taught model has learned from, so that a later lesson can compare with it fairly.

A model in use looks too good on strokes that it has learned; only those that were painted since can judge it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_ink.decoding import decoder_errors, parse_json, read_bounded
from napari_ink.durable import write_bytes
from napari_ink.errors import ProjectError
from napari_ink.training.teaching.corrections import Corrections

_FORGET = "teach again, so that it is written anew"

Cells = npt.NDArray[np.bool_]


def save_learned_cells(path: Path, corrections: Sequence[Corrections]) -> None:
    """Write which cells are labelled, by stack.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    stated = {_name(one): _packed(one.units.plane >= 0) for one in corrections}
    write_bytes(path, json.dumps(stated).encode())


def new_units(path: Path, corrections: Sequence[Corrections]) -> npt.NDArray[np.bool_]:
    """Return for each unit, numbered through all projects, whether most of it was labelled after the file was written.

    Raises
    ------
    ProjectError
        If the file is missing or damaged.
    """
    stated = parse_json(read_bounded(path, ProjectError), ProjectError, path)
    found = []
    for one in corrections:
        plane = one.units.plane
        with decoder_errors(ProjectError, path, _FORGET):
            text = stated.get(_name(one))
            learned = np.zeros(plane.shape, bool) if text is None else _unpacked(text, plane.shape)
        count = len(one.units.units)
        cells, known = (np.bincount(plane[part], minlength=count) for part in (plane >= 0, (plane >= 0) & learned))
        found.append(2 * known < cells)
    return np.concatenate(found)


def _name(one: Corrections) -> str:
    return hashlib.sha256(one.stack.fingerprint().encode()).hexdigest()


def _packed(cells: Cells) -> str:
    return base64.b64encode(zlib.compress(np.packbits(cells).tobytes(), 9)).decode()


def _unpacked(text: str, shape: tuple[int, ...]) -> Cells:
    size = -(-shape[0] * shape[1] // 8)
    unpacker = zlib.decompressobj()
    # Bounded, since a damaged file could unpack to any size.
    content = unpacker.decompress(base64.b64decode(text, validate=True), size)
    if len(content) != size:
        raise ValueError(f"it holds {len(content)} bytes for {size}")
    bits = np.unpackbits(np.frombuffer(content, np.uint8), count=shape[0] * shape[1])
    return bits.reshape(shape).astype(bool)
