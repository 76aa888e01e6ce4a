"""Check of the zip archives that torch stores models in, before they are read."""

from __future__ import annotations

import zipfile
from pathlib import Path

from napari_ink.decoding import check_memory, check_regular, decoder_errors
from napari_ink.errors import CheckpointError

_MOST_UNPACKED_BYTES = 2**28


def check_archive(path: Path, kind: str) -> None:
    """Refuse an archive that would unpack to far more memory than the file's size.

    Weights are stored uncompressed; only the code of a TorchScript is compressed.

    Parameters
    ----------
    path
        File to check.
    kind
        Expected kind of file, with an article.

    Raises
    ------
    CheckpointError
        If it is not an archive, or states contents larger than it can hold.
    """
    size = check_regular(path, CheckpointError)
    with decoder_errors(CheckpointError, path, "fetch the file again"):
        # Even the question raises an error if the damaged end of a file names further disks.
        if not zipfile.is_zipfile(path):
            raise CheckpointError(f"{path} is not {kind}, or not the whole of one; fetch the file again.")
        with zipfile.ZipFile(path) as archive:
            claimed = sum(entry.file_size for entry in archive.infolist())
    if claimed > size + _MOST_UNPACKED_BYTES:
        raise CheckpointError(f"{path} claims to hold {claimed} bytes, and has {size}; fetch the file again.")
    check_memory(claimed, CheckpointError, path, "free some, or choose another model")
