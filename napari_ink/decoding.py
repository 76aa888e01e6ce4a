"""Safe reading of files from other programs: damaged ones raise one clear sentence, before they take memory."""

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
    """Turn any exception that a decoder raises for a damaged file into one clear sentence.

    This is the only place that catches every exception. Decoders of other projects raise anything for damaged input:
    `TypeError` for a tag of the wrong kind, `RecursionError` for deep nesting, classes of their own. A list of them
    would never be complete.

    Parameters
    ----------
    kind
        Class of the error to raise.
    where
        File, folder or address that is decoded; the sentence begins with it.
    remedy
        What to do about it, without a full stop. If access is denied, the sentence says that instead.
    as_what
        Format that it is read as, such as ``"as Zarr"``.

    Raises
    ------
    BadInputError
        As an instance of `kind`, in place of any error but our own ones and interruptions.
    """
    failed = f"{where} cannot be read{' ' if as_what else ''}{as_what}"
    try:
        yield
    except NapariInkError:
        raise
    except PermissionError as error:
        # The file that may not be read can be one inside of a folder: name that one.
        raise _denied(kind, error.filename or where) from error
    except MemoryError as error:
        raise kind(f"{where} asks for more memory than there is; {remedy}.") from error
    except RecursionError as error:
        raise kind(f"{failed} (it is nested too deeply); {remedy}.") from error
    except Exception as error:  # noqa: BLE001
        raise kind(f"{failed} ({reason_of(error)}); {remedy}.") from error


def reason_of(error: BaseException) -> str:
    """Return the message of an exception in one line of at most 200 characters, or its class if it has none."""
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, KeyError):
        message = f"{message} is missing"
    reason = " ".join(message.split()).rstrip(".") or type(error).__name__
    return reason if len(reason) <= 200 else reason[:199] + "…"


def _denied(kind: type[BadInputError], place: object) -> BadInputError:
    return kind(f"{place} cannot be read: permission denied; ask for the right to read it.")


def exists(path: Path, kind: type[BadInputError]) -> bool:
    """Return whether there is a file or folder at a path.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if access to a parent folder is denied, so that the answer is unknown.
    """
    try:
        return path.exists()
    except PermissionError as error:
        raise _denied(kind, path) from error


def check_regular(path: Path, kind: type[BadInputError]) -> int:
    """Return a file's size in bytes; refuse pipes, devices and folders, which may never end.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if it is not a regular file, or cannot be examined.
    """
    try:
        found = path.stat()
    except PermissionError as error:
        raise _denied(kind, path) from error
    except OSError as error:
        raise kind(f"{path} cannot be read: {(error.strerror or str(error)).lower()}; check the path.") from error
    if not stat.S_ISREG(found.st_mode):
        raise kind(f"{path} is not a regular file (a folder, a pipe or a device); name a file.")
    return found.st_size


def check_memory(nbytes: int, kind: type[BadInputError], where: object, remedy: str) -> None:
    """Refuse data that would take more than four fifths of the free memory, before any of it is allocated.

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
    """Refuse data that states a larger unpacked size than its compression allows, before memory is allocated for it.

    Parameters
    ----------
    nbytes
        Stated size after unpacking, in bytes.
    stored
        Size as stored, in bytes.
    times
        Most bytes that one stored byte can unpack to; 1032 with Deflate.
    kind, where
        Class of the error to raise, and file that the sentence begins with.

    Raises
    ------
    BadInputError
        Of class `kind`.
    """
    if nbytes > stored * times:
        raise kind(
            f"{where} is damaged: it states {nbytes} bytes, and the {stored} stored ones cannot unpack to that many; "
            "replace it with the original file."
        )


def read_bounded(path: Path, kind: type[BadInputError], most_bytes: int = MOST_METADATA_BYTES) -> bytes:
    """Return the bytes of a small file, such as metadata.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if it is not a regular file, larger than `most_bytes`, or cannot be read.
    """
    size = check_regular(path, kind)
    if size > most_bytes:
        raise kind(f"{path} has {size} bytes, and at most {most_bytes} are read; check that it is the right file.")
    with decoder_errors(kind, path, "copy it again"), path.open("rb") as file:
        return file.read(most_bytes)


def read_document(path: Path, kind: type[BadInputError], grows: int, remedy: str) -> bytes:
    """Return the bytes of a file that is parsed as a whole, if the parsed result fits in memory.

    Parameters
    ----------
    path
        File to read.
    kind
        Class of the error to raise.
    grows
        Bytes of memory that one byte of the file takes after parsing.
    remedy
        What to do if it does not fit, without a full stop.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if it is not a regular file, too large, or cannot be read.
    """
    size = check_regular(path, kind)
    check_memory(size * grows, kind, path, remedy)
    return read_bounded(path, kind, max(size, 1))


def decode_text(data: bytes, kind: type[BadInputError], where: object) -> str:
    """Decode text in the encodings that editors use: UTF-8 with or without a byte order mark, or UTF-16 with one.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if it has another encoding.
    """
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    with decoder_errors(kind, where, "save it as UTF-8 text"):
        return data.decode("utf-16" if utf16 else "utf-8-sig")


def parse_json(data: bytes | str, kind: type[BadInputError], where: object) -> Any:
    """Return the value of a JSON text; NaN and infinity, which are not part of JSON, are refused.

    Raises
    ------
    BadInputError
        As an instance of `kind`, if it is not valid JSON, or nested too deeply.
    """
    text = data if isinstance(data, str) else decode_text(data, kind, where)
    with decoder_errors(kind, where, "write it again"):
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    # Python reads a number such as 1e999 as infinity.
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is too large a number")
    return value
