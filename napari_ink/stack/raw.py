"""Values that lie uncompressed in a file, one after the other: read by ordinary calls, or by ranges from afar."""

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
    """Return a file's size and the time it was changed last, by which a change is noticed."""
    if isinstance(file, Path):
        said = file.stat()
        return said.st_size, said.st_mtime_ns
    return file.size, 0


def check_unchanged(file: Path | RemoteFile, state: State) -> None:
    """Refuse to read on in a file that is not what it was when its header was read.

    Raises
    ------
    StackError
        If it has changed or is gone.
    """
    try:
        now = state_of(file)
    except OSError as error:
        raise StackError(f"{file} can no longer be read ({error.strerror}); restore the file.") from error
    if now != state:
        raise changed(file)


def changed(file: Path | RemoteFile) -> StackError:
    """Return the error that a file is not what it was."""
    return StackError(f"{file} has changed since the stack was opened; open the stack again.")


@dataclass(frozen=True)
class RawArray:
    """An array ``(z, y, x)`` that lies in a file as it is in memory.

    Attributes
    ----------
    file
        The file.
    stored
        Byte order, kind and size of its values.
    offset
        Where its first byte lies.
    shape
        Depth layers, height and width.
    order
        ``"C"``, or ``"F"`` where the first axis runs fastest.
    state
        The file's, when its header was read.
    """

    file: Path | RemoteFile
    stored: np.dtype[Any]
    offset: int
    shape: tuple[int, int, int]
    state: State
    order: str = "C"

    def __post_init__(self) -> None:
        length = int(np.prod(self.shape, dtype=object)) * self.stored.itemsize
        needed = max(self.offset, 0) + length
        if self.offset < 0 or needed > self.state[0]:
            raise StackError(
                f"{self.file} is cut short: it has {self.state[0]} bytes and its header speaks of "
                f"{needed}; copy it again."
            )

    def __call__(self, z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        """Read a block, of rows and columns only every `step`-th.

        Raises
        ------
        StackError
            If the file has gone or changed since it was opened.
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
                raise changed(self.file) from None  # it was cut just now

    def _fetch(self, z: slice, y: slice, x: slice) -> Grey:
        """Fetch whole rows of each layer, and cut the columns out of them."""
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
