"""Errors for users: each message is one sentence that states what is wrong, where, and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager


class NapariInkError(Exception):
    """Base class of all errors that are raised on purpose; the command line exits with code 1."""


class BadInputError(NapariInkError):
    """Input that cannot be used; the command line exits with code 2."""


class StackError(BadInputError):
    """A depth stack cannot be opened or read."""


class ContractError(BadInputError):
    """A stack does not fit the input contract of a model."""


class CheckpointError(BadInputError):
    """A file is not a checkpoint that this version can load."""


class LabelError(BadInputError):
    """A label or mask image cannot be read or does not fit its stack."""


class ProjectError(BadInputError):
    """A folder is not a project that can be opened."""


class StackMovedError(ProjectError):
    """A project's stack is not where it was."""


class OutputError(BadInputError):
    """An output exists already, or cannot be written where it was asked for."""


class DiskFullError(OutputError):
    """The disk has no room for an output; the input was fine, so the command line exits with code 1."""


class DeviceMemoryError(NapariInkError):
    """The device ran out of memory."""


@contextmanager
def storage_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the operating system's errors while writing `path` into one clear sentence.

    Parameters
    ----------
    path
        Final path of the output, for the message.

    Raises
    ------
    OutputError
        In place of any `OSError` raised inside the block; as a `DiskFullError` if the disk is full.
    """
    try:
        yield
    except OSError as error:
        # EDQUOT is a user's quota, which Windows does not have.
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise DiskFullError(f"The disk is full: could not write {path}; free some space and run again.") from error
        reason = error.strerror or str(error)
        raise OutputError(f"Could not write {path}: {reason}; choose a place that can be written.") from error
