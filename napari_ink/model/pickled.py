"""Reading of files that `torch.save` wrote, of which only tensors and plain values are read, without running code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_ink.decoding import decoder_errors
from napari_ink.errors import CheckpointError
from napari_ink.model.archives import check_archive

if TYPE_CHECKING:
    from torch import Tensor

_PICKLED_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_STORED_BESIDE = frozenset(
    (
        *("__main__", "argparse", "collections", "numpy", "omegaconf", "pathlib", "torch"),
        *("lightning", "lightning_fabric", "pytorch_lightning", "warmup_scheduler"),
    )
)
"""Packages whose objects trainers store beside the weights: schedulers, sizes, settings. They are not read."""

_NUMBER = re.compile(r"[biuf]\d{1,2}")


class _LeftUnread:
    """Replacement of objects that are not weights: accepts any arguments and does nothing."""

    def __new__(cls, *_: object) -> Self:
        return object.__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


class _NumberType:
    """Replacement of `numpy.dtype`, which holds the name of a type of numbers and nothing else."""

    def __init__(self, name: object = "", *_: object) -> None:
        self.name, self.order = str(name), "="

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|"):
            self.order = state[1]


def _number(kind: object = None, data: object = None, *_: object) -> object:
    """Return a NumPy scalar as a plain number; anything else is left unread."""
    if isinstance(kind, _NumberType) and _NUMBER.fullmatch(kind.name):
        # torch hands over the bytes of newer pickles, and older ones encode them as text.
        stored = data.encode("latin-1") if isinstance(data, str) else data
        dtype = np.dtype(kind.order + kind.name)
        if isinstance(stored, bytes) and len(stored) == dtype.itemsize:
            return np.frombuffer(stored, dtype)[0].item()
    return _LeftUnread()


def _empty_dict(*_: object) -> dict[object, object]:
    """Return a dict in place of a file's `defaultdict`, which unpickling then fills."""
    return {}


_STAND_INS: dict[str, Any] = {
    "builtins.dict": dict,
    "builtins.list": list,
    "builtins.set": set,
    "builtins.int": int,
    "collections.defaultdict": _empty_dict,
    "numpy.dtype": _NumberType,
    "numpy._core.multiarray.scalar": _number,
    "numpy.core.multiarray.scalar": _number,  # the name before NumPy 2
}


def read_pickled(path: Path, kind: str, remedy: str) -> Any:
    """Return the content of a file that `torch.save` wrote: tensors, and plain values (`torch.load` ``weights_only``).

    NumPy scalars become numbers. Optimizers, schedulers and settings that trainers store beside the weights are
    replaced by stand-ins that do nothing; any other object raises.

    Parameters
    ----------
    path
        File to read.
    kind
        Expected kind of file, with an article.
    remedy
        What to do about a file with other objects.

    Raises
    ------
    CheckpointError
        If the file is damaged, or contains objects that could run code when read.
    """
    import torch

    check_archive(path, kind)
    try:
        with decoder_errors(CheckpointError, path, "fetch the file again"), _stand_ins(path):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except CheckpointError as error:
        raise CheckpointError(_why_not_loaded(path, error.__cause__ or error, remedy)) from error


def _stand_ins(path: Path) -> AbstractContextManager[Any]:
    """Return a context in which harmless objects of a file are replaced by stand-ins, with torch 2.6 or newer."""
    from torch import serialization

    find = getattr(serialization, "get_unsafe_globals_in_checkpoint", None)
    if find is None:
        return nullcontext()
    names = [name for name in find(path) if name.partition(".")[0] in _STORED_BESIDE or name in _STAND_INS]
    return serialization.safe_globals([(_STAND_INS.get(name, _LeftUnread), name) for name in names])


def _why_not_loaded(path: Path, error: BaseException, remedy: str) -> str:
    named = _PICKLED_GLOBAL.search(str(error))
    if named is None:
        return f"{path} is damaged and cannot be read; fetch the file again."
    return f"{path} holds {named[1]} beside its weights, and reading that could run code; {remedy}."


def plain_weights(path: Path, weights: object) -> dict[str, Tensor] | None:
    """Return a file's weights by name, or None if the object is not a non-empty dict of dense tensors.

    Raises
    ------
    CheckpointError
        If the weights claim more bytes than the file has.
    """
    if not isinstance(weights, Mapping) or not weights or not all(map(_is_plain, weights.values())):
        return None
    if not all(isinstance(name, str | int) for name in weights):
        return None
    # Weights of two names may share their memory, and a tensor with strides of 0 may have any size over a few bytes.
    stored = {weight.untyped_storage().data_ptr(): weight.untyped_storage().nbytes() for weight in weights.values()}
    largest = {weight.untyped_storage().data_ptr(): 0 for weight in weights.values()}
    for weight in weights.values():
        at = weight.untyped_storage().data_ptr()
        largest[at] = max(largest[at], weight.numel() * weight.element_size())
    claimed = sum(largest.values())
    if claimed > path.stat().st_size or any(largest[at] > nbytes for at, nbytes in stored.items()):
        raise CheckpointError(f"{path} holds fewer bytes than the {claimed} of its weights; fetch the file again.")
    return {str(name): tensor for name, tensor in weights.items()}


def _is_plain(value: object) -> bool:
    """Whether a value is a dense tensor in CPU memory."""
    import torch

    return isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type == "cpu"
