"""Stack × labels → checkpoint: sampling, augmentation, the training loop and its record."""

from napari_ink.training.batching import Batch, batches, spare_workers
from napari_ink.training.contract import fit_contract
from napari_ink.training.crops import Crop, CropSampler, TrainingPair
from napari_ink.training.events import (
    BatchSkipped,
    CheckpointSaved,
    StepEnded,
    TrainingEnded,
    TrainingEvent,
    TrainingStarted,
    Validated,
)
from napari_ink.training.loop import train
from napari_ink.training.pairs import PairFiles, read_pair
from napari_ink.training.request import TrainRequest
from napari_ink.training.settings import AugmentationSettings, DepthVariation, Precision, TrainSettings
from napari_ink.training.targets import OUTSIDE, edge_target, ink_target
from napari_ink.training.validation import Scores

__all__ = [
    "OUTSIDE",
    "AugmentationSettings",
    "Batch",
    "BatchSkipped",
    "CheckpointSaved",
    "Crop",
    "CropSampler",
    "DepthVariation",
    "PairFiles",
    "Precision",
    "Scores",
    "StepEnded",
    "TrainRequest",
    "TrainSettings",
    "TrainingEnded",
    "TrainingEvent",
    "TrainingPair",
    "TrainingStarted",
    "Validated",
    "batches",
    "edge_target",
    "fit_contract",
    "ink_target",
    "read_pair",
    "spare_workers",
    "train",
]
