"""Colours of what is shown over the papyrus, told apart by colour-blind users too.

Labels are solid in warm colours and green (`napari_ink.annotation.INK_COLOURS`), predictions are soft in cool colours,
and the live mode is yellow. `tests/gui/test_palette.py` simulates deuteranopia and protanopia.
"""

from __future__ import annotations

INK_RGB = (0.15, 0.25, 1.0)
EDGE_RGB = (0.0, 0.85, 1.0)
DISAGREEMENT_RGB = (0.80, 0.47, 0.65)
# Fog over what a model cannot know: neither a label's colour nor a prediction's.
UNFAMILIAR_RGB = (0.92, 0.92, 0.92)
# Ink areas are soft, so that the fibres below stay visible; edges are thin lines.
PREDICTION_ALPHA = {"ink": 0.45, "edge": 0.9}
LIVE_RGB, LIVE_ALPHA = (0.98, 0.94, 0.15), 0.6
LABEL_OPACITY = {"ink": 0.65, "edge": 1.0}
# Differences of labels or of two predictions: yellow and reddish purple of the palette of Okabe and Ito (2008).
ONLY_FIRST_RGB, ONLY_SECOND_RGB = (0.94, 0.89, 0.26), (0.80, 0.47, 0.65)
