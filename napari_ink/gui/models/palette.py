"""Colours of the predicted overlays: told apart by colour-blind eyes, readable over grey papyrus.

Vermilion, sky blue and reddish purple are from the palette of Okabe and Ito (2008). The alpha lets the fibres
underneath show.
"""

from __future__ import annotations

from napari.utils.colormaps import Colormap

from napari_ink.typing import LabelKind

INK_RGB = (0.90, 0.36, 0.0)
EDGE_RGB = (0.34, 0.78, 1.0)
_DISAGREEMENT_RGB = (0.80, 0.47, 0.65)
_ALPHA = {"ink": 0.62, "edge": 0.9}


def disagreement_colormap() -> Colormap:
    """Return the colormap of disagreement: clear where there is none, reddish purple where it is largest."""
    return Colormap(
        [(*_DISAGREEMENT_RGB, 0.0), (*_DISAGREEMENT_RGB, 0.85)],
        name="napari-ink disagreement",
        display_name="disagreement",
    )


def overlay_colormap(what: LabelKind) -> Colormap:
    """Return the colormap whose low end is clear and whose high end is the colour of ink or of edges.

    With contrast limits ``(k - 1, k)`` it cuts uint8 probabilities at k on the graphics card, so moving a threshold
    recomputes no array.
    """
    rgb = INK_RGB if what == "ink" else EDGE_RGB
    return Colormap(
        [(*rgb, 0.0), (*rgb, _ALPHA[what])],
        name=f"napari-ink {what}",
        display_name="ink" if what == "ink" else "edges",
    )
