"""Who has a project open: a lock of the operating system, which a killed program lets go of, and who holds it."""

from __future__ import annotations

import json
import socket
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from napari_ink.annotation.durable import write_durably

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
        self._lock = FileLock(folder / _LOCK)
        self.holder = ""
        try:
            self._lock.acquire(timeout=0)
        except (Timeout, OSError):  # OSError: a folder that can be read only
            self.holder = _holder(folder)
            return
        said = {"author": author, "host": socket.gethostname(), "since": datetime.now().isoformat(timespec="minutes")}
        write_durably(folder / _OWNER, json.dumps(said).encode())

    def release(self) -> None:
        """Let others have it."""
        self._lock.release()


def _holder(folder: Path) -> str:
    try:
        said = json.loads((folder / _OWNER).read_text())
        since = datetime.fromisoformat(said["since"])
        return f"{said['author']} on {said['host']}, since {since:%H:%M} on {since:%-d %B}"
    except (OSError, ValueError, KeyError):
        return "somebody else"
