"""Tensors in, ink and edge logits out: the network, its input contract, its losses and its checkpoints.

`napari_ink.model.network` and `napari_ink.model.losses` hold what needs torch; what is named here is quick to import.
"""

from napari_ink.model.cards import InkModel, ModelCard, recommended_thresholds
from napari_ink.model.checkpoint import save_checkpoint
from napari_ink.model.config import InkEdgeConfig
from napari_ink.model.contract import Direction, InputContract
from napari_ink.model.loading import DEFAULT_MODEL, MODEL_SUFFIXES, load_model, read_card, shipped_models

__all__ = [
    "DEFAULT_MODEL",
    "MODEL_SUFFIXES",
    "Direction",
    "InkEdgeConfig",
    "InkModel",
    "InputContract",
    "ModelCard",
    "load_model",
    "read_card",
    "recommended_thresholds",
    "save_checkpoint",
    "shipped_models",
]
