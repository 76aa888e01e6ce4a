"""F0.5 of what was not painted, by the number of strokes, mean of seven worlds (docs/benchmarks.md)."""

import matplotlib.pyplot as plt

STROKES = (0, 20, 50, 100)
SCORES = {
    "live head": (0.413, 0.786, 0.864, 0.925),
    "random forest (ilastik's way)": (None, 0.392, 0.533, 0.634),
    "no teaching": (0.413, 0.413, 0.413, 0.413),
}

figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
for name, scores in SCORES.items():
    known = [(strokes, score) for strokes, score in zip(STROKES, scores, strict=True) if score is not None]
    axes.plot(*zip(*known, strict=True), marker="o", linewidth=2.5 if name == "live head" else 1.5, label=name)
axes.set(xlabel="strokes", ylabel="F0.5 of what was not painted", ylim=(0, 1), xticks=STROKES)
axes.legend(frameon=False, loc="lower right")
