"""Attribution: how much each depth layer contributes to a model's prediction at a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_ink.predict.probing.sampling import sample_shape
from napari_ink.stack import DepthStack

if TYPE_CHECKING:
    from napari_ink.model import InkModel

# The mean over 9 × 9 pixels: the gradient of a single logit is noisy.
_RADIUS_PX = 4


def contribution(model: InkModel, stack: DepthStack, y: int, x: int) -> npt.NDArray[np.float32]:
    """Return the contribution of each depth layer to a model's ink logit around a pixel.

    The contribution is the gradient times the input, summed over a layer (Shrikumar et al., "Not just a black box",
    2016): exact for a linear network, an indication for any other.

    Parameters
    ----------
    model
        Model to explain; it runs on the device that its network is on.
    stack
        Depth stack to read.
    y, x
        The pixel; the logits of 9 × 9 pixels around it are averaged.

    Returns
    -------
    ndarray
        float32 ``(z,)`` over the stack's layers, 0 for layers that the model does not read; positive values speak for
        ink.

    Raises
    ------
    ContractError
        If the stack does not fit the model's contract.
    StackError
        If the stack cannot be read.
    """
    import torch

    depth, height, width = stack.shape
    contract = model.contract
    z = contract.z_window(depth)
    side = sample_shape(model).side
    top, left = (min(max(at - side // 2, 0), max(length - side, 0)) for at, length in ((y, height), (x, width)))
    grey = stack.read(z, slice(top, min(top + side, height)), slice(left, min(left + side, width)))
    prepared = contract.prepare(grey)
    rows, columns = side - prepared.shape[1], side - prepared.shape[2]
    padded = np.pad(prepared, ((0, 0), (0, rows), (0, columns)), mode="edge")
    device = next((parameter.device for parameter in model.network.parameters()), torch.device("cpu"))
    block = torch.from_numpy(np.ascontiguousarray(padded, np.float32))[None].to(device).requires_grad_()
    with torch.enable_grad():
        logits = model.network.eval()(block)
        around = logits[0, 0, max(y - top - _RADIUS_PX, 0) : y - top + _RADIUS_PX + 1][
            :, max(x - left - _RADIUS_PX, 0) : x - left + _RADIUS_PX + 1
        ]
        (gradient,) = torch.autograd.grad(around.mean(), block)
    by_layer = (gradient * block.detach()).sum(dim=(0, 2, 3)).cpu().numpy()
    # `prepare` put the layers into the network's order; the result is in the stack's.
    if contract.direction == "reversed":
        by_layer = by_layer[::-1]
    out = np.zeros(depth, np.float32)
    out[z] = by_layer
    return out
