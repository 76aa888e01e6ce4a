"""Replay: phantoms beside the corrections, so that a network does not forget what it knew.

A few labels of one scroll alone make a good model worse; the same labels beside what it was trained on make it better
(rehearsal, Robins 1995).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import LabelValue
from napari_ink.model import InputContract
from napari_ink.phantom import SETS, WORLDS, make_phantom, make_world_phantom, set_config, world_sets
from napari_ink.stack import stack_of_array
from napari_ink.training.crops import TrainingPair
from napari_ink.training.targets import OUTSIDE

_SIDE_PX = 256
_LAYERS = 49  # more than networks read, since crops shift and stretch their window of layers
_WHITE = 2**16 - 1
# Of each world: phantoms with ink, those without, and the share of crops from the latter. With a third as many, a
# network that adapts forgets more, and does worse where its pseudo-labels are wrong.
_WRITTEN, _BLANK, _BLANK_SHARE = 10, 5, 0.3
_WORLD_SIDE_PX = 192
_WRITTEN_SEEDS = 500  # the seeds of a training set from here on are for phantoms without ink
_OUTERMOST = 8  # layers at each end that no window reads
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
        stack = stack_of_array(_translated(phantom.volume, trained, taught), f"phantom-{phantom_seed}")
        pairs.append(TrainingPair(stack, _labels(phantom.ink, phantom.mask), share=share / count))
    return pairs


def world_pair_count(worlds: Sequence[str] | None) -> int:
    """Return how many phantoms `world_pairs` makes."""
    return len(WORLDS if worlds is None else worlds) * (_WRITTEN + _BLANK + 1)


def world_pairs(worlds: Sequence[str] | None, share: float, seed: int = 0) -> Iterator[TrainingPair]:
    """Make phantoms of several worlds with their true labels, some of them blank, and one of each world held out.

    Parameters
    ----------
    worlds
        Names of the worlds; None for all.
    share
        Share of all crops that come from them.
    seed
        Seed of the choice of phantoms.
    """
    rng = np.random.default_rng([seed, 8])
    names = tuple(WORLDS) if worlds is None else worlds
    for world in names:
        sets = world_sets(world)
        written = rng.choice(sets["train"][:_WRITTEN_SEEDS], _WRITTEN, replace=False).tolist()
        blank = rng.choice(sets["train"][_WRITTEN_SEEDS:], _BLANK, replace=False).tolist()
        each = share / len(names)
        yield from (_of_world(world, one, False, each * (1 - _BLANK_SHARE) / _WRITTEN) for one in written)
        yield from (_of_world(world, one, True, each * _BLANK_SHARE / _BLANK) for one in blank)
        judged = _of_world(world, int(sets["validation"][0]), False, 0.0)
        yield replace(judged, held_out=np.ones(judged.labels.shape, bool))


def _of_world(world: str, seed: int, is_blank: bool, share: float) -> TrainingPair:
    phantom = make_world_phantom(world, seed, _WORLD_SIDE_PX, _WORLD_SIDE_PX, blank=is_blank)
    return TrainingPair(
        stack_of_array(phantom.volume[_OUTERMOST:-_OUTERMOST], f"{world}-{seed}"),
        _labels(phantom.ink, phantom.mask),
        share=share,
    )


def _labels(ink: npt.NDArray[np.bool_], papyrus: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    values = np.where(ink, LabelValue.INK, LabelValue.PAPYRUS).astype(np.uint8)
    values[~papyrus] = OUTSIDE
    return values


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
