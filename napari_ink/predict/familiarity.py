"""What to tell of a stack that lies outside of what a model was trained on."""

from __future__ import annotations

from napari_ink.model import InkModel, ModelCard
from napari_ink.model.familiarity import TrainedOn, on_familiarity
from napari_ink.stack import DepthStack, is_phantom, texture_figures


def familiarity_notes(model: InkModel | ModelCard, stack: DepthStack) -> tuple[str, ...]:
    """Return a sentence if a stack lies outside of what a model was trained on.

    Raises
    ------
    ContractError
        If the stack has too few layers for the model.
    StackError
        If the stack cannot be read.
    """
    trained_on = TrainedOn.of_card(model.provenance)
    if trained_on is None:
        return ()
    figures: dict[str, float] = {}
    # Without scaling by quantiles the figures would depend on brightness and contrast.
    if trained_on.figures and model.contract.scales_by_stack:
        contract = model.contract.with_greys_of(stack)
        figures = texture_figures(stack, contract.z_window(stack.shape[0]), contract.prepare)
    return on_familiarity(model.provenance, figures, is_phantom(stack))
