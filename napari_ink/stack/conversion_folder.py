"""The working folder of a conversion: its plan, its lock and the list of shards that are done.

A run can be killed at any moment and resumed by the next one: the plan is moved into place as a whole; a shard is
listed after it is written; and the folder gets its final name before the files needed for resuming are removed.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from napari_ink.decoding import parse_json, read_bounded
from napari_ink.durable import sync
from napari_ink.errors import OutputError
from napari_ink.stack.depth_stack import DepthStack
from napari_ink.stack.shards import Place

_PLAN, _DONE, _LOCK, _SPOOL = "convert.json", "done.jsonl", "convert.lock", "layers.raw"
_MOST_LOG_BYTES = 2**28


def partial_path(out: Path) -> Path:
    """Return the working folder of a conversion to `out`, in the same folder."""
    return out.with_name(f"{out.name}.partial")


class ConversionFolder:
    """The working folder of one conversion, locked for this process.

    Parameters
    ----------
    out
        Final path of the OME-Zarr.
    stack
        The stack to convert.

    Attributes
    ----------
    path : Path
        Path of the working folder.
    spool_path : Path
        File for uncompressed copies of layers that can only be decoded whole.

    Raises
    ------
    OutputError
        If another process is writing there, or the folder holds anything but a conversion of this stack.
    """

    def __init__(self, out: Path, stack: DepthStack) -> None:
        self._out, self.path = out, partial_path(out)
        self.spool_path = self.path / _SPOOL
        self._log: TextIO | None = None
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.path)
        try:
            self._begin(_plan_of(stack))
        except BaseException:
            self.close()
            raise

    def _begin(self, plan: dict[str, Any]) -> None:
        """Write the plan of a new conversion, or check the plan of one to resume."""
        if not os.path.lexists(self.path / _PLAN):
            # A killed program leaves at most the lock and a half-written plan behind.
            if any(child.name != _LOCK and not _is_unfinished_plan(child) for child in self.path.iterdir()):
                raise OutputError(
                    f"{self.path} is not the folder of a conversion; move it away, or choose another name."
                )
            half = self.path / f".{_PLAN}.{os.getpid()}.partial"
            half.write_text(json.dumps(plan))
            os.replace(half, self.path / _PLAN)
        elif _read_plan(self.path) != plan:
            raise OutputError(
                f"{self.path} is the conversion of another stack, or damaged; delete it, or choose another name."
            )
        for left in self.path.rglob("*.partial"):
            left.unlink()  # a plan or shard that a killed process left unfinished

    def read_done(self) -> dict[Place, int]:
        """Return the checksums in the list of finished shards, by shard.

        Damaged lines, and one that a killed process left unfinished, are skipped; their shards are written again.
        """
        path = self.path / _DONE
        if not os.path.lexists(path):
            return {}
        done: dict[Place, int] = {}
        for line in read_bounded(path, OutputError, _MOST_LOG_BYTES).decode("ascii", errors="replace").splitlines():
            with suppress(ValueError, RecursionError):
                entry = json.loads(line)
                if isinstance(entry, list) and len(entry) == 5 and all(isinstance(one, int) for one in entry):
                    done[entry[0], entry[1], entry[2], entry[3]] = entry[4]
        return done

    def note_done(self, place: Place, check: int) -> None:
        """Add a finished shard and its checksum to the list."""
        if self._log is None:
            self._log = (self.path / _DONE).open("a", encoding="utf-8")
            self._log.write("\n")  # ends the unfinished line that a killed process may have left
        self._log.write(json.dumps([*place, check]) + "\n")
        self._log.flush()

    def finish(self) -> None:
        """Give the folder its final name, and remove the files that were only needed for resuming."""
        self.close_log()
        self.spool_path.unlink(missing_ok=True)
        if hasattr(os, "sync"):
            os.sync()  # all shards must be on the disk before the final name is: a power cut may follow
        os.replace(self.path, self._out)
        sync(self._out.parent)
        _remove_resume_files(self._out)

    def close_log(self) -> None:
        """Close the list of finished shards."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def close(self) -> None:
        """Close the list and release the lock."""
        self.close_log()
        self._lock.release()

    def __enter__(self) -> ConversionFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_finished(out: Path, stack: DepthStack) -> bool:
    """Whether `out` is a finished conversion of the stack whose process was killed while it tidied up.

    The tidying is then completed. A folder gets its final name only once all shards are written.
    """
    if not os.path.lexists(out / _PLAN) or _read_plan(out) != _plan_of(stack):
        return False
    _remove_resume_files(out)
    return True


def _remove_resume_files(folder: Path) -> None:
    # The plan goes last: as long as it is there, the next run knows that the tidying was not completed.
    for name in (_DONE, _LOCK, _PLAN):
        (folder / name).unlink(missing_ok=True)


def _plan_of(stack: DepthStack) -> dict[str, Any]:
    return {"fingerprint": stack.fingerprint(), "shape": list(stack.shape), "dtype": stack.dtype.name}


def _read_plan(folder: Path) -> Any:
    """Return the plan of a conversion; None if it is damaged."""
    path = folder / _PLAN
    try:
        return parse_json(read_bounded(path, OutputError), OutputError, path)
    except OutputError:
        return None


def _is_unfinished_plan(path: Path) -> bool:
    return path.name.startswith(f".{_PLAN}.") and path.name.endswith(".partial")


def _locked(work: Path) -> Any:
    """Lock the folder for this process: two conversions into one folder would damage each other's shards."""
    from filelock import FileLock, Timeout

    lock = FileLock(work / _LOCK, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError(f"{work} is being written by another program; wait for it, or stop it.") from error
    return lock
