"""The lock of a project: a lock of the operating system, which ends with the program, and the name of its holder."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from napari_ink.decoding import parse_json, read_bounded, reason_of
from napari_ink.durable import write_bytes
from napari_ink.errors import ProjectError

_LOCK, _OWNER = ".lock", ".owner.json"


class ProjectLock:
    """Lock that gives one program the right to change a project.

    Parameters
    ----------
    folder
        The project's folder.
    author
        Name of the person who wants to edit.

    Attributes
    ----------
    holder : str
        Who holds the lock elsewhere, where and since when; empty if it was acquired here.
    """

    def __init__(self, folder: Path, author: str) -> None:
        # A project is opened on a worker thread and closed on another; a thread-local lock would not be released.
        self._lock = FileLock(folder / _LOCK, thread_local=False)
        self.holder = ""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            self.holder = _holder(folder)
            return
        except OSError as error:
            self.holder = f"nobody, but {folder / _LOCK} cannot be locked ({reason_of(error).lower()})"
            return
        owner = {"author": author, "host": socket.gethostname(), "since": datetime.now().isoformat(timespec="minutes")}
        with suppress(OSError):  # a full disk must not keep the labels from being opened
            write_bytes(folder / _OWNER, json.dumps(owner).encode())

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()


def _holder(folder: Path) -> str:
    try:
        owner = parse_json(read_bounded(folder / _OWNER, ProjectError), ProjectError, folder / _OWNER)
        since = datetime.fromisoformat(owner["since"])
        author, host = (" ".join(str(owner[name]).split())[:100] for name in ("author", "host"))
        return f"{author} on {host}, since {since:%H:%M} on {since.day} {since:%B}"
    except (ProjectError, ValueError, KeyError, TypeError):
        return "another user"
