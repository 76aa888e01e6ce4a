"""Measure the time of a training step on this machine, and the share of reading and augmenting crops.

    python benchmarks/train_speed.py --threads 1

Two phantoms of 512 pixels are read as NumPy files (memory-mapped) and as folders of compressed TIFFs. All times are
processor times in seconds per step, on which other work on the machine has little effect.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
from train_shipped import CONTRACT

from napari_ink.memory import memory_kept
from napari_ink.model import InkEdgeConfig
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.phantom import make_phantom, set_config, write_segment
from napari_ink.training import AugmentationSettings, CropSampler, TrainSettings, batches, read_pair
from napari_ink.training.distributed import ProcessTeam
from napari_ink.training.learner import Learner
from napari_ink.training.precision import Arithmetic


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the median processor time of several calls after one warm-up call."""
    work()
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return float(np.median(times))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop-size", type=int, default=160)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device("cpu")
    settings = TrainSettings(batch_size=args.batch_size, crop_size=args.crop_size)
    plain = settings.model_copy(update={"augmentation": AugmentationSettings.none()})
    with tempfile.TemporaryDirectory() as home:
        folders, files = [], []
        for seed in (1000, 1001):
            phantom = make_phantom(set_config(seed))
            folders.append(write_segment(phantom, Path(home) / str(seed)))
            files.append(Path(home) / f"{seed}.npy")
            np.save(files[-1], (phantom.volume // 257).astype(np.uint8))
        found = {}
        for name, stacks in (("memory-mapped", files), ("compressed TIFFs", folders)):
            pairs = [read_pair(stack, folder).pair for stack, folder in zip(stacks, folders, strict=True)]
            sampler = CropSampler(pairs, CONTRACT, args.crop_size)
            for kind, chosen in (("read", plain), ("read and augmented", settings)):
                feed = batches(sampler, chosen, device)
                found[f"{kind}, {name}"] = seconds(lambda feed=feed: next(feed), args.rounds)
        batch = next(batches(sampler, settings, device))
        for precision, keeping in itertools.product(
            ("fp32", "bf16"), (nullcontext, partial(memory_kept, training=True))
        ):
            network = InkEdgeNetwork(InkEdgeConfig.tiny())
            learner = Learner(network, settings, Arithmetic(device, precision), ProcessTeam())
            with keeping():
                how = "memory returned" if keeping is nullcontext else "memory kept"
                found[f"forward and backward, {precision}, {how}"] = seconds(
                    lambda learner=learner: learner.step(batch, pairs), args.rounds
                )
    print(f"{args.batch_size} crops of {args.crop_size} pixels and 32 layers, {args.threads} thread(s), tiny network")
    for name, value in found.items():
        print(f"{name:40} {value:.3f} s")


if __name__ == "__main__":
    main()
