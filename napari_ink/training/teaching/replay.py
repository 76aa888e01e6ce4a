"""Replay: phantoms beside the corrections, so that a network does not forget what it knew.

A few labels of one scroll alone make a good model worse; the same labels beside what it was trained on make it better
(rehearsal, Robins 1995).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import LabelValue
from napari_ink.model import InputContract
from napari_ink.phantom import SETS, make_phantom, set_config
from napari_ink.stack import stack_of_array
from napari_ink.training.crops import TrainingPair
from napari_ink.training.targets import OUTSIDE

_SIDE_PX = 256
_LAYERS = 49  # more than networks read, since crops shift and stretch their window of layers
_WHITE = 2**16 - 1
UInt16Array = npt.NDArray[np.uint16]


def replay_pairs(
    count: int, trained: InputContract, taught: InputContract, share: float, seed: int = 0
) -> list[TrainingPair]:
    """Return phantoms of the training set with their true labels.

    Parameters
    ----------
    count
        Number of phantoms.
    trained, taught
        Contracts of the start model and of the model to teach. Grey values are stored such that the second contract
        prepares them to what the first one would.
    share
        Share of all crops that come from them.
    seed
        Seed of the choice of phantoms.
    """
    seeds = np.random.default_rng([seed, 7]).choice(SETS["train"], count, replace=False)
    pairs = []
    for phantom_seed in seeds.tolist():
        phantom = make_phantom(set_config(phantom_seed, _SIDE_PX, _SIDE_PX, _LAYERS))
        values = np.where(phantom.ink, LabelValue.INK, LabelValue.PAPYRUS).astype(np.uint8)
        values[~phantom.mask] = OUTSIDE
        stack = stack_of_array(_translated(phantom.volume, trained, taught), f"phantom-{phantom_seed}")
        pairs.append(TrainingPair(stack, values, share=share / count))
    return pairs


def _translated(volume: UInt16Array, trained: InputContract, taught: InputContract) -> UInt16Array:
    """Return grey values that the contract `taught` prepares to what `trained` makes of a volume."""
    greys = {
        name: getattr(trained, name) for name in ("mean", "std", "grey_range", "clip", "as_8_bit", "normalisation")
    }
    # With the same scaling, grey values need not be rounded a second time.
    if all(getattr(taught, name) == value for name, value in greys.items()):
        return volume if taught.direction == trained.direction else volume[::-1].copy()
    # The order of layers is restored at the end, so values are computed in the order of the phantom.
    prepared = trained.changed(direction="as stored").prepare(volume)
    plain: UInt16Array = np.rint(np.clip((prepared * taught.std + taught.mean) * _WHITE, 0, _WHITE)).astype(np.uint16)
    return plain if taught.direction == "as stored" else plain[::-1].copy()
