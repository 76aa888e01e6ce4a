"""Plots of a run: its curves, and predictions of held-out crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.annotation import LabelValue
from napari_ink.training.run_folder import write_whole
from napari_ink.training.validation import Example, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_EXAMPLES = 4
_COLOURS = np.array([[40, 40, 40], [120, 170, 150], [230, 97, 0], [0, 0, 0]], np.uint8)  # as `LabelValue` and OUTSIDE
_EDGE_COLOUR = (1.0, 1.0, 1.0)


def draw_curves(log: Sequence[dict[str, Any]], path: Path) -> Path:
    """Plot losses, scores and learning rate over the steps.

    Parameters
    ----------
    log
        Events from `read_log`.
    path
        PNG file to write; an existing one is replaced.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 9), layout="constrained")
    losses, scores, rate = figure.subplots(3, 1, sharex=True)
    steps = [event for event in log if event["event"] == "StepEnded"]
    for name, title in (("ink_loss", "ink"), ("edge_loss", "edges")):
        _draw_smoothed(losses, steps, name, title)
    losses.set_ylabel("loss of a batch")
    looks = [event for event in log if event["event"] == "Validated"]
    for name, title in (("ink_f0_5", "ink F0.5"), ("edge_ods", "edge ODS"), ("ink_average_precision", "ink AP")):
        scores.plot([one["step"] for one in looks], [one[name] for one in looks], marker=".", label=title)
    for one in [look for look in looks if look["is_best"]][-1:]:
        scores.axvline(one["step"], color="grey", linestyle=":", label=f"best, step {one['step']}")
    scores.set(ylabel="on held-out pixels", ylim=(0, 1))
    rate.plot([one["step"] for one in steps], [one["learning_rate"] for one in steps], color="grey")
    for one in (event for event in log if event["event"] == "BatchSkipped"):
        rate.axvline(one["step"], color="red", linewidth=0.8)
    rate.set(ylabel="learning rate (red: batch skipped)", xlabel="step")
    for axes in (losses, scores):
        if axes.get_legend_handles_labels()[0]:  # before the first step there are no losses
            axes.legend(loc="best")
    for axes in (losses, scores, rate):
        axes.grid(alpha=0.3)
    return _save(figure, path)


def _draw_smoothed(axes: Axes, steps: Sequence[dict[str, Any]], name: str, title: str) -> None:
    at, values = np.array([one["step"] for one in steps]), np.array([one[name] for one in steps])
    line = axes.plot(at, values, alpha=0.25, linewidth=0.8)[0]
    window = max(1, len(values) // 40)
    if len(values) >= window:
        smooth = np.convolve(values, np.full(window, 1 / window), "valid")
        axes.plot(at[window - 1 :], smooth, color=line.get_color(), label=title)


def draw_examples(examples: Sequence[Example], ink_threshold: float, edge_threshold: float, path: Path) -> Path:
    """Plot held-out crops: the scan, the labels, and the probabilities of ink and edges.

    Parameters
    ----------
    examples
        Crops with predictions; a few with much ink are drawn.
    ink_threshold, edge_threshold
        Best thresholds of the probabilities; their contours are drawn.
    path
        PNG file to write; an existing one is replaced.
    """
    from matplotlib.figure import Figure

    chosen = _with_much_ink(examples)
    figure = Figure(figsize=(10, 2.6 * len(chosen)), layout="constrained")
    for row, example in zip(figure.subplots(len(chosen), 4, squeeze=False), chosen, strict=True):
        middle = example.crop.values.shape[0] // 2
        scan = example.crop.values[max(0, middle - 3) : middle + 3].max(axis=0)
        row[0].imshow(scan, cmap="gray")
        row[1].imshow(_COLOURS[example.crop.labels])
        for axes, plane, cut in ((row[2], example.ink, ink_threshold), (row[3], example.edge, edge_threshold)):
            axes.imshow(plane, cmap="magma", vmin=0, vmax=1)
            # matplotlib warns about contours at a level that does not occur.
            if plane.min() < cut <= plane.max():
                axes.contour(plane, levels=[cut], colors=[_EDGE_COLOUR], linewidths=0.6)
        for axes in row:
            axes.set(xticks=[], yticks=[])
        pair, y, x = example.crop.place
        row[0].set_ylabel(f"pair {pair}, y {y}, x {x}", fontsize=8)
    titles = (
        "middle layers",
        "labels (orange: ink)",
        f"ink, threshold {ink_threshold:.2f}",
        f"edges, threshold {edge_threshold:.2f}",
    )
    for axes, title in zip(figure.axes, titles, strict=False):
        axes.set_title(title, fontsize=9)
    return _save(figure, path)


def _with_much_ink(examples: Sequence[Example]) -> list[Example]:
    """Return a few examples with much ink, evenly spaced in the list."""
    ink = [int((one.crop.labels == LabelValue.INK).sum()) for one in examples]
    least = sorted(ink)[len(ink) // 2]
    return spread([one for one, here in zip(examples, ink, strict=True) if here >= least], _MOST_EXAMPLES)


def _save(figure: Figure, path: Path) -> Path:
    write_whole(path, lambda partial: figure.savefig(partial, dpi=110))
    return path
