"""Lightning checkpoints of the Grand Prize 2023 TimeSformer, whose weights are read without running code."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_ink.decoding import decoder_errors
from napari_ink.errors import CheckpointError
from napari_ink.model.archives import check_archive
from napari_ink.model.cards import InkModel, ModelCard
from napari_ink.model.contract import InputContract

if TYPE_CHECKING:
    from torch import Tensor

    from napari_ink.model.timesformer import TimeSformerSizes

GRAND_PRIZE_CONTRACT = InputContract(
    depth_layers=26,
    min_depth_layers=26,
    surface_offset=-2,  # [17, 43) of 65
    as_8_bit=True,
    clip=(0.0, 200 / 255),
    mean=0.0,
    std=1.0,
    voxel_size_um=7.91,
    tile_size=64,
)
"""Input contract of the Grand Prize's inference. Its files do not state one; a contract file replaces this."""

_PICKLED_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_KEPT_BESIDE = frozenset({"__main__", "argparse", "collections", "numpy", "omegaconf", "pathlib", "torch"}) | frozenset(
    {"lightning", "lightning_fabric", "pytorch_lightning", "warmup_scheduler"}
)
"""Packages whose objects trainers store beside the weights: schedulers, sizes, settings. They are not read."""

_PLAIN: dict[str, Any] = {"builtins.dict": dict, "builtins.list": list, "builtins.set": set, "builtins.int": int}


