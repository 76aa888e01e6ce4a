"""Lanes: threads that each train on a part of a batch on a core of their own, as one network.

Norms are over the crops of all lanes, unless they are frozen. Losses are computed from the sums of all lanes, so that
the gradients are those of the whole batch, up to the order of sums. This order follows from the number of lanes alone,
never from which of them is ahead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from napari_ink.model.losses import edge_loss_of, edge_sums, hint_loss_of, hint_sums, ink_loss_of, ink_sums
from napari_ink.model.network import EDGE, INK, InkEdgeNetwork
from napari_ink.training.batching import Batch
from napari_ink.training.lane_network import for_lane
from napari_ink.training.precision import Arithmetic
from napari_ink.training.settings import TrainSettings

_MOST_LANES = 4  # lanes share the interpreter's lock, so further cores go to threads within them
_INK_SUMS, _EDGE_SUMS = 5, 6  # numbers that `ink_sums` and `edge_sums` return


def choose_lanes(asked: int | None, batch_size: int, device: torch.device) -> int:
    """Return the number of lanes: as asked, or one for each of torch's threads, at most four; 0 on a GPU.

    Parameters
    ----------
    asked
        The user's setting.
    batch_size
        Crops of a step; each lane needs one at least.
    device
        Device of the training.
    """
    if device.type != "cpu":
        return 0
    return min(asked or min(torch.get_num_threads(), _MOST_LANES), batch_size)


class Exchange:
    """Meeting point at which lanes join their tensors; all of them do so in the same order.

    Parameters
    ----------
    lanes
        Number of lanes.
    """

    def __init__(self, lanes: int) -> None:
        self._barrier = threading.Barrier(lanes)
        # Two, since a lane may already put in its next tensor while another one still reads.
        self._slots: list[list[Tensor | None]] = [[None] * lanes, [None] * lanes]
        self._turns = [0] * lanes

    def gather(self, lane: int, part: Tensor) -> Tensor:
        """Return the parts ``(b, ...)`` of all lanes, in the order of the lanes, once all have arrived."""
        slots = self._slots[self._turns[lane] % 2]
        self._turns[lane] += 1
        slots[lane] = part
        self._barrier.wait()
        return torch.cat([one for one in slots if one is not None])

    def abort(self) -> None:
        """End the waiting of lanes with an error, since one lane has failed."""
        self._barrier.abort()

    def reset(self) -> None:
        """Make the exchange usable again after `abort`, while no lane runs."""
        self._barrier.reset()
        self._turns = [0] * len(self._turns)


class Lanes:
    """The lanes of a CPU that train one network.

    Parameters
    ----------
    network
        The network; lanes share its weights, and `backward` sets its gradients.
    settings
        Weights of the losses.
    arithmetic
        Precision and number of lanes.
    """

    def __init__(self, network: InkEdgeNetwork, settings: TrainSettings, arithmetic: Arithmetic) -> None:
        count = arithmetic.lanes
        self._network, self._settings, self._arithmetic = network, settings, arithmetic
        self._exchange = Exchange(count)
        frozen = settings.freeze_norms
        self._forms = [
            for_lane(network, partial(self._exchange.gather, lane), lane == 0, frozen) for lane in range(count)
        ]
        self._sums: list[Tensor] = []
        self._total = torch.zeros(0)
        self._pool = ThreadPoolExecutor(
            count, "napari-ink-lane", torch.set_num_threads, (max(1, torch.get_num_threads() // count),)
        )

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """Leave the caller one thread: torch's other ones would wait for work on the cores that the lanes need."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the losses of ink and edges of a batch, from which `backward` can start."""
        with torch.no_grad():
            parts = _parts(batch, len(self._forms))
        self._sums = self._run(lambda lane: self._lane_sums(self._forms[lane], parts[lane]))
        # A leaf of its own: its gradient is what each lane's backward pass starts from.
        self._total = torch.stack([sums.detach() for sums in self._sums]).sum(0).requires_grad_()
        ink, edge, hint = self._total.tensor_split([_INK_SUMS, _INK_SUMS + _EDGE_SUMS])
        of_ink = ink_loss_of(ink)
        if len(hint):
            of_ink = of_ink + self._settings.hint_weight * hint_loss_of(hint)
        return of_ink, edge_loss_of(edge)

    def _lane_sums(self, form: nn.Module, batch: Batch) -> Tensor:
        with self._arithmetic.autocast():
            logits = form(batch.values)  # (b, 2, y, x)
        ink, edge = logits[:, INK].float().contiguous(), logits[:, EDGE].float().contiguous()
        sums = [ink_sums(ink, batch.ink), edge_sums(edge, batch.edge, self._settings.edge_tolerance_px)]
        if batch.hinted is not None:
            sums.append(hint_sums(ink, batch.hinted))
        return torch.cat(sums)

    def backward(self, loss: Tensor) -> None:
        """Set the network's gradients to those of a loss that was computed from `losses`."""
        loss.backward()  # type: ignore[no-untyped-call]
        self._run(lambda lane: self._sums[lane].backward(self._total.grad))  # type: ignore[no-untyped-call]
        self._sums = []
        for weight, *own in zip(self._network.parameters(), *(form.parameters() for form in self._forms), strict=True):
            weight.grad = _summed([one.grad for one in own], weight)
            for one in own:
                one.grad = None

    def _run(self, work: Callable[[int], Any]) -> list[Any]:
        """Return what all lanes return; if one fails, raise its error once all have ended."""

        def run(lane: int) -> Any:
            try:
                return work(lane)
            except BaseException:  # whatever it is, the other lanes would wait for this one for ever
                self._exchange.abort()
                raise

        futures = [self._pool.submit(run, lane) for lane in range(len(self._forms))]
        errors = [error for future in futures if (error := future.exception()) is not None]
        if errors:
            self._exchange.reset()
            # The others only say that the first one did not arrive.
            raise next((one for one in errors if not isinstance(one, threading.BrokenBarrierError)), errors[0])
        return [future.result() for future in futures]


def _parts(batch: Batch, count: int) -> list[Batch]:
    planes = (batch.values, batch.ink, batch.edge, batch.hinted)
    split = [[None] * count if plane is None else plane.tensor_split(count) for plane in planes]
    return [Batch(values, ink, edge, [], hinted) for values, ink, edge, hinted in zip(*split, strict=True)]


def _summed(gradients: Sequence[Tensor | None], weight: Tensor) -> Tensor:
    """Add up the gradients of the lanes in their order; a weight that does not count has a gradient of 0."""
    total = torch.zeros_like(weight)
    for gradient in gradients:
        if gradient is not None:
            total += gradient
    return total
