"""A stack and a model in, a prediction store out: tile plan, blending, streaming, resuming.

What is named here is quick to import; torch and zarr come in when a prediction starts or a store is opened.
"""

from napari_ink.predict.attribution import contribution
from napari_ink.predict.cluster.connect import open_cluster
from napari_ink.predict.device import DeviceName, choose_device, cores_for_torch, device_title
from napari_ink.predict.engine import predict
from napari_ink.predict.ensemble import AUGMENTATIONS, TestTimeAugmentation, check_augmentations
from napari_ink.predict.events import (
    PredictionEnded,
    PredictionEvent,
    PredictionNote,
    PredictionStarted,
    TilePredicted,
)
from napari_ink.predict.probe.probe import ProbeEnded, ProbeEvent, ProbeRequest, ProbeStarted, WindowProbed, probe
from napari_ink.predict.request import PredictRequest
from napari_ink.predict.storage.create import remove_if_empty
from napari_ink.predict.storage.store import NoPredictionError, Plane, Prediction, What, open_prediction
from napari_ink.predict.tiles import DEFAULT_OVERLAP, check_overlap
from napari_ink.region import Region

__all__ = [
    "AUGMENTATIONS",
    "TestTimeAugmentation",
    "DEFAULT_OVERLAP",
    "DeviceName",
    "NoPredictionError",
    "Plane",
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
    "Region",
    "TilePredicted",
    "What",
    "WindowProbed",
    "check_augmentations",
    "check_overlap",
    "choose_device",
    "contribution",
    "cores_for_torch",
    "device_title",
    "open_cluster",
    "open_prediction",
    "predict",
    "probe",
    "remove_if_empty",
]
