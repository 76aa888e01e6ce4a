from .attribution import contribution
from .augmented_views import AUGMENTATIONS, TestTimeAugmentation, check_augmentations
from .cluster.connect import open_cluster
from .device import DeviceName, choose_device, cores_for_torch, cores_left_free, device_title
from .engine import predict
from .events import (
    PredictionEnded,
    PredictionEvent,
    PredictionNote,
    PredictionStarted,
    TilePredicted,
)
from .familiarity import familiarity_notes
from .precision import PrecisionName
from .probing.directions import compare_directions
from .probing.probe import ProbeEnded, ProbeEvent, ProbeRequest, ProbeStarted, WindowProbed, probe
from .request import PredictRequest
from .storage.create import remove_if_empty
from .storage.difference import SAME, PredictionDifference, coarse
from .storage.folder import FOLDER, PredictionFolder, PredictionList, TrashedPrediction, regions_path
from .storage.provenance import is_of_stack
from .storage.store import NoPredictionError, Plane, Prediction, What, open_prediction
from .storage.stored import StoredPrediction
from .tiles import DEFAULT_OVERLAP, check_overlap
from .unfamiliar import UnfamiliarMap, unfamiliar_map

__all__ = [
    "AUGMENTATIONS",
    "TestTimeAugmentation",
    "DEFAULT_OVERLAP",
    "DeviceName",
    "FOLDER",
    "NoPredictionError",
    "Plane",
    "PrecisionName",
    "PredictRequest",
    "Prediction",
    "PredictionDifference",
    "PredictionFolder",
    "PredictionList",
    "PredictionNote",
    "PredictionEnded",
    "PredictionEvent",
    "PredictionStarted",
    "ProbeEnded",
    "ProbeEvent",
    "ProbeRequest",
    "ProbeStarted",
    "SAME",
    "StoredPrediction",
    "TilePredicted",
    "TrashedPrediction",
    "UnfamiliarMap",
    "What",
    "WindowProbed",
    "check_augmentations",
    "check_overlap",
    "choose_device",
    "compare_directions",
    "contribution",
    "coarse",
    "cores_for_torch",
    "cores_left_free",
    "device_title",
    "familiarity_notes",
    "is_of_stack",
    "open_cluster",
    "open_prediction",
    "predict",
    "probe",
    "regions_path",
    "remove_if_empty",
    "unfamiliar_map",
]