class _LeftUnread:
    """Replacement of objects that are not weights: accepts any arguments and does nothing."""

    def __new__(cls, *_: object) -> Self:
        return object.__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def _empty_dict(*_: object) -> dict[object, object]:
    """Return a dict in place of a file's `defaultdict`, which unpickling then fills."""
    return {}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights in a Lightning checkpoint, or in a bare ``state_dict`` that `torch.save` wrote.

    Only tensors and plain values are read (`torch.load` with ``weights_only``). Optimizers, schedulers and settings
    that trainers store beside the weights are replaced by stand-ins that do nothing; any other object raises.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint, or contains objects that could run code when read.
    """
    import torch

    check_archive(path, "a Lightning checkpoint")
    try:
        with decoder_errors(CheckpointError, path, "fetch the file again"), _stand_ins(path):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except CheckpointError as error:
        raise CheckpointError(_why_not_loaded(path, error.__cause__ or error)) from error
    weights = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not weights or not all(map(_is_plain, weights.values())):
        raise CheckpointError(f"{path} holds no state_dict of weights; choose a checkpoint that Lightning saved.")
    # A tensor with strides of 0 may have any size over a few stored bytes.
    if (claimed := sum(weight.numel() * weight.element_size() for weight in weights.values())) > path.stat().st_size:
        raise CheckpointError(f"{path} holds fewer bytes than the {claimed} of its weights; fetch the file again.")
    return {str(name): tensor for name, tensor in weights.items()}


def _is_plain(value: object) -> bool:
    """Whether a value is a dense tensor in CPU memory."""
    import torch

    return isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def _stand_ins(path: Path) -> AbstractContextManager[Any]:
    """Return a context in which harmless objects of a file are replaced by stand-ins, with torch 2.6 or newer."""
    from torch import serialization

    find = getattr(serialization, "get_unsafe_globals_in_checkpoint", None)
    if find is None:
        return nullcontext()
    names = [name for name in find(path) if name.partition(".")[0] in _KEPT_BESIDE or name in _PLAIN]
    stand_ins = {"collections.defaultdict": _empty_dict, **_PLAIN}
    return serialization.safe_globals([(stand_ins.get(name, _LeftUnread), name) for name in names])


def _why_not_loaded(path: Path, error: BaseException) -> str:
    named = _PICKLED_GLOBAL.search(str(error))
    if named is None:
        return f"{path} is damaged and cannot be read; fetch the file again."
    return (
        f"{path} holds {named[1]} beside its weights, and reading that could run code; if you trust the file, open it "
        "where it was made and save its weights alone, with torch.save(checkpoint['state_dict'], …)."
    )


def read_grand_prize_card(path: Path) -> ModelCard:
    """Return the card of a Grand Prize checkpoint, from the shapes of its weights.

    Raises
    ------
    CheckpointError
        If the file is no such checkpoint.
    """
    weights = read_weights(path)
    contract, provenance = _contract(path, _sizes(path, weights).tile)
    parameters = sum(tensor.numel() for tensor in weights.values())
    return ModelCard(path.stem, path, None, contract, provenance, parameters, predicts_edges=False)


def load_grand_prize(path: Path) -> InkModel:
    """Load a TimeSformer whose sizes are inferred from the weights in a file.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or its weights do not fit.
    """
    import torch

    from napari_ink.model.timesformer import GrandPrizeNetwork

    weights = read_weights(path)
    sizes = _sizes(path, weights)
    remedy = "run it as TorchScript or ONNX instead, see docs/models.md"
    with decoder_errors(CheckpointError, f"As a TimeSformer of the Grand Prize, {path}", remedy):
        with torch.device("meta"):  # shapes without memory: the file's weights are assigned below
            network = GrandPrizeNetwork(sizes)
        full = {name: w.float() if w.is_floating_point() else w for name, w in weights.items()}
        network.load_state_dict(full, strict=True, assign=True)
    contract, provenance = _contract(path, sizes.tile)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return InkModel(path.stem, network.eval(), None, contract, provenance, digest, predicts_edges=False)


def _contract(path: Path, tile_size: int) -> tuple[InputContract, dict[str, Any]]:
    """Return contract and provenance from a checkpoint's contract file, or else the Grand Prize's."""
    from napari_ink.model.foreign import contract_path, read_foreign_contract

    made_by = {"format": "Lightning checkpoint of a Grand Prize TimeSformer"}
    if not contract_path(path).exists():
        return GRAND_PRIZE_CONTRACT.changed(tile_size=tile_size), made_by
    stated = read_foreign_contract(path)
    if stated.model_fields_set - {"input", "provenance"} or stated.input.tile_size != tile_size:
        raise CheckpointError(
            f"{contract_path(path)} does not fit {path.name}: beside a .ckpt it may hold input and provenance alone, "
            f"with a tile_size of {tile_size}."
        )
    return stated.input, {**made_by, **stated.provenance}


def _sizes(path: Path, weights: Mapping[str, Tensor]) -> TimeSformerSizes:
    """Return the network's sizes, inferred from the shapes of its weights; raise if they are of another network."""
    try:
        return _sizes_of(weights)
    except (LookupError, ArithmeticError, ValueError) as error:
        raise CheckpointError(
            f"{path} holds no TimeSformer of the Grand Prize (looked for {error}; it begins with "
            f"{', '.join(sorted(weights)[:3])}); other networks can be run as TorchScript or ONNX, see docs/models.md."
        ) from error


def _sizes_of(weights: Mapping[str, Tensor]) -> TimeSformerSizes:
    from napari_ink.model.timesformer import TimeSformerSizes

    def shape(name: str) -> tuple[int, ...]:
        return tuple(weights[f"backbone.{name}"].shape)

    dim, pixels = shape("to_patch_embedding.weight")
    inner = shape("layers.0.0.fn.to_qkv.weight")[0] // 3
    is_rotary = "backbone.frame_rot_emb.inv_freqs" in weights
    dim_head = 2 * shape("frame_rot_emb.inv_freqs")[0] if is_rotary else 64
    blocks = {name.split(".")[2] for name in weights if name.startswith("backbone.layers.")}
    return TimeSformerSizes(
        dim=dim,
        depth=len(blocks),
        heads=inner // dim_head,
        dim_head=dim_head,
        patch=math.isqrt(pixels),
        grid=math.isqrt(shape("to_out.1.weight")[0]),
        ff_expansion=shape("layers.0.2.fn.net.3.weight")[1] // dim,
        positions=None if is_rotary else shape("pos_emb.weight")[0],
        has_norm=any(name.startswith("normalization.") for name in weights),
    )
