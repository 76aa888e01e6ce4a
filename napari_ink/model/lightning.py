"""Lightning checkpoints of the Grand Prize 2023 TimeSformer, whose weights are read without running code."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.decoding import decoder_errors
from napari_ink.errors import CheckpointError
from napari_ink.model.cards import InkModel, ModelCard
from napari_ink.model.checkpoint import read_bare_safetensors
from napari_ink.model.contract import InputContract
from napari_ink.model.families import looked_for
from napari_ink.model.pickled import plain_weights, read_pickled
from napari_ink.model.unknown_weights import EXPORT_IT, in_words
from napari_ink.model.weight_checks import check_layout, full_precision

if TYPE_CHECKING:
    from torch import Tensor

    from napari_ink.model.timesformer import GrandPrizeNetwork, TimeSformerSizes

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

_REMEDY = (
    "if you trust the file, open it where it was made and save its weights alone, with "
    "torch.save(checkpoint['state_dict'], …)"
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights in a Lightning checkpoint, or bare ones that `torch.save` or safetensors wrote.

    Only tensors and plain values are read (`torch.load` with ``weights_only``). Optimizers, schedulers and settings
    that trainers store beside the weights are replaced by stand-ins that do nothing; any other object raises.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint, or contains objects that could run code when read.
    """
    if path.suffix == ".safetensors":
        return read_bare_safetensors(path)
    content = read_pickled(path, "a Lightning checkpoint", _REMEDY)
    weights = plain_weights(path, content.get("state_dict", content) if isinstance(content, Mapping) else None)
    if weights is None:
        raise CheckpointError(f"{path} holds no state_dict of weights; choose a checkpoint that Lightning saved.")
    return weights


def read_grand_prize_card(path: Path) -> ModelCard:
    """Return the card of a Grand Prize checkpoint, from the shapes of its weights.

    Raises
    ------
    CheckpointError
        If the file is no such checkpoint.
    """
    weights = read_weights(path)
    _, tile = _fitted(path, weights)
    contract, provenance = _contract(path, tile)
    parameters = sum(tensor.numel() for tensor in weights.values())
    return ModelCard(path.stem, path, None, contract, provenance, parameters, predicts_edges=False)


def load_grand_prize(path: Path) -> InkModel:
    """Load a TimeSformer whose sizes are inferred from the weights in a file.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or its weights do not fit.
    """
    weights = read_weights(path)
    network, tile = _fitted(path, weights)
    with decoder_errors(CheckpointError, path, "fetch the file again"):
        # Assigned, since the network has shapes but no memory that the weights could be copied to.
        network.load_state_dict(full_precision(path, weights), strict=True, assign=True)
    contract, provenance = _contract(path, tile)
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
            f"{contract_path(path)} does not fit {path.name}: beside it, it may hold input and provenance alone, "
            f"with a tile_size of {tile_size}."
        )
    return stated.input, {**made_by, **stated.provenance}


def _fitted(path: Path, weights: Mapping[str, Tensor]) -> tuple[GrandPrizeNetwork, int]:
    """Return a network without memory for weights, which must be exactly its own, and the side of its tiles."""
    import torch

    from napari_ink.model.timesformer import GrandPrizeNetwork

    sizes = _sizes(path, weights)
    with decoder_errors(CheckpointError, path, "fetch the file again"), torch.device("meta"):
        network = GrandPrizeNetwork(sizes)
    check_layout(path, "the Grand Prize's TimeSformer", network, weights)
    return network, sizes.tile


def _sizes(path: Path, weights: Mapping[str, Tensor]) -> TimeSformerSizes:
    """Return the network's sizes, inferred from the shapes of its weights; raise if they are of another network."""
    try:
        return _sizes_of(weights)
    except (LookupError, ArithmeticError, ValueError) as error:
        raise CheckpointError(
            f"{path} holds no TimeSformer of the Grand Prize ({looked_for(error)}; {in_words(weights)}); {EXPORT_IT}."
        ) from error


def _sizes_of(weights: Mapping[str, Tensor]) -> TimeSformerSizes:
    from napari_ink.model.timesformer import TimeSformerSizes

    def shape(name: str) -> tuple[int, ...]:
        return tuple(weights[f"backbone.{name}"].shape)

    dim, pixels = shape("to_patch_embedding.weight")
    inner = shape("layers.0.0.fn.to_qkv.weight")[0] // 3
    # The width of a head shows in rotary positions alone; without them it is timesformer-pytorch's default.
    is_rotary = "backbone.frame_rot_emb.inv_freqs" in weights
    dim_head = 2 * shape("frame_rot_emb.inv_freqs")[0] if is_rotary else 64
    blocks = {name.split(".")[2] for name in weights if name.startswith("backbone.layers.")}
    # Patches and grids are square, and patches have one channel, so that a side is the root of a count.
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
