"""Predict a region of a stack; `napari-ink predict` and the window run the same generator."""

from pathlib import Path

from napari_ink.model import load_model
from napari_ink.phantom import sample_path
from napari_ink.predict import PredictionEnded, PredictRequest, TilePredicted, open_prediction, predict
from napari_ink.region import Region
from napari_ink.stack import open_stack

request = PredictRequest(
    stack=open_stack(sample_path()),
    model=load_model("ink-tiny-9"),
    out=Path("ink.zarr"),
    region=Region(100, 300, 100, 300),
)
for event in predict(request):  # stop reading events, and the run stops; its finished blocks are kept
    if isinstance(event, TilePredicted):
        print(f"tile {event.done} of {event.total}")
    if isinstance(event, PredictionEnded):
        print(f"{event.tiles} tiles in {event.seconds:.1f} s")

prediction = open_prediction("ink.zarr")
ink = prediction.mask("ink", 0.5, slice(100, 300), slice(100, 300))
print(f"{ink.mean():.0%} of the region is ink; the model was {prediction.provenance['model']['name']}")
