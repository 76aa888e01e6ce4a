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
from .precision import PrecisionName
from .probing.probe import ProbeEnded, ProbeEvent, ProbeRequest, ProbeStarted, WindowProbed, probe
from .request import PredictRequest
from .storage.create import remove_if_empty
from .storage.store import NoPredictionError, Plane, Prediction, What, open_prediction
from .tiles import DEFAULT_OVERLAP, check_overlap

__all__ = [
    "AUGMENTATIONS",
    "TestTimeAugmentation",
    "DEFAULT_OVERLAP",
    "DeviceName",
    "NoPredictionError",
    "Plane",
    "PrecisionName",
    "PredictRequest",
    "Prediction",
    "PredictionNote",
    "PredictionEnded",
    "PredictionEvent",
    "PredictionStarted",
    "ProbeEnded",
    "ProbeEvent",
    "ProbeRequest",
    "ProbeStarted",
    "TilePredicted",
    "What",
    "WindowProbed",
    "check_augmentations",
    "check_overlap",
    "choose_device",
    "contribution",
    "cores_for_torch",
    "cores_left_free",
    "device_title",
    "open_cluster",
    "open_prediction",
    "predict",
    "probe",
    "remove_if_empty",
]
