from .batching import Batch, batches, spare_workers
from .contract import fit_contract
from .crops import Crop, CropSampler, TrainingPair
from .events import (
    BatchSkipped,
    CheckpointSaved,
    StepEnded,
    TrainingEnded,
    TrainingEvent,
    TrainingStarted,
    Validated,
)
from .loop import train
from .pairs import PairFiles, read_pair
from .request import TrainRequest
from .settings import AugmentationSettings, DepthVariation, Precision, TrainSettings
from .targets import OUTSIDE, edge_target, ink_target
from .teaching.adapt import AdaptationDoubted, AdaptEvent, AdaptRequest, ModelAdapted, PhantomMade, RoundBegun, adapt
from .teaching.blocks import BLOCK_PX, block_region, blocks_of
from .teaching.checks import check_taught
from .teaching.live import AreaAnswered, BlockAnswered, HeadFitted, LiveEvent, LiveHead, LiveNote, StrokesRead
from .teaching.taught_models import StrokeScores, TaughtModel, TaughtModels, is_interrupted
from .teaching.teach import FeaturesRead, ModelTaught, TeachingEvent, TeachingNote, TeachRequest, teach
from .validation import Scores

__all__ = [
    "BLOCK_PX",
    "OUTSIDE",
    "AdaptEvent",
    "AdaptationDoubted",
    "AdaptRequest",
    "AugmentationSettings",
    "Batch",
    "BatchSkipped",
    "CheckpointSaved",
    "Crop",
    "CropSampler",
    "DepthVariation",
    "ModelAdapted",
    "PairFiles",
    "Precision",
    "PhantomMade",
    "RoundBegun",
    "Scores",
    "StepEnded",
    "TrainRequest",
    "TrainSettings",
    "TrainingEnded",
    "TrainingEvent",
    "TrainingPair",
    "TrainingStarted",
    "Validated",
    "adapt",
    "batches",
    "block_region",
    "blocks_of",
    "edge_target",
    "fit_contract",
    "ink_target",
    "read_pair",
    "spare_workers",
    "train",
    "AreaAnswered",
    "BlockAnswered",
    "FeaturesRead",
    "HeadFitted",
    "LiveEvent",
    "LiveHead",
    "LiveNote",
    "ModelTaught",
    "StrokeScores",
    "StrokesRead",
    "TaughtModel",
    "TaughtModels",
    "TeachRequest",
    "TeachingEvent",
    "TeachingNote",
    "check_taught",
    "is_interrupted",
    "teach",
]
