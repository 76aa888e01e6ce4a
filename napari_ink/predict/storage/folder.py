"""The predictions of a segment: a folder with a store for each run, their names, and a trash.

In the folder ``predictions`` of a project, for a prediction ID:

| ``ID.zarr`` | the store, written by its run and by no other |
| ``ID.json`` | its record: the name, and measurements that take long |
| ``ID-region.tif`` | the regions of interest, if any were drawn |
| ``trash/TIME-ID.zarr`` | the store after it was deleted at TIME; record and regions stay at their place |

A prediction is one folder, so deleting and restoring it is one renaming: a crash leaves it at one of the two places.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.decoding import decoder_errors
from napari_ink.durable import make_folder, sync
from napari_ink.errors import BadInputError, OutputError, storage_errors
from napari_ink.predict.storage.provenance import is_of_stack
from napari_ink.predict.storage.store import open_prediction
from napari_ink.predict.storage.stored import (
    PredictionRecord,
    StoredPrediction,
    check_name,
    mean_disagreement,
    read_record,
    record_path,
    summarize,
    write_record,
)
from napari_ink.predict.storage.writer import move_store

if TYPE_CHECKING:
    from napari_ink.stack import DepthStack

FOLDER, _TRASH, _SUFFIX = "predictions", "trash", ".zarr"
_TRASHED = re.compile(r"(?P<time>\d{8}T\d{12})-(?P<name>.+\.zarr)")
_REMOVED = ".removed-"  # before the name of a store that is being deleted for good
_NOT_IN_NAMES = re.compile(r"[^\w .()+-]")
_LONGEST_STEM = 80


@dataclass(frozen=True, slots=True)
class TrashedPrediction:
    """A deleted prediction that can be restored: its store in the trash, the name of its store before, and its size."""

    path: Path
    store_name: str
    name: str
    deleted: datetime
    nbytes: int


@dataclass(frozen=True, slots=True)
class PredictionList:
    """The predictions of a segment, newest first, sentences on those that cannot be read, and the trash, newest first.

    Attributes
    ----------
    rows
        The predictions.
    faults
        Sentences on stores and records that are damaged.
    trash
        The deleted predictions.
    """

    rows: tuple[StoredPrediction, ...] = ()
    faults: tuple[str, ...] = ()
    trash: tuple[TrashedPrediction, ...] = ()

    @property
    def trash_nbytes(self) -> int:
        """Size of the trash on the disk."""
        return sum(one.nbytes for one in self.trash)


class PredictionFolder:
    """The folder with the predictions of a segment.

    Parameters
    ----------
    project
        Folder of the segment's project; neither it nor the predictions need to exist.
    """

    def __init__(self, project: Path) -> None:
        self.path = project / FOLDER
        self._trash = self.path / _TRASH

    def new_path(self, model_name: str, now: datetime) -> Path:
        """Return an unused path for a store, made from model and time, and create the folder.

        Raises
        ------
        OutputError
            If the folder cannot be created.
        """
        with storage_errors(self.path):
            make_folder(self.path)
            # A name of the trash is taken, too, since its store may come back.
            taken = {one.name for one in self._stores()} | {name for _, name in self._trashed()}
        stem = _NOT_IN_NAMES.sub("-", model_name).strip()[:_LONGEST_STEM] or "prediction"
        stem = f"{stem}-{now:%Y%m%d-%H%M%S}"
        name, again = f"{stem}{_SUFFIX}", 2
        while name in taken or record_path(self.path / name).exists():
            name, again = f"{stem}-{again}{_SUFFIX}", again + 1
        return self.path / name

    def read(self, stack: DepthStack | None = None) -> PredictionList:
        """Return all predictions and the trash; a damaged one costs its own row only.

        Parameters
        ----------
        stack
            Stack whose predictions are wanted; those of another one with the same name become faults. None: of any.

        Raises
        ------
        BadInputError
            If the folder cannot be read.
        """
        rows, faults = [], []
        for store in self._stores():
            try:
                record = read_record(store)
            except BadInputError as error:
                record = PredictionRecord()
                faults.append(str(error))
            try:
                row = summarize(open_prediction(store), record)
                if stack is None or is_of_stack(row.provenance, stack):
                    rows.append(row)
                else:
                    source = row.provenance["stack"]["source"]
                    faults.append(f"“{row.name}” is not listed: it was predicted from another stack, {source}.")
            except BadInputError as error:
                if store.exists():  # otherwise another program has just deleted it
                    faults.append(f"{store.name} is not listed: {error}")
        # Times are whole seconds; of two runs within one, the second has a longer name.
        rows.sort(key=lambda row: (row.started, len(row.path.stem), row.path.stem), reverse=True)
        trash = sorted((self._describe(*one) for one in self._trashed()), key=lambda one: one.path.name, reverse=True)
        return PredictionList(tuple(rows), tuple(faults), tuple(trash))

    def measured(self, row: StoredPrediction, record: bool = True) -> StoredPrediction:
        """Return a row with its mean disagreement.

        Parameters
        ----------
        row
            Row of the list.
        record
            Whether to write it to the record, so that it is measured once.

        Raises
        ------
        BadInputError
            If the store cannot be read.
        """
        if not row.has_disagreement or row.mean_disagreement is not None:
            return row
        prediction = open_prediction(row.path)
        final = summarize(prediction, PredictionRecord()).final_blocks  # before, since a run may add blocks meanwhile
        value = mean_disagreement(prediction)
        if record:
            with suppress(BadInputError):  # a damaged record, or a folder that cannot be written
                changes = {"final_blocks": final, "mean_disagreement": value}
                write_record(row.path, read_record(row.path).model_copy(update=changes))
        return replace(row, mean_disagreement=value)

    def rename(self, store: Path, name: str) -> None:
        """Give a prediction another name; its store keeps its own.

        Raises
        ------
        BadInputError
            If the name is empty, too long or of several lines, or there is no such prediction.
        OutputError
            If the name cannot be written.
        """
        self._check(store)
        try:
            check_name(name)
        except ValueError as error:
            raise BadInputError(f"“{name}” cannot name a prediction: {error}.") from error
        try:
            record = read_record(store)
        except BadInputError:
            record = PredictionRecord()  # the damaged one is replaced
        write_record(store, record.model_copy(update={"name": name}))

    def discard(self, store: Path) -> Path:
        """Move a prediction to the trash, and return its path there.

        Raises
        ------
        BadInputError
            If there is no such prediction.
        OutputError
            If a run is writing to it, or it cannot be moved.
        """
        self._check(store)
        with storage_errors(store):
            make_folder(self._trash)
            target = self._trash / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{store.name}"
            move_store(store, target)
            sync(self._trash)
            sync(self.path)
        return target

    def restore(self, trashed: Path) -> Path:
        """Move a prediction from the trash back to its place, and return its path there.

        Raises
        ------
        BadInputError
            If it is not in the trash.
        OutputError
            If its place is taken, or it cannot be moved.
        """
        found = _TRASHED.fullmatch(trashed.name)
        if found is None or trashed.parent != self._trash or not trashed.is_dir():
            raise BadInputError(f"{trashed} is not in the trash; it was restored or deleted meanwhile.")
        store = self.path / found["name"]
        if os.path.lexists(store):
            raise OutputError(f"{store} exists, so the prediction of that name stays in the trash; move one of them.")
        with storage_errors(store):
            os.rename(trashed, store)
            sync(self.path)
            sync(self._trash)
        return store

    def empty_trash(self) -> None:
        """Delete everything in the trash for good.

        Raises
        ------
        OutputError
            If something cannot be deleted.
        """
        with storage_errors(self._trash):
            for trashed, name in self._trashed():
                # Under another name first: a store that is deleted half must not be offered as one to restore.
                os.rename(trashed, self._trash / f"{_REMOVED}{trashed.name}")
                store = self.path / name
                if not store.exists() and all(other != name for _, other in self._trashed()):
                    record_path(store).unlink(missing_ok=True)
                    regions_path(store).unlink(missing_ok=True)
            for removed in self._trash.glob(f"{_REMOVED}*"):  # those that an earlier crash left, too
                shutil.rmtree(removed)

    def _stores(self) -> list[Path]:
        with decoder_errors(BadInputError, self.path, "check the folder"):
            if not self.path.is_dir():
                return []
            return sorted(path for path in self.path.iterdir() if path.suffix == _SUFFIX and _is_shown_folder(path))

    def _trashed(self) -> list[tuple[Path, str]]:
        """Return the path of each store in the trash, and its name before."""
        with decoder_errors(BadInputError, self._trash, "check the folder"):
            paths = sorted(self._trash.iterdir()) if self._trash.is_dir() else []
        found = ((path, _TRASHED.fullmatch(path.name)) for path in paths if path.is_dir())
        return [(path, match["name"]) for path, match in found if match is not None]

    def _describe(self, path: Path, store_name: str) -> TrashedPrediction:
        try:
            name = read_record(self.path / store_name).name
            name = name or str(open_prediction(path).provenance["model"]["name"])
        except BadInputError:
            name = store_name
        time = path.name.partition("-")[0]
        deleted = datetime.strptime(time, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        return TrashedPrediction(path, store_name, name, deleted, _bytes_in(path))

    def _check(self, store: Path) -> None:
        if store.parent != self.path or store.suffix != _SUFFIX or not store.is_dir():
            raise BadInputError(f"There is no prediction at {store}; it was moved or deleted meanwhile.")


def regions_path(store: Path) -> Path:
    """Return the path of the mask of the regions of interest of a prediction."""
    return store.with_name(f"{store.stem}-region.tif")


def _is_shown_folder(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_dir()


def _bytes_in(folder: Path) -> int:
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(inside, name)).st_size
    return total
