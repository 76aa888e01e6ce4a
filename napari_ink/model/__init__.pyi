from .cards import InkModel, ModelCard, recommended_thresholds
from .checkpoint import save_checkpoint
from .config import InkEdgeConfig
from .contract import Direction, InputContract
from .loading import DEFAULT_MODEL, MODEL_SUFFIXES, load_model, read_card, shipped_models

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
