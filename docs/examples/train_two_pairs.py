"""Train the shipped model further on two pairs of a stack and its labels."""

from pathlib import Path

from napari_ink.model import load_model
from napari_ink.phantom import PhantomConfig, make_phantom, write_segment
from napari_ink.training import StepEnded, TrainingEnded, TrainRequest, TrainSettings, read_pair, train

# Two simulated segments, with their labels beside the layers. Yours are folders as well.
for seed in (1, 2):
    write_segment(make_phantom(PhantomConfig(seed=seed, height=192, width=192)), Path(f"segment-{seed}"))

request = TrainRequest(
    # Labels are found by their names; a file or a project is the second argument of `read_pair`.
    pairs=[read_pair("segment-1").pair, read_pair("segment-2").pair],
    out=Path("run"),
    start=load_model("ink-tiny-9"),
    # Two steps show that it works. A useful run takes a thousand; see the reference of training.
    settings=TrainSettings(steps=2, batch_size=2, crop_size=64, validate_every=2, learning_rate=5e-4),
)
for event in train(request):
    if isinstance(event, StepEnded):
        print(f"step {event.step}: loss of ink {event.ink_loss:.3f}")
    if isinstance(event, TrainingEnded):
        print(f"{event.path}: F0.5 {event.best.ink_f0_5:.3f} on pixels that were held out")
