"""Uncompressed arrays in a file: read by system calls, or by ranges of bytes from an address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.decoding import decoder_errors
from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import Grey
from napari_ink.stack.file_blocks import read_block

if TYPE_CHECKING:
    from napari_ink.stack.remote import RemoteFile

State = tuple[int, int]


def state_of(file: Path | RemoteFile) -> State:
    """Return a file's size and modification time in nanoseconds, to detect later changes."""
    if isinstance(file, Path):
        found = file.stat()
        return found.st_size, found.st_mtime_ns
    return file.size, 0


def check_unchanged(file: Path | RemoteFile, state: State) -> None:
    """Refuse a file that changed since its header was read.

    Raises
    ------
    StackError
        If the file has changed or cannot be found.
    """
    try:
        now = state_of(file)
    except OSError as error:
        raise StackError(f"{file} can no longer be read ({error.strerror}); restore the file.") from error
    if now != state:
        raise changed(file)


def changed(file: Path | RemoteFile) -> StackError:
    """Return the error for a file that changed since the stack was opened."""
    return StackError(f"{file} has changed since the stack was opened; open the stack again.")


@dataclass(frozen=True)
class RawArray:
    """An uncompressed array ``(z, y, x)`` in a file.

    Attributes
    ----------
    file
        The file, local or remote.
    stored
        Dtype of the array, with its byte order.
    offset
        Byte at which the array begins.
    shape
        Depth layers, height and width.
    state
        Size and time of the file when its header was read.
    order
        ``"C"``, or ``"F"`` if the first axis is contiguous.

    Raises
    ------
    StackError
        If the file is too short for the array.
    """

    file: Path | RemoteFile
    stored: np.dtype[Any]
    offset: int
    shape: tuple[int, int, int]
    state: State
    order: str = "C"

    def __post_init__(self) -> None:
        # Python integers, since a damaged header may state a size that overflows 64 bits.
        length = int(np.prod(self.shape, dtype=object)) * self.stored.itemsize
        needed = max(self.offset, 0) + length
        if self.offset < 0 or needed > self.state[0]:
            raise StackError(
                f"{self.file} is cut short: it has {self.state[0]} bytes and its header states {needed}; copy it again."
            )

    def __call__(self, z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        """Return a block ``(z, y, x)``; of rows and columns only every `step`-th.

        Raises
        ------
        StackError
            If the file was removed or changed since it was opened.
        """
        check_unchanged(self.file, self.state)
        y, x = slice(y.start, y.stop, step), slice(x.start, x.stop, step)
        if not isinstance(self.file, Path):
            return self._fetch(z, y, x)
        with decoder_errors(StackError, self.file, "restore the file"):
            try:
                with self.file.open("rb", buffering=0) as file:
                    if self.order == "F":
                        block = read_block(file, self.stored, self.offset, self.shape[::-1], (x, y, z))
                        return np.ascontiguousarray(block.T)
                    return read_block(file, self.stored, self.offset, self.shape, (z, y, x))
            except EOFError:
                raise changed(self.file) from None  # truncated after the check above

    def _fetch(self, z: slice, y: slice, x: slice) -> Grey:
        """Fetch whole rows of each layer in one request, and cut the columns out of them."""
        assert not isinstance(self.file, Path)
        _, height, width = self.shape
        row_bytes = width * self.stored.itemsize
        block: Grey = np.empty(
            (z.stop - z.start, len(range(y.start, y.stop, y.step)), len(range(x.start, x.stop, x.step))), self.stored
        )
        for at, layer in enumerate(range(z.start, z.stop)):
            start = self.offset + (layer * height + y.start) * row_bytes
            data = self.file.fetch(start, start + (y.stop - y.start) * row_bytes)
            rows = np.frombuffer(data, self.stored).reshape(y.stop - y.start, width)
            block[at] = rows[:: y.step, x]
        return block
