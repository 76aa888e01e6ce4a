"""Models taught in a project, one row each: what a model learned from, when, and its scores.

Each model is a checkpoint in the project's ``models`` folder, with its row beside it as JSON. The row is written last,
so a crash leaves a model whole or not there; ``current.json`` names the one in use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_ink.decoding import parse_json, read_bounded
from napari_ink.durable import sync, write_bytes
from napari_ink.errors import BadInputError, OutputError, ProjectError, storage_errors
from napari_ink.model import InkEdgeConfig, InputContract, save_checkpoint

FOLDER = "models"
LESSONS = "teaching"
"""Folder of unfinished lessons in a project."""
NOT_HELD_OUT = (
    "Judged on the strokes it learned from, since there are too few to hold some out: do not rely on these scores."
)
_NEAR_CHANCE = 0.6  # moved labels, which can teach nothing, reach about 0.5
_CURRENT = "current.json"
_KEY = "[a-z0-9-]{1,40}"
_NAME = re.compile(r"\w[\w .()+-]{0,63}")

Kind = Literal["quick", "deep"]


class StrokeScores(BaseModel):
    """Scores on strokes, each 0 to 1.

    Attributes
    ----------
    auc
        Probability that a random cell of ink gets a higher value than one of papyrus; 0.5 is chance.
    f0_5
        F0.5 at the best threshold, for a usual share of ink.
    threshold
        That threshold.
    """

    model_config = ConfigDict(frozen=True)

    auc: float
    f0_5: float
    threshold: float


class TaughtModel(BaseModel):
    """One row: a model and how it came about.

    Attributes
    ----------
    key
        Name of its files.
    name
        Name that people gave it.
    kind
        ``"quick"``: a forest on the features of the start model; ``"deep"``: fine-tuned weights.
    made_at
        Time, ISO 8601, UTC.
    started_from, started_from_sha256
        The model that teaching started from.
    strokes, ink_px, papyrus_px, projects
        What it learned from: number of strokes or squares that lie apart, labelled pixels, and projects.
    labels_sha256
        Digest of all labels it learned from.
    before, after
        Scores of the model in use before and of this one, on the same strokes.
    judged_on
        Sentence on which strokes these are.
    is_better
        Whether it scores better on them than the model in use before, so that it was put in use.
    checks
        Results of checks on request, by name, in words.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str = Field(pattern=f"^{_KEY}$")
    name: str
    kind: Kind
    made_at: str
    started_from: str
    started_from_sha256: str
    strokes: int
    ink_px: int
    papyrus_px: int
    projects: tuple[str, ...] = ()
    labels_sha256: str
    before: StrokeScores
    after: StrokeScores
    judged_on: str
    is_better: bool
    checks: Mapping[str, str] = Field(default_factory=dict)

    def is_same_lesson(self, other: Self) -> bool:
        """Whether another row is of the same lesson with the same result, as when a lesson was repeated or resumed."""
        # The model in use before can be another one when a lesson is continued: its own quick model.
        own = {"key", "name", "made_at", "checks", "before", "judged_on", "is_better"}
        mine, others = (row.model_dump(exclude=own) for row in (self, other))
        return mine == others

    @property
    def in_words(self) -> str:
        """Sentence on whether it is better, and by how much."""
        if self.judged_on == NOT_HELD_OUT:
            return f"{self.name}: {'in use' if self.is_better else 'kept as a candidate'}. {NOT_HELD_OUT}"
        found = f"AUC {self.before.auc:.2f} before, {self.after.auc:.2f} now"
        verdict = "better than before" if self.is_better else "not better than before, kept as a candidate"
        near_chance = " This is near chance (0.5): paint more strokes." if self.after.auc < _NEAR_CHANCE else ""
        return f"{self.name}: {verdict} ({found}).{near_chance} {self.judged_on}"


