"""Stack × labels → checkpoint: sampling, augmentation and the training loop."""

from napari_ink.training.crops import Crop, CropSampler, TrainingPair, edge_target, ink_target
from napari_ink.training.loop import CheckpointSaved, StepEnded, TrainRequest, train

__all__ = [
    "CheckpointSaved",
    "Crop",
    "CropSampler",
    "StepEnded",
    "TrainRequest",
    "TrainingPair",
    "edge_target",
    "ink_target",
    "train",
]
