"""Correct labels in a project, and teach a model from them."""

from pathlib import Path

import numpy as np

from napari_ink.annotation import LabelValue, create_project
from napari_ink.model import load_model
from napari_ink.phantom import sample_path
from napari_ink.stack import find_beside, open_stack, read_mask
from napari_ink.training import ModelTaught, TeachRequest, teach

stack = open_stack(sample_path())
truth = read_mask(find_beside(stack).ink_labels, stack.shape[1:])

# Strokes, as a person would paint them: six small patches of ink and six of papyrus, some way apart.
project = create_project(Path("phantom-7.ink"), stack)
for is_ink, value in ((True, LabelValue.INK), (False, LabelValue.PAPYRUS)):
    where = np.argwhere(truth[120:380:8, 120:380:8] == is_ink)[::40][:6] * 8 + 120
    for y, x in where:
        patch = np.where(truth[y : y + 8, x : x + 8] == is_ink, value, LabelValue.UNREVIEWED)
        project.annotation.apply([("ink", int(y), int(x), patch.astype(np.uint8))], tool="ink")
project.close()

# Without minutes for a deep model, the quick one alone is made, in seconds.
for event in teach(TeachRequest((Path("phantom-7.ink"),), load_model("ink-tiny-9"), minutes=0)):
    if isinstance(event, ModelTaught):
        print(f"{event.path}: {event.row.in_words}")
