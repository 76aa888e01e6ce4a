"""Take training steps on request, with the napari_ink on the path: this one or that of commit 86ea848.

`train_speed.py` starts it with the settings as JSON, and requests one step after another on the standard input.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch

from napari_ink.model import InkEdgeConfig, InputContract
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.stack import open_stack
from napari_ink.training import CropSampler, TrainingPair, TrainSettings, batches
from napari_ink.training.learner import Learner
from napari_ink.training.precision import Arithmetic

try:
    from napari_ink.memory import memory_kept
    from napari_ink.training.distributed import ProcessTeam

    IS_OLD = False
except ImportError:
    from napari_ink.training.distributed import Team as ProcessTeam  # type: ignore[attr-defined,no-redef]

    IS_OLD = True


def contract(given: dict[str, Any]) -> InputContract:
    """Return an input contract; the old one has no context."""
    return InputContract(**{name: value for name, value in given.items() if name in InputContract.model_fields})


def read_pairs(files: list[list[str]]) -> list[TrainingPair]:
    """Open stacks and labels; unlabelled pixels are outside of the papyrus."""
    labels = [np.load(path) for _, path in files]
    known = [np.where(plane == 0, 3, plane).astype(np.uint8) for plane in labels]
    return [TrainingPair(open_stack(stack), plane) for (stack, _), plane in zip(files, known, strict=True)]


def main() -> None:
    """Answer each line of the standard input with a line of JSON."""
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked["threads"])
    device = torch.device(asked["device"])
    settings = TrainSettings(**asked["settings"])
    pairs, agreed = read_pairs(asked["pairs"]), contract(asked["contract"])
    config = InkEdgeConfig() if asked["whole_tile"] or IS_OLD else InkEdgeConfig.tiny()
    torch.manual_seed(settings.seed)
    network = InkEdgeNetwork(config)
    more = () if IS_OLD else (asked["lanes"],)
    learner = Learner(network, settings, Arithmetic(device, asked["precision"], *more), ProcessTeam())
    threads = {} if IS_OLD else {"threads": max(1, asked["lanes"])}
    feed = batches(CropSampler(pairs, agreed, settings.crop_size, settings.depth), settings, device, **threads)
    with ExitStack() as stack:
        if not IS_OLD and device.type == "cpu":
            stack.enter_context(memory_kept(training=True))
        for line in sys.stdin:
            command, *given = line.split()
            answer = step(learner, feed, pairs) if command == "step" else predict(learner, agreed, device, *given)
            print(json.dumps(answer), flush=True)


def step(learner: Any, feed: Any, pairs: list[TrainingPair]) -> dict[str, float]:
    """Train on one batch; return its losses, and the seconds of the wall clock and of the processor."""
    began = time.perf_counter(), time.process_time()
    result = learner.step(next(feed), pairs)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began[0], time.process_time() - began[1]
    return {"wall": seconds[0], "cpu": seconds[1], "ink": result.ink_loss, "edge": result.edge_loss}


def predict(learner: Any, agreed: InputContract, device: torch.device, source: str, target: str) -> dict[str, float]:
    """Write the ink map, uint8, of a whole stack with the averaged weights."""
    stack = open_stack(source)
    network = learner.average.module.eval()
    values = agreed.prepare(stack.read(agreed.z_window(stack.shape[0]), slice(None), slice(None)))
    with torch.inference_mode():
        logits = network(torch.from_numpy(values.copy())[None].to(device))
    np.save(target, np.rint(torch.sigmoid(logits.float())[0, 0].cpu().numpy() * 255).astype(np.uint8))
    return {}


if __name__ == "__main__":
    main()
