"""F0.5 of the shipped models and of methods without training, on plain and hard phantoms (docs/benchmarks.md)."""

import matplotlib.pyplot as plt

SCORES = {  # one threshold of 0.5, best threshold of each phantom; None where a method has no threshold of its own
    "plain": {"ink-tiny-3": (0.860, 0.909), "ink-tiny-9": (0.784, 0.821), "best projection": (None, 0.309)},
    "hard": {"ink-tiny-3": (0.591, 0.621), "ink-tiny-9": (0.113, 0.474), "best projection": (None, 0.251)},
}

figure, panels = plt.subplots(1, 2, figsize=(7, 2.8), sharex=True, sharey=True, layout="constrained")
for axes, (kind, rows) in zip(panels, SCORES.items(), strict=True):
    for place, (at_half, best) in enumerate(rows.values()):
        axes.barh(
            place,
            best,
            color="#9ecae1",
            label="at the best threshold of each" if place == 0 and kind == "plain" else None,
        )
        if at_half is not None:
            axes.barh(place, at_half, color="#3182bd", label="at 0.5" if place == 0 and kind == "plain" else None)
    axes.set(title=f"{kind} phantoms", xlabel="F0.5 of ink", xlim=(0, 1), yticks=range(3), yticklabels=rows)
panels[0].invert_yaxis()
figure.legend(frameon=False, loc="outside lower center", ncols=2)
