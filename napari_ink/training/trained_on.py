"""What a network was trained on, measured on its stacks for its card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_ink.model import InputContract
from napari_ink.model.familiarity import TrainedOn
from napari_ink.model.known_texture import KnownTexture
from napari_ink.stack import LOCAL_FIGURES, DepthStack, sampled_figures, texture_figures


def trained_on(stacks: Sequence[DepthStack], contract: InputContract, scans: int, phantoms: int) -> TrainedOn:
    """Return what a network was trained on.

    Parameters
    ----------
    stacks
        Stacks whose texture is measured.
    contract
        The network's contract, which scales by quantiles of the stack.
    scans, phantoms
        Numbers of all scans and phantoms in training.
    """
    figures, places = [], []
    for stack in stacks:
        fitted = contract.with_greys_of(stack)
        window = fitted.z_window(stack.shape[0])
        figures.append(texture_figures(stack, window, fitted.prepare))
        places.append(sampled_figures(stack, window, fitted.prepare))
    known = KnownTexture.of_places(LOCAL_FIGURES, np.concatenate(places)) if places else None
    return TrainedOn.of_stacks(figures, scans, phantoms, known)
