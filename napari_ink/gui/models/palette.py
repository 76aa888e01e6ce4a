"""Colours of the prediction overlays, distinct for colour-blind users and readable on grey papyrus.

Vermilion, sky blue and reddish purple are from the palette of Okabe and Ito (2008). The alpha keeps the fibres
below visible.
"""

from __future__ import annotations

INK_RGB = (0.90, 0.36, 0.0)
# Edges are thin lines, so they are more opaque than ink areas (see the alpha below).
EDGE_RGB = (0.34, 0.78, 1.0)
DISAGREEMENT_RGB = (0.80, 0.47, 0.65)
PREDICTION_ALPHA = {"ink": 0.62, "edge": 0.9}
# Yellow of the same palette: labels of papyrus are green, labels and predictions of ink vermilion.
LIVE_RGB, LIVE_ALPHA = (0.94, 0.89, 0.26), 0.6
# Yellow and reddish purple, as for the differences between labels and a prediction.
ONLY_FIRST_RGB, ONLY_SECOND_RGB = (0.94, 0.89, 0.26), (0.80, 0.47, 0.65)
