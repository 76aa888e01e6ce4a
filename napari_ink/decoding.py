"""Reading files that others wrote: a damaged one ends in one clear sentence, checked before it takes memory."""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_ink.errors import BadInputError, NapariInkError

MOST_METADATA_BYTES = 16 * 2**20
_SHARE_OF_MEMORY = 0.8


@contextmanager
def decoder_errors(kind: type[BadInputError], where: object, remedy: str, as_what: str = "") -> Iterator[None]:
    """Turn whatever a decoder raises over a damaged file into one clear sentence.

    This is the one place where every exception is caught. Decoders of other projects raise anything over damaged
    input: `TypeError` over a tag of the wrong kind, `RecursionError` over deep nesting, classes of their own. A list of
    them would never be complete.

    Parameters
    ----------
    kind
        The error to raise.
    where
        The file, folder or address that is decoded; the sentence begins with it.
    remedy
        What to do about it, without a full stop. Where the system denies access, the sentence says that instead.
    as_what
        What it is read as, such as ``"as Zarr"``.

    Raises
    ------
    BadInputError
        Of class `kind`, in place of anything but our own errors and an interruption.
    """
    failed = f"{where} cannot be read{' ' if as_what else ''}{as_what}"
    try:
        yield
    except NapariInkError:
        raise
    except PermissionError as error:
        place = error.filename or where
        raise kind(f"{place} cannot be read: permission denied; ask for the right to read it.") from error
    except MemoryError as error:
        raise kind(f"{where} asks for more memory than there is; {remedy}.") from error
    except RecursionError as error:
        raise kind(f"{failed} (it is nested too deeply); {remedy}.") from error
    except Exception as error:  # noqa: BLE001
        raise kind(f"{failed} ({reason_of(error)}); {remedy}.") from error


def reason_of(error: BaseException) -> str:
    """Return what an exception says in one line of at most 200 characters; its class where it says nothing."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, KeyError):
        said = f"{said} is missing"
    reason = " ".join(said.split()).rstrip(".") or type(error).__name__
    return reason if len(reason) <= 200 else reason[:199] + "…"


def check_regular(path: Path, kind: type[BadInputError]) -> int:
    """Return a file's size in bytes; refuse pipes, devices and folders, which may never end.

    Raises
    ------
    BadInputError
        Of class `kind`, if it is no regular file, or cannot be looked at.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise kind(f"{path} cannot be read: {(error.strerror or str(error)).lower()}; check the path.") from error
    if not stat.S_ISREG(found.st_mode):
        raise kind(f"{path} is no regular file (a folder, a pipe or a device); name a file.")
    return found.st_size


def check_memory(nbytes: int, kind: type[BadInputError], where: object, remedy: str) -> None:
    """Refuse what would take more than four fifths of the memory that is free now, before any of it is taken.

    Raises
    ------
    BadInputError
        Of class `kind`.
    """
    import psutil

    free = int(psutil.virtual_memory().available * _SHARE_OF_MEMORY)
    if nbytes > free:
        raise kind(
            f"{where} would take {nbytes / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB can be used; {remedy}."
        )


def check_unpacked(nbytes: int, stored: int, times: int, kind: type[BadInputError], where: object) -> None:
    """Refuse what says that it unpacks to more than its compression can, before any memory is taken for it.

    Parameters
    ----------
    nbytes
        Bytes that it says it has once unpacked.
    stored
        Bytes that it has as it is stored.
    times
        How many bytes one stored byte can become at most; 1032 with deflate.
    kind, where
        The error to raise, and the file that the sentence begins with.

    Raises
    ------
    BadInputError
        Of class `kind`.
    """
    if nbytes > stored * times:
        raise kind(
            f"{where} is damaged: it speaks of {nbytes} bytes, and the {stored} that are stored can't unpack to so "
            "many; replace it with the original file."
        )


def read_bounded(path: Path, kind: type[BadInputError], most_bytes: int = MOST_METADATA_BYTES) -> bytes:
    """Return the bytes of a small file, such as metadata.

    Raises
    ------
    BadInputError
        Of class `kind`, if it is no regular file, larger than `most_bytes`, or cannot be read.
    """
    size = check_regular(path, kind)
    if size > most_bytes:
        raise kind(f"{path} has {size} bytes, and at most {most_bytes} are read; check that it is the right file.")
    with decoder_errors(kind, path, "copy it again"), path.open("rb") as file:
        return file.read(most_bytes)


def read_document(path: Path, kind: type[BadInputError], grows: int, remedy: str) -> bytes:
    """Return the bytes of a file that is parsed as a whole, if what it becomes has room in memory.

    Parameters
    ----------
    path
        The file.
    kind
        The error to raise.
    grows
        How many bytes one byte of the file becomes when it is parsed.
    remedy
        What to do where there is no room, without a full stop.

    Raises
    ------
    BadInputError
        Of class `kind`, if it is no regular file, too large, or cannot be read.
    """
    size = check_regular(path, kind)
    check_memory(size * grows, kind, path, remedy)
    return read_bounded(path, kind, max(size, 1))


def decode_text(data: bytes, kind: type[BadInputError], where: object) -> str:
    """Return text as editors of any system save it: UTF-8 with or without a byte order mark, or UTF-16 with one.

    Raises
    ------
    BadInputError
        Of class `kind`, if it is something else.
    """
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    with decoder_errors(kind, where, "save it as UTF-8 text"):
        return data.decode("utf-16" if utf16 else "utf-8-sig")


def parse_json(data: bytes | str, kind: type[BadInputError], where: object) -> Any:
    """Return what JSON holds; NaN and infinity, which JSON does not have, are refused.

    Raises
    ------
    BadInputError
        Of class `kind`, if it is no JSON, or nested too deeply.
    """
    text = data if isinstance(data, str) else decode_text(data, kind, where)
    with decoder_errors(kind, where, "write it again"):
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is too large a number")
    return value
