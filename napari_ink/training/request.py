"""Requests to train a network."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_ink.errors import BadInputError
from napari_ink.model import InkEdgeConfig, InkModel, InputContract
from napari_ink.training.crops import TrainingPair
from napari_ink.training.settings import TrainSettings

_LIBRARIES = ("matplotlib", "tensorboardX")


def check_libraries() -> None:
    """Refuse to train without a package that training needs.

    Raises
    ------
    BadInputError
        If one is not installed.
    """
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise BadInputError(f"Training needs {missing[0]}, which is not installed: pip install 'napari-ink[train]'.")


@dataclass(frozen=True, eq=False)
class TrainRequest:
    """Everything that a training run depends on.

    Attributes
    ----------
    pairs
        Pairs to train on. If none of them has held-out pixels, a part of each is held out.
    out
        Folder to write; it must not exist, unless `resume`.
    settings
        Training settings.
    config
        Sizes of a new network; None for those of `start`, or else the tiny ones.
    contract
        Input contract of a new network; None to fit it to the pairs.
    start
        Model to train further; its config and contract are used.
    device
        Device to train on: ``"cpu"``, ``"cuda"`` or ``"mps"``.
    resume
        Whether to resume the run in `out`, if there is one.
    provenance
        Additional entries for the checkpoints' provenance, as JSON values.
    """

    pairs: Sequence[TrainingPair]
    out: Path
    settings: TrainSettings = TrainSettings()
    config: InkEdgeConfig | None = None
    contract: InputContract | None = None
    start: InkModel | None = None
    device: str = "cpu"
    resume: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse a request that contradicts itself or needs packages that are not installed.

        Raises
        ------
        BadInputError
            If there are no pairs, a package is missing, or `start` does not fit.
        """
        check_libraries()
        if not self.pairs:
            raise BadInputError("There is nothing to train on; name at least one stack with its labels.")
        if self.start is not None:
            self._check_start(self.start)

    def _check_start(self, start: InkModel) -> None:
        if start.config is None:
            raise BadInputError(f"{start.name} is not a network of napari-ink, and only those can be trained further.")
        if not all(weight.isfinite().all() for weight in start.network.parameters()):
            raise BadInputError(f"{start.name} holds weights that are not finite; choose another checkpoint.")
        if self.config not in (None, start.config):
            raise BadInputError(f"{start.name} has a size of its own; leave the size out, or train from scratch.")
        if self.contract not in (None, start.contract):
            raise BadInputError(
                f"{start.name} has a contract of its own; leave the contract out, or train from scratch."
            )
