"""The task of a cluster's worker: it opens the stack and the models once, and predicts the patches that it gets."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import napari_ink
from napari_ink.errors import BadInputError
from napari_ink.memory import memory_kept
from napari_ink.model import InkModel, load_model
from napari_ink.predict.augmented_views import TestTimeAugmentation
from napari_ink.predict.cells import CellStore
from napari_ink.predict.cluster.patches import BlendedPatch, Patch, PatchAnswer
from napari_ink.predict.ensemble import members_of
from napari_ink.predict.precision import NumberFormat
from napari_ink.predict.resampling import with_means
from napari_ink.predict.storage.encoding import BlockCodec
from napari_ink.predict.tile_queue import TileQueue
from napari_ink.predict.tiles import TileGrid
from napari_ink.region import Region

if TYPE_CHECKING:
    from napari_ink.predict.tile_inference import TileInference

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
    region
        Region that is predicted.
    codec
        Encodes blocks for the store; None if they cannot be encoded here.
    device
        Device that networks run on.
    row_px
        Width of a patch, in pixels, which makes it worthwhile to read wide parts of files; None if unknown.
    number_format
        Number format that networks compute in.
    has_depth
        Whether the depth of ink is stored.
    version
        Version of napari-ink that sent the job.
    """

    stack: str
    fingerprint: str
    models: tuple[tuple[str, str, tuple[tuple[str, Any], ...]], ...]
    augment: tuple[TestTimeAugmentation, ...]
    grid: TileGrid
    region: Region
    codec: BlockCodec | None
    device: str
    row_px: int | None = None
    number_format: NumberFormat = "float32"
    has_depth: bool = False
    version: str = napari_ink.__version__


def answer(job: Job, patch: Patch) -> PatchAnswer:
    """Predict the tiles of a patch on this worker.

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
        made = BlendedPatch(patch, job.grid, job.region, job.codec)
        with closing(run_batches(inference, job.grid, store, TileQueue(patch.batches), _cores())) as answered:
            for batch, probabilities in answered:
                made.add(batch, probabilities)
        return made.answer


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
    members = members_of([_model(*one).with_greys_of(stack) for one in job.models], job.augment, stack.shape[0])
    forward = Forward(torch.device(job.device), job.number_format)
    return TileInference(members, stack, job.grid, forward, job.row_px, job.has_depth)


def _model(source: str, sha256: str, asked: tuple[tuple[str, Any], ...]) -> InkModel:
    changes = dict(asked)
    means = changes.pop("mean_of", (1, 1))
    model = load_model(source)
    if model.sha256 != sha256:
        raise BadInputError(f"A worker finds another model at {source}; give all workers the same files.")
    return with_means(model.reading(**changes), means)


def job_model(model: InkModel) -> tuple[str, str, tuple[tuple[str, Any], ...]]:
    """Return a model's path, SHA-256 and requested changes to its contract, for a `Job`.

    Raises
    ------
    BadInputError
        If the model has no file.
    """
    if model.source is None:
        raise BadInputError(f"The model {model.name} has no file, so workers cannot load it; save it first.")
    names = [*sorted(model.asked or {}), *(["mean_of"] if model.contract.mean_of != (1, 1) else [])]
    asked = tuple((name, getattr(model.contract, name)) for name in names)
    return model.source, model.sha256, asked