@dataclass(frozen=True, slots=True)
class TaughtModels:
    """The taught models of a project.

    Attributes
    ----------
    folder
        The ``models`` folder of the project; it is created with the first model.
    """

    folder: Path

    @classmethod
    def of_project(cls, project: Path) -> Self:
        """Return the models of a project's folder."""
        return cls(project / FOLDER)

    def rows(self) -> list[TaughtModel]:
        """Return all models whose files are there and can be read, oldest first."""
        if not self.folder.is_dir():
            return []
        found = []
        for path in sorted(self.folder.glob("*.json")):
            if path.name != _CURRENT and self.path(path.stem).is_file():
                row = self._row(path)
                if row is not None:
                    found.append(row)
        return sorted(found, key=lambda row: (row.made_at, row.key))

    def row(self, key: str) -> TaughtModel:
        """Return a model's row.

        Raises
        ------
        BadInputError
            If there is none of that key.
        """
        rows = {row.key: row for row in self.rows()}
        if key in rows:
            return rows[key]
        known = ", ".join(rows) or "none yet"
        raise BadInputError(f"There is no taught model {key} in {self.folder}; there are: {known}.")

    def path(self, key: str) -> Path:
        """Return the checkpoint of a model."""
        return self.folder / f"{key}.safetensors"

    def cells_path(self, key: str) -> Path:
        """Return the file that says which cells a model has learned from; models of earlier versions have none."""
        return self.folder / f"{key}.cells.json"

    @property
    def current(self) -> str:
        """Key of the model in use; empty for the one that teaching started from."""
        path = self.folder / _CURRENT
        if not path.is_file():
            return ""
        try:
            key = parse_json(read_bounded(path, ProjectError), ProjectError, path)["key"]
        except (KeyError, TypeError, ProjectError):
            return ""  # as after a rollback: the model that was there first is used
        is_key = isinstance(key, str) and re.fullmatch(_KEY, key) is not None
        return key if is_key and self.path(key).is_file() else ""

    def use(self, key: str) -> None:
        """Put a model in use; an empty key goes back to the model that teaching started from.

        Raises
        ------
        BadInputError
            If there is no such model.
        OutputError
            If the choice cannot be written.
        """
        if key:
            self.row(key)
        with storage_errors(self.folder):
            write_bytes(self.folder / _CURRENT, json.dumps({"key": key}).encode())

    def add(
        self,
        row: TaughtModel,
        network: Any,
        config: InkEdgeConfig,
        contract: InputContract,
        provenance: Mapping[str, Any],
    ) -> Path:
        """Save a new model, and put it in use if it is better.

        Raises
        ------
        OutputError
            If it cannot be written, or the key is taken.
        """
        path = self.path(row.key)
        if path.exists():
            raise OutputError(f"{path} exists already; teach again.")
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            # Otherwise a crash could lose the new folder with all that was written into it.
            sync(self.folder.parent)
        save_checkpoint(path, network, config, contract, {**provenance, "taught": row.model_dump(mode="json")})
        self._write(row)
        if row.is_better:
            self.use(row.key)
        return path

    def rename(self, key: str, name: str) -> None:
        """Give a model another name.

        Raises
        ------
        BadInputError
            If the name is not valid or there is no such model.
        OutputError
            If the row cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise BadInputError(f"“{name}” cannot name a model; use up to 64 letters, figures, spaces and .()+-.")
        self._write(self.row(key).model_copy(update={"name": name}))

    def record_check(self, key: str, name: str, result: str) -> None:
        """Add the result of a check to a model's row.

        Raises
        ------
        BadInputError
            If there is no such model.
        OutputError
            If the row cannot be written.
        """
        row = self.row(key)
        self._write(row.model_copy(update={"checks": {**row.checks, name: result}}))

    def new_key(self, kind: Kind) -> str:
        """Return a key that is not taken."""
        # Names of all files, since a crash may have left a checkpoint without a row.
        taken = {path.stem for path in self.folder.glob("*")} if self.folder.is_dir() else set()
        return next(key for key in (f"{kind}-{number}" for number in range(1, len(taken) + 2)) if key not in taken)

    def _write(self, row: TaughtModel) -> None:
        path = self.folder / f"{row.key}.json"
        with storage_errors(path):
            write_bytes(path, (row.model_dump_json(indent=1) + "\n").encode())

    def _row(self, path: Path) -> TaughtModel | None:
        try:
            row = TaughtModel.model_validate_json(read_bounded(path, ProjectError))
        except (ValidationError, ProjectError):
            return None  # a damaged row hides one model, not the list
        return row if row.key == path.stem else None


def is_interrupted(project: Path) -> bool:
    """Whether a lesson of a project was stopped before its end, so that it can be continued."""
    return any((project / LESSONS).glob("*/request.json"))


def now() -> str:
    """Return the time, as rows state it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def keep_pictures(run: Path, model: Path) -> None:
    """Keep the curves and examples of a training run beside the model that came from it."""
    # The folder of the run is removed once its model is saved.
    for name in ("curves", "examples"):
        if (picture := run / f"{name}.png").is_file():
            write_bytes(model.with_name(f"{model.stem}-{name}.png"), picture.read_bytes())
