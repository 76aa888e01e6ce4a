"""Seconds of a run, as multiples of the network alone on tiles in memory (docs/benchmarks.md)."""

import matplotlib.pyplot as plt

OVERLAPS = ("0.25", "0.5", "0.75")
WAYS = {
    "napari-ink": (1.09, 0.85, 0.62),
    "MONAI, the network as trained": (2.21, 2.09, 1.96),
}

figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
for place, (name, ratios) in enumerate(WAYS.items()):
    bars = axes.bar([x + 0.38 * place for x in range(3)], ratios, width=0.36, label=name)
    axes.bar_label(bars, fmt="%.2f", fontsize=8)
axes.axhline(1, color="grey", linewidth=1)
axes.annotate("the network alone", (2.62, 1), (0, 3), textcoords="offset points", ha="right", fontsize=8, color="grey")
axes.set(xlabel="overlap of tiles", ylabel="time, ÷ alone", xticks=[x + 0.19 for x in range(3)], xticklabels=OVERLAPS)
axes.legend(frameon=False)
