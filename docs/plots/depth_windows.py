"""F0.5 by how far the window of layers is off, for networks with one part changed (decision 12)."""

import matplotlib.pyplot as plt

OFFSETS = (-8, -4, 0, 4, 8)
SCORES = {
    "as it is": (0.608, 0.626, 0.628, 0.626, 0.625),
    "without attention": (0.540, 0.586, 0.617, 0.609, 0.571),
    "layers as channels": (0.253, 0.350, 0.347, 0.309, 0.248),
    "mean of the layers": (0.283, 0.273, 0.268, 0.271, 0.271),
}

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for name, scores in SCORES.items():
    (line,) = axes.plot(OFFSETS, scores, marker="o", linewidth=2.5 if name == "as it is" else 1.5)
    raised = 5 if "mean" in name else -5 if "channels" in name else 0  # their last points nearly coincide
    axes.annotate(name, (8, scores[-1]), (8, raised), textcoords="offset points", va="center", color=line.get_color())
axes.set(
    xlabel="layers by which the window is too shallow (−) or too deep", ylabel="F0.5", ylim=(0, 0.7), xlim=(-8.5, 13)
)
axes.set_xticks(OFFSETS)
