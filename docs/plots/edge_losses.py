"""ODS by how far labels are off, for losses of the edges (decision 6)."""

import matplotlib.pyplot as plt

SHIFTS = (0, 3, 6)
SCORES = {  # means of two seeds, where there are two
    "hinged, 3 px (ours)": (0.594, 0.566, 0.495),
    "Dice": (0.614, 0.541, 0.452),
    "balanced cross-entropy (HED)": (0.562, 0.530, 0.440),
    "cross-entropy + Dice": (0.611, 0.547, 0.433),
    "HED + Dice": (0.565, 0.541, 0.397),
}

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for name, scores in SCORES.items():
    axes.plot(SHIFTS, scores, marker="o", linewidth=2.5 if "ours" in name else 1.5, label=name)
axes.set(xlabel="pixels by which the labels are off", ylabel="ODS of the edges", ylim=(0.35, 0.65))
axes.set_xticks(SHIFTS)
axes.legend(frameon=False, loc="lower left")
