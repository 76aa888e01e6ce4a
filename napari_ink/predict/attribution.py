"""Attribution: how much each depth layer contributes to a model's prediction at a pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_ink.area_means import mean_weights
from napari_ink.mean_factor import factor_of, mean_at
from napari_ink.predict.probing.sampling import sample_shape
from napari_ink.predict.resampling import resampled
from napari_ink.stack import DepthStack, plane_means

if TYPE_CHECKING:
    from torch import Tensor

    from napari_ink.model import InkModel

# The mean over 9 × 9 pixels: the gradient of a single logit is noisy.
_RADIUS_PX = 4


def contribution(model: InkModel, stack: DepthStack, y: int, x: int) -> npt.NDArray[np.float32]:
    """Return the contribution of each depth layer to a model's ink logit around a pixel.

    The contribution is the gradient times the input, summed over a layer (Shrikumar et al., "Not just a black box",
    2016): exact for a linear network, an indication for any other. A network that sums over the depth states the parts
    of its logit itself (`by_layer`).

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

    model = resampled(model, stack).with_greys_of(stack)
    contract = model.contract
    together, pixels = contract.mean_of
    stack, factor = plane_means(stack, pixels), factor_of(pixels)
    y, x = mean_at(y, factor), mean_at(x, factor)
    depth, height, width = stack.shape
    z = contract.z_window(depth)
    side = sample_shape(model).side
    top, left = (min(max(at - side // 2, 0), max(length - side, 0)) for at, length in ((y, height), (x, width)))
    grey = stack.read(z, slice(top, min(top + side, height)), slice(left, min(left + side, width)))
    prepared = contract.prepare(grey)
    rows, columns = side - prepared.shape[1], side - prepared.shape[2]
    padded = np.pad(prepared, ((0, 0), (0, rows), (0, columns)), mode="symmetric")
    device = next((parameter.device for parameter in model.network.parameters()), torch.device("cpu"))
    block = torch.from_numpy(np.ascontiguousarray(padded, np.float32))[None].to(device)
    network = model.network.eval()
    stated = getattr(network, "by_layer", None)
    parts = _gradient_parts if stated is None else _stated_parts
    by_layer = parts(stated or network, block, y - top, x - left).cpu().numpy()
    out = np.zeros(depth, np.float32)
    # The part of a mean belongs to its layers, by their weights in it.
    weights = mean_weights(0, len(by_layer), factor_of(together), z.stop - z.start)
    # `prepare` put the layers into the network's order; the result is in the stack's.
    out[z] = (weights.T @ by_layer)[:: -1 if contract.direction == "reversed" else 1]
    return out


def _gradient_parts(network: Callable[[Tensor], Tensor], block: Tensor, y: int, x: int) -> Tensor:
    """Return the gradient times the input for each layer of ``(1, z, y, x)``, for the logits around a pixel."""
    import torch

    with torch.enable_grad():
        block.requires_grad_()
        around = _around(network(block)[0, 0], y, x, 1)
        (gradient,) = torch.autograd.grad(around.mean(), block)
    return (gradient * block.detach()).sum(dim=(0, 2, 3))


def _stated_parts(by_layer: Callable[[Tensor], Tensor], block: Tensor, y: int, x: int) -> Tensor:
    """Return the parts of the logits around a pixel that a network states for each layer of ``(1, z, y, x)``."""
    import torch

    with torch.inference_mode():
        parts = by_layer(block)[0]
        return _around(parts, y, x, block.shape[-1] // parts.shape[-1]).mean(dim=(1, 2))


def _around(plane: Tensor, y: int, x: int, step: int) -> Tensor:
    """Return the part around a pixel of a plane with one value to `step` pixels; the last axes are rows and columns."""
    rows, columns = (slice(max(at - _RADIUS_PX, 0) // step, (at + _RADIUS_PX) // step + 1) for at in (y, x))
    return plane[..., rows, columns]
