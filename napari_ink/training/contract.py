"""Input contract of a network that is trained from scratch, fitted to its training pairs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

from napari_ink.annotation import LabelValue
from napari_ink.model import InputContract
from napari_ink.model.config import CONTEXT_PX, TILE_PX
from napari_ink.training.crops import CropSampler, TrainingPair
from napari_ink.training.settings import DepthVariation

DEPTH_LAYERS = 32
_SAMPLE_CROPS = 32
_SAMPLE_PX = 96
_LARGEST_DIFFERENCE = 1.1


def fit_contract(pairs: Sequence[TrainingPair], seed: int = 0) -> tuple[InputContract, tuple[str, ...]]:
    """Return a contract with the middle layers of the pairs and the mean and standard deviation of their greys.

    Parameters
    ----------
    pairs
        Pairs to train on.
    seed
        Seed of the sampled crops.

    Returns
    -------
    tuple
        The contract, and sentences on differences between the pairs.

    Raises
    ------
    LabelError
        If no pair has labels to train on.
    """
    layers = min(DEPTH_LAYERS, *(pair.stack.shape[0] for pair in pairs), DEPTH_LAYERS)
    sizes = sorted(pair.stack.voxel_size_um for pair in pairs if pair.stack.voxel_size_um)
    plain = InputContract(
        depth_layers=layers,
        min_depth_layers=min(12, layers),
        mean=0.0,
        std=1.0,
        voxel_size_um=round(median(sizes), 3) if sizes else None,
        tile_size=TILE_PX,
        context_px=CONTEXT_PX,
    )
    mean, std = _mean_and_deviation(pairs, plain, seed)
    return plain.changed(mean=round(mean, 4), std=round(max(std, 1e-3), 4)), _voxel_notes(sizes)


def _mean_and_deviation(pairs: Sequence[TrainingPair], plain: InputContract, seed: int) -> tuple[float, float]:
    sampler = CropSampler(pairs, plain, _SAMPLE_PX, DepthVariation(shift=0, stretch=0))
    rng = np.random.default_rng([seed, 0])
    sums = np.zeros(3)
    for _ in range(_SAMPLE_CROPS):
        crop = sampler.draw(rng)
        # Unreviewed pixels may lie outside of the papyrus, whose black would distort the mean.
        known = np.isin(crop.labels, (LabelValue.PAPYRUS, LabelValue.INK))
        greys = crop.values[:, known].astype(np.float64)
        sums += (greys.size, greys.sum(), np.square(greys).sum())
    count, total, squares = sums
    mean = total / count
    return float(mean), float(np.sqrt(max(squares / count - mean**2, 0)))


def _voxel_notes(sizes: Sequence[float]) -> tuple[str, ...]:
    if not sizes:
        return ("No stack states its voxel size, so the checkpoint will not state one either.",)
    if sizes[-1] / sizes[0] <= _LARGEST_DIFFERENCE:
        return ()
    return (
        f"The voxel sizes of the stacks range from {sizes[0]} to {sizes[-1]} µm, and one network is trained on all.",
    )
