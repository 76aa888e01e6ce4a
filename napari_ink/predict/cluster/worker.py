"""The task of a cluster's worker: it opens the stack and the models once, and predicts the tiles that it gets."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import napari_ink
from napari_ink.errors import BadInputError
from napari_ink.memory import memory_kept
from napari_ink.model import InkModel, load_model
from napari_ink.predict.augmented_views import TestTimeAugmentation
from napari_ink.predict.blending import PROBABILITY_STEPS
from napari_ink.predict.cells import CellStore
from napari_ink.predict.ensemble import members_of
from napari_ink.predict.tile_queue import TileQueue
from napari_ink.predict.tiles import Batch, TileGrid

if TYPE_CHECKING:
    from napari_ink.predict.tile_inference import TileInference

_NAN = np.iinfo(np.uint16).max
# One prediction at a time in each process: its networks and cells stay in memory from one task to the next.
_one_at_a_time = threading.Lock()
_ready: dict[Job, tuple[TileInference, CellStore]] = {}


@dataclass(frozen=True)
class Job:
    """Everything that a worker needs for a prediction; it is sent with every task, so it holds paths and no data.

    Attributes
    ----------
    stack
        Path of the stack, the same on every worker.
    fingerprint
        Fingerprint that the stack must have.
    models
        For each model its path, its SHA-256 and the requested changes to its contract.
    augment
        Test-time augmentation, see `PredictRequest`.
    grid
        Grid of the tiles, the same on all workers.
    device
        Device that networks run on.
    version
        Version of napari-ink that sent the job.
    """

    stack: str
    fingerprint: str
    models: tuple[tuple[str, str, tuple[tuple[str, Any], ...]], ...]
    augment: tuple[TestTimeAugmentation, ...]
    grid: TileGrid
    device: str
    version: str = napari_ink.__version__


def answer(job: Job, batches: Sequence[Batch]) -> list[npt.NDArray[np.uint16]]:
    """Return the probabilities of batches of tiles, computed on this worker.

    Returns
    -------
    list of ndarray
        For each batch ``(b, c, y, x)`` uint16: multiples of 1 / `PROBABILITY_STEPS`, and the largest uint16 for NaN.

    Raises
    ------
    BadInputError
        If the stack or a model is missing, or differs from the one of the job.
    DeviceMemoryError
        If a batch does not fit into memory.
    """
    from contextlib import closing

    from napari_ink.predict.pipeline import run_batches

    with _one_at_a_time, memory_kept():
        inference, store = _ready_for(job)
        with closing(run_batches(inference, job.grid, store, TileQueue(batches), _cores())) as answered:
            return [_packed(one) for _, one in answered]


def _packed(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Return probabilities as steps, half the bytes of float32; exact, since `rounded` gave multiples of a step."""
    is_nan = np.isnan(probabilities)
    steps = np.where(is_nan, 0, probabilities * PROBABILITY_STEPS).astype(np.uint16)
    steps[is_nan] = _NAN
    return steps


def _cores() -> int:
    """Return how many cores this worker may use: the number of threads that it was started with."""
    from distributed import get_worker

    return int(get_worker().state.nthreads)


def _ready_for(job: Job) -> tuple[TileInference, CellStore]:
    if job not in _ready:
        _ready.clear()  # networks and cells of an earlier job would stay in memory
        inference = _prepared(job)
        # Without a list of tiles, cells stay as long as memory allows: the next task's tiles may need them.
        _ready[job] = inference, CellStore(inference.cells, None)
    return _ready[job]


def _prepared(job: Job) -> TileInference:
    import torch

    from napari_ink.predict.forward import Forward
    from napari_ink.predict.tile_inference import TileInference
    from napari_ink.stack import open_stack

    if napari_ink.__version__ != job.version:
        raise BadInputError(
            f"A worker has napari-ink {napari_ink.__version__}, but the job needs {job.version}; install the same "
            "everywhere."
        )
    stack = open_stack(job.stack)
    if stack.fingerprint() != job.fingerprint:
        raise BadInputError(f"A worker finds another stack at {job.stack}; give all workers the same folders.")
    members = members_of([_model(*one) for one in job.models], job.augment, stack.shape[0])
    return TileInference(members, stack, job.grid, Forward(torch.device(job.device)))


def _model(source: str, sha256: str, asked: tuple[tuple[str, Any], ...]) -> InkModel:
    model = load_model(source)
    if model.sha256 != sha256:
        raise BadInputError(f"A worker finds another model at {source}; give all workers the same files.")
    return model.reading(**dict(asked))


def job_model(model: InkModel) -> tuple[str, str, tuple[tuple[str, Any], ...]]:
    """Return a model's path, SHA-256 and requested changes to its contract, for a `Job`.

    Raises
    ------
    BadInputError
        If the model has no file.
    """
    if model.source is None:
        raise BadInputError(f"The model {model.name} has no file, so workers cannot load it; save it first.")
    asked = tuple((name, getattr(model.contract, name)) for name in sorted(model.asked or {}))
    return model.source, model.sha256, asked
