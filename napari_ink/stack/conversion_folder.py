"""The folder in which a conversion is under way: what it is a conversion of, and what of it is done.

Each step leaves a state that the next run can go on from, whatever instant the program is killed at: the plan is moved
into place whole; what is done is noted after it is written; and the folder gets its final name before anything that is
needed to go on is removed.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from napari_ink.decoding import parse_json, read_bounded
from napari_ink.errors import OutputError
from napari_ink.stack.depth_stack import DepthStack
from napari_ink.stack.shards import Place

_PLAN, _DONE, _LOCK, _SPOOL = "convert.json", "done.jsonl", "convert.lock", "layers.raw"
_MOST_LOG_BYTES = 2**28


def partial_path(out: Path) -> Path:
    """Return the folder in which a conversion is under way, beside where it will be."""
    return out.with_name(f"{out.name}.partial")


class ConversionFolder:
    """The folder of one conversion, held by this program alone.

    Parameters
    ----------
    out
        Where the OME-Zarr will be.
    stack
        What is converted.

    Attributes
    ----------
    path : Path
        The folder.
    spool_path : Path
        Where layers that can only be decoded whole are copied to.

    Raises
    ------
    OutputError
        If another program writes there, or it holds something else than a conversion of this stack.
    """

    def __init__(self, out: Path, stack: DepthStack) -> None:
        self._out, self.path = out, partial_path(out)
        self.spool_path = self.path / _SPOOL
        self._log: TextIO | None = None
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _alone(self.path)
        try:
            self._begin(_plan_of(stack))
        except BaseException:
            self.close()
            raise

    def _begin(self, plan: dict[str, Any]) -> None:
        """Begin a conversion, or take one up again."""
        if not os.path.lexists(self.path / _PLAN):
            # A killed program leaves at most the lock and a half-written plan behind.
            if any(child.name != _LOCK and not _is_half_plan(child) for child in self.path.iterdir()):
                raise OutputError(
                    f"{self.path} holds something else than a conversion; move it away, or choose another name."
                )
            half = self.path / f".{_PLAN}.{os.getpid()}.partial"
            half.write_text(json.dumps(plan))
            os.replace(half, self.path / _PLAN)
        elif _read_plan(self.path) != plan:
            raise OutputError(
                f"{self.path} is the conversion of another stack, or damaged; delete it, or choose another name."
            )
        for left in self.path.rglob("*.partial"):
            left.unlink()  # half a plan, or half a shard, of a killed program

    def read_done(self) -> dict[Place, int]:
        """Return the check sums that are noted, by place.

        A line that says something else is damaged, or half of one that a killed program wrote: what it was about is
        done again.
        """
        path = self.path / _DONE
        if not os.path.lexists(path):
            return {}
        done: dict[Place, int] = {}
        for line in read_bounded(path, OutputError, _MOST_LOG_BYTES).decode("ascii", errors="replace").splitlines():
            with suppress(ValueError, RecursionError):
                said = json.loads(line)
                if isinstance(said, list) and len(said) == 5 and all(isinstance(one, int) for one in said):
                    done[said[0], said[1], said[2], said[3]] = said[4]
        return done

    def note_done(self, place: Place, check: int) -> None:
        """Note that a place is written, and its check sum."""
        if self._log is None:
            self._log = (self.path / _DONE).open("a", encoding="utf-8")
            self._log.write("\n")  # ends the half line that a killed program may have left
        self._log.write(json.dumps([*place, check]) + "\n")
        self._log.flush()

    def finish(self) -> None:
        """Give the folder its final name, and remove what was only needed to go on."""
        self.close_log()
        self.spool_path.unlink(missing_ok=True)
        if hasattr(os, "sync"):
            os.sync()  # what has its final name must outlive a power cut, too
        os.replace(self.path, self._out)
        _tidy(self._out)

    def close_log(self) -> None:
        """Let go of the list of what is done."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def close(self) -> None:
        """Let others have the folder."""
        self.close_log()
        self._lock.release()

    def __enter__(self) -> ConversionFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_finished(out: Path, stack: DepthStack) -> bool:
    """Whether `out` is the finished conversion of a stack by a program that was killed in its very last step.

    That step is made up for: what was only needed to go on is removed. A folder gets its final name when it is whole.
    """
    if not os.path.lexists(out / _PLAN) or _read_plan(out) != _plan_of(stack):
        return False
    _tidy(out)
    return True


def _tidy(folder: Path) -> None:
    # The plan goes last: by it the next run knows that this is to be done.
    for name in (_DONE, _LOCK, _PLAN):
        (folder / name).unlink(missing_ok=True)


def _plan_of(stack: DepthStack) -> dict[str, Any]:
    return {"fingerprint": stack.fingerprint(), "shape": list(stack.shape), "dtype": stack.dtype.name}


def _read_plan(folder: Path) -> Any:
    """Return what a conversion said that it is of; None if that is damaged."""
    path = folder / _PLAN
    try:
        return parse_json(read_bounded(path, OutputError), OutputError, path)
    except OutputError:
        return None


def _is_half_plan(path: Path) -> bool:
    return path.name.startswith(f".{_PLAN}.") and path.name.endswith(".partial")


def _alone(work: Path) -> Any:
    """Hold the folder for this program: two conversions to one place would spoil each other."""
    from filelock import FileLock, Timeout

    lock = FileLock(work / _LOCK, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError(f"{work} is being written by another program; wait for it, or stop it.") from error
    return lock
