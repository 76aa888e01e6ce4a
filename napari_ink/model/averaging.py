"""Averaging of checkpoints of one run, whose mean often predicts better than each of them (Izmailov et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.durable import replacing
from napari_ink.errors import CheckpointError, OutputError, storage_errors
from napari_ink.model.published import PublishedFile, read_published
from napari_ink.model.unknown_weights import short

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".pth"
# Checkpoints of one run point the same way; those of different seeds are at right angles to one another.
_LEAST_COSINE = 0.5
_DEEPEST = 20


def average_checkpoints(paths: Sequence[Path], out: Path) -> Path:
    """Write the mean of the weights of checkpoints of one run, as a file of the same layout, and return its path.

    Parameters
    ----------
    paths
        Files of published models, at least two.
    out
        File to write, which ends in ``.pth``.

    Raises
    ------
    CheckpointError
        If the files are of different networks, configurations or runs.
    OutputError
        If the file cannot be written.
    """
    import torch

    if len(paths) < 2:
        raise CheckpointError("An average needs at least two checkpoints; name the files of one run.")
    if out.suffix != SUFFIX:
        raise OutputError(f"{out} does not end in {SUFFIX}; give the average such a name.")
    if out.exists():
        raise OutputError(f"{out} exists already; choose another name.")
    files = [read_published(path) for path in paths]
    for other in files[1:]:
        _check_alike(files[0], other)
    content = {
        files[0].entry or "model": _mean([file.weights for file in files]),
        "config": _plain(files[0].config),
        "step": max((file.step for file in files if isinstance(file.step, int)), default=0),
        "averaged": [{"file": file.path.name, "sha256": file.sha256, "step": _plain(file.step)} for file in files],
    }
    with storage_errors(out), replacing(out) as partial:
        torch.save(content, partial)
    return out


def _check_alike(first: PublishedFile, other: PublishedFile) -> None:
    """Refuse a checkpoint that is of another network or run than the first."""
    pair = f"{first.path.name} and {other.path.name}"
    shapes, those = ({name: one.shape for name, one in file.weights.items()} for file in (first, other))
    if first.family != other.family or shapes != those:
        raise CheckpointError(f"{pair} are of different networks, whose weights have no average; average their maps.")
    if first.entry != other.entry:
        raise CheckpointError(
            f"{pair} hold different kinds of weights, {first.entry} and {other.entry}; choose files that hold the same."
        )
    if first.contract != other.contract:
        raise CheckpointError(f"{pair} read different layers, tiles or grey values; average their maps.")
    seeds = [_plain(file.config.get("seed")) for file in (first, other)]
    cosine = _cosine(first.weights, other.weights)
    if (None not in seeds and seeds[0] != seeds[1]) or cosine < _LEAST_COSINE:
        why = f"their weights agree to {cosine:.2f}"
        if cosine >= _LEAST_COSINE:
            why = "seeds " + " and ".join(short(str(seed)) for seed in seeds)
        raise CheckpointError(
            f"{pair} are of different runs ({why}), and the mean of their weights predicts at chance; average their "
            "maps instead: `napari-ink predict --model A --model B`."
        )


def _cosine(first: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Return the cosine of the angle between all kernels of two networks; norms and biases hardly differ by run."""
    kernels = [name for name, one in first.items() if one.ndim > 1]
    product, lengths = 0.0, [0.0, 0.0]
    for name in kernels:
        pair = first[name].double().flatten(), other[name].double().flatten()
        product += float(pair[0] @ pair[1])
        lengths = [length + float(one @ one) for length, one in zip(lengths, pair, strict=True)]
    return product / max(math.sqrt(lengths[0] * lengths[1]), 1e-30)


def _mean(all_weights: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of each weight; of counts, such as those of norms' batches, the first."""
    import torch

    # Weights of two names share their memory in a file, and so do their means.
    means: dict[tuple[int, ...], Tensor] = {}
    found = {}
    for name, first in all_weights[0].items():
        key = (first.data_ptr(), first.storage_offset(), *first.shape, *first.stride())
        if key not in means:
            total = torch.stack([weights[name].double() for weights in all_weights]).mean(dim=0)
            means[key] = total.to(first.dtype) if first.is_floating_point() else first.clone()
        found[name] = means[key]
    return found


def _plain(value: Any, depth: int = 0) -> Any:
    """Return a value with only what files may hold: dicts, lists, text, numbers; anything else becomes None."""
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {str(key): _plain(one, depth + 1) for key, one in value.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple):
        return [_plain(one, depth + 1) for one in value]
    return value if isinstance(value, str | bool | int | float) else None
