"""What a worker of a cluster does: it opens the stack and the models once, and predicts the tiles that it is given."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import napari_ink
from napari_ink.errors import BadInputError
from napari_ink.model import InkModel, load_model
from napari_ink.predict.blending import PROBABILITY_STEPS
from napari_ink.predict.cells import CellStore
from napari_ink.predict.ensemble import TestTimeAugmentation, members_of
from napari_ink.predict.memory import memory_kept
from napari_ink.predict.tile_queue import TileQueue
from napari_ink.predict.tiles import Batch, TileGrid

if TYPE_CHECKING:
    from napari_ink.predict.tile_inference import TileInference

_NONE = np.iinfo(np.uint16).max
# One prediction at a time in each process: its networks and cells stay in memory from one task to the next.
_one_at_a_time = threading.Lock()
_ready: dict[Job, tuple[TileInference, CellStore]] = {}


@dataclass(frozen=True)
class Job:
    """All that a worker must know of a prediction; it is sent with every task, and so holds names, not data.

    Attributes
    ----------
    stack
        Where it lies, on every worker.
    fingerprint
        Of what it must hold.
    models
        Of each where it lies, its hash, and what in its contract was asked for.
    augment
        Views besides the plain one.
    grid
        The tiles.
    device
        Where networks run.
    version
        Of napari-ink.
    """

    stack: str
    fingerprint: str
    models: tuple[tuple[str, str, tuple[tuple[str, Any], ...]], ...]
    augment: tuple[TestTimeAugmentation, ...]
    grid: TileGrid
    device: str
    version: str = napari_ink.__version__


def answer(job: Job, batches: Sequence[Batch]) -> list[npt.NDArray[np.uint16]]:
    """Predict batches of tiles.

    Returns
    -------
    list of ndarray
        For each batch ``(b, c, y, x)``: probabilities in whole steps, and the largest uint16 for those that are none.

    Raises
    ------
    BadInputError
        If the stack or a model is not there, or is another one.
    DeviceMemoryError
        If memory does not hold a batch.
    """
    from contextlib import closing

    from napari_ink.predict.pipeline import run_batches

    with _one_at_a_time, memory_kept():
        inference, store = _ready_for(job)
        with closing(run_batches(inference, job.grid, store, TileQueue(batches), _cores())) as said:
            return [_packed(one) for _, one in said]


def _packed(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    none = np.isnan(probabilities)
    steps = np.where(none, 0, probabilities * PROBABILITY_STEPS).astype(np.uint16)
    steps[none] = _NONE
    return steps


def _cores() -> int:
    """Return how many cores this worker may use: as many as whoever started it gave it threads."""
    from distributed import get_worker

    return int(get_worker().state.nthreads)


def _ready_for(job: Job) -> tuple[TileInference, CellStore]:
    if job not in _ready:
        _ready.clear()  # what was predicted before takes no memory any more
        inference = _prepared(job)
        # Tiles of the next task may need the cells of this one.
        _ready[job] = inference, CellStore(inference.cells, None)
    return _ready[job]


def _prepared(job: Job) -> TileInference:
    import torch

    from napari_ink.predict.forward import Forward
    from napari_ink.predict.tile_inference import TileInference
    from napari_ink.stack import open_stack

    if napari_ink.__version__ != job.version:
        raise BadInputError(
            f"A worker has napari-ink {napari_ink.__version__}, and this is {job.version}; install the same everywhere."
        )
    stack = open_stack(job.stack)
    if stack.fingerprint() != job.fingerprint:
        raise BadInputError(f"What a worker finds at {job.stack} is another stack; give all the same folders.")
    members = members_of([_model(*one) for one in job.models], job.augment, stack.shape[0])
    return TileInference(members, stack, job.grid, Forward(torch.device(job.device)))


def _model(source: str, sha256: str, asked: tuple[tuple[str, Any], ...]) -> InkModel:
    model = load_model(source)
    if model.sha256 != sha256:
        raise BadInputError(f"What a worker finds at {source} is another model; give all the same files.")
    return model.reading(**dict(asked))


def job_model(model: InkModel) -> tuple[str, str, tuple[tuple[str, Any], ...]]:
    """Return what a worker must know of a model.

    Raises
    ------
    BadInputError
        If it lies in no file.
    """
    if model.source is None:
        raise BadInputError(f"The model {model.name} lies in no file, so that workers cannot load it; save it first.")
    asked = tuple((name, getattr(model.contract, name)) for name in sorted(model.asked or {}))
    return model.source, model.sha256, asked
