"""Who has a project open: a lock of the operating system, which a killed program lets go of, and who holds it."""

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
    """The right to change a project.

    Parameters
    ----------
    folder
        The project's folder.
    author
        Who asks for it.

    Attributes
    ----------
    holder : str
        Who has it, where and since when; empty when it was got here.
    """

    def __init__(self, folder: Path, author: str) -> None:
        # A project is opened on a worker and closed from the window: a lock of one thread alone would stay behind.
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
        said = {"author": author, "host": socket.gethostname(), "since": datetime.now().isoformat(timespec="minutes")}
        with suppress(OSError):  # a full disk must not keep the labels from being opened
            write_bytes(folder / _OWNER, json.dumps(said).encode())

    def release(self) -> None:
        """Let others have it."""
        self._lock.release()


def _holder(folder: Path) -> str:
    try:
        said = parse_json(read_bounded(folder / _OWNER, ProjectError), ProjectError, folder / _OWNER)
        since = datetime.fromisoformat(said["since"])
        author, host = (" ".join(str(said[name]).split())[:100] for name in ("author", "host"))
        return f"{author} on {host}, since {since:%H:%M} on {since.day} {since:%B}"
    except (ProjectError, ValueError, KeyError, TypeError):
        return "somebody else"
