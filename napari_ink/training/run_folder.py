"""Folder of a run: its request, state, checkpoints, log and plots."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_ink.durable import replacing
from napari_ink.errors import OutputError, storage_errors
from napari_ink.model import InkEdgeConfig, InputContract
from napari_ink.training.crops import TrainingPair
from napari_ink.training.settings import Precision, TrainSettings

# Workers change only how fast crops are read; the others follow from the machine that a run began on.
_MAY_DIFFER = {"settings.workers", "precision_used", "lanes_used", "device"}


class RunRecord(BaseModel):
    """The request of a run, as stored in ``request.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: TrainSettings
    precision_used: Precision = Field(description="precision that `auto` chose")
    lanes_used: int = Field(1, description="parts of a batch that are computed side by side; 0 on a GPU")
    config: InkEdgeConfig
    contract: InputContract
    started_from: str | None = Field(description="SHA-256 of the checkpoint that training began from")
    pairs: tuple[str, ...] = Field(description="name of each stack, and a digest of it and its labels")
    processes: int = Field(1, description="number of processes that trained together")
    device: str

    def first_difference(self, other: Self) -> str | None:
        """Return the first setting in which two runs differ, with both values; None if one can resume the other."""
        mine, others = self._entries(), other._entries()
        for name, before in mine.items():
            if before != others[name] and name not in _MAY_DIFFER:
                return f"{name} was {_short(before)} and is now {_short(others[name])}"
        return None

    def _entries(self) -> dict[str, Any]:
        """Return all entries by name, with each setting as an entry of its own."""
        entries = self.model_dump(mode="json")
        return {f"settings.{name}": value for name, value in entries.pop("settings").items()} | entries


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def digest_pair(pair: TrainingPair) -> str:
    """Return the name of a pair's stack, and a digest of its sampled voxels and all of its labels."""
    digest = hashlib.sha256(pair.stack.fingerprint().encode())
    for plane in (pair.labels, pair.held_out, pair.edges, pair.hints):
        digest.update(b"" if plane is None else np.ascontiguousarray(plane).tobytes())
    return f"{pair.stack.name} {digest.hexdigest()[:16]}"


class RunFolder:
    """The files of a run; each appears under its final name only when complete.

    Parameters
    ----------
    path
        Folder of the run; `begin` creates it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self.log = self.path / "log.jsonl"
        self.state = self.path / "state.pt"
        self.best, self.last = self.path / "best.safetensors", self.path / "last.safetensors"
        self.curves, self.examples = self.path / "curves.png", self.path / "examples.png"
        self.tensorboard = self.path / "tensorboard"
        self._record = self.path / "request.json"

    def check(self, resume: bool) -> None:
        """Refuse a folder that cannot be used for the run.

        Raises
        ------
        OutputError
            If it exists and is not a run to `resume`, or its parent folder does not exist.
        """
        if not self.path.parent.is_dir():
            raise OutputError(f"There is no folder {self.path.parent}; create it or choose another.")
        if not self.path.exists():
            return
        if not resume:
            raise OutputError(f"{self.path} exists already; choose another name, or continue it with --resume.")
        if not self._record.is_file():
            raise OutputError(f"{self.path} is not a training run that can be resumed; choose another name.")

    def begin(self, record: RunRecord) -> RunRecord:
        """Create the folder, or check that it holds the same run, and return the record to use.

        Raises
        ------
        OutputError
            If it holds a different run, or cannot be written.
        """
        if self._record.is_file():
            before = self._read_record()
            if difference := before.first_difference(record):
                raise OutputError(
                    f"The run in {self.path} cannot be resumed, since {difference}; "
                    "repeat the command that started it, or choose another name."
                )
            return before
        with storage_errors(self.path):
            self.path.mkdir(exist_ok=True)
        write_whole(self._record, (record.model_dump_json(indent=2) + "\n").encode())
        return record

    def discard_unlearnt(self) -> None:
        """Remove the files of a new run that ended before it saved anything, so that its name is free again.

        Files of others stay, and the folder with them.
        """
        if any(file.exists() for file in (self.state, self.best, self.last)):
            return
        with suppress(OSError):  # what cannot be removed stays; the reason for the end matters more
            shutil.rmtree(self.tensorboard, ignore_errors=True)
            for file in (self.log, self._record):
                file.unlink(missing_ok=True)
            self.path.rmdir()

    def _read_record(self) -> RunRecord:
        try:
            return RunRecord.model_validate_json(self._record.read_bytes())
        except (OSError, ValidationError) as error:
            raise OutputError(f"{self._record} cannot be read; choose another name for the run.") from error

    def save_state(self, state: dict[str, Any]) -> None:
        """Write the training state."""
        import io

        import torch

        content = io.BytesIO()  # writing to a file, torch would turn a full disk into an error of its own
        torch.save(state, content)
        write_whole(self.state, content.getvalue())

    def load_state(self) -> dict[str, Any] | None:
        """Read the training state without running code from it; None if the run has not saved one.

        Raises
        ------
        OutputError
            If the file is damaged.
        """
        import pickle

        import torch

        if not self.state.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.state, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
            raise OutputError(f"{self.state} is damaged, so the run cannot be resumed; start a new run.") from error
        return state


def write_whole(path: Path, content: bytes | Callable[[Path], object]) -> None:
    """Write a file beside its final path, and move it there when complete.

    Parameters
    ----------
    path
        Final path.
    content
        Bytes to write, or a function that writes the file to the path it is called with.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with replacing(path) as partial:
        if isinstance(content, bytes):
            partial.write_bytes(content)
        else:
            content(partial)


def kept_lines(lines: Sequence[str], last_step: int) -> list[str]:
    """Return the lines of a log up to step `last_step`; a resumed run writes the later ones again."""
    kept = []
    for line in lines:
        try:
            step = json.loads(line).get("step", 0)
        except (json.JSONDecodeError, AttributeError):
            continue  # a killed run may leave an incomplete last line
        if step <= last_step:
            kept.append(line)
    return kept
