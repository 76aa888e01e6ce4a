"""The probe: whether a stack fits a model's contract, and which direction and window of layers separate ink best.

A reversed stack or a wrong window raises no error, and nothing in the output looks wrong. So the model runs over a few
tiles in both directions and at several depths, and the probe compares how well ink stands out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError, LabelError
from napari_ink.mean_factor import factor_of
from napari_ink.model import Direction, InkModel, InputContract
from napari_ink.predict.device import DeviceName, choose_device
from napari_ink.predict.probing.sampling import choose_tiles, sample_shape
from napari_ink.predict.probing.separation import Separation, labelled_separation, unlabelled_separation
from napari_ink.predict.probing.verdict import Verdict, Window, decide
from napari_ink.predict.resampling import resampled
from napari_ink.region import Region
from napari_ink.stack import DepthStack, grey_note, plane_means
from napari_ink.typing import Float32Array, Mask

DIRECTIONS: tuple[Direction, Direction] = ("as stored", "reversed")


@dataclass(frozen=True, slots=True, eq=False)
class ProbeRequest:
    """Everything that a probe needs.

    Attributes
    ----------
    stack
        Depth stack to read.
    model
        Model to predict with, whose contract is checked.
    region
        Region to take tiles from, in segment pixels; None for the whole segment.
    mask
        Pixels to use, ``(y, x)`` bool of the whole segment: papyrus, and with labels only what was reviewed. None for
        all pixels that are not empty.
    ink
        Ink labels, ``(y, x)`` bool of the whole segment; None if there are none.
    device
        Device that the network runs on.
    tiles
        Largest number of tiles.
    reach, step
        The windows lie from `reach` layers before the model's own to `reach` layers after it, every `step` layers, as
        far as the stack allows.
    """

    stack: DepthStack
    model: InkModel
    region: Region | None = None
    mask: Mask | None = None
    ink: Mask | None = None
    device: DeviceName = "auto"
    tiles: int = 6
    reach: int = 12
    step: int = 4


@dataclass(frozen=True, slots=True)
class ProbeStarted:
    """The tiles are chosen and read.

    Attributes
    ----------
    windows
        Number of windows to probe, in both directions together.
    tiles
        The tiles, in segment pixels.
    has_labels
        Whether separation is measured with labels.
    notes
        Sentences about problems with the stack's grey values.
    """

    windows: int
    tiles: tuple[Region, ...]
    has_labels: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class WindowProbed:
    """The model ran over all tiles with one window of layers.

    Attributes
    ----------
    window
        Direction, offset and separation.
    ink
        Ink of the first tile, ``(y, x)`` uint8 with 255 for a probability of 1.
    """

    window: Window
    ink: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ProbeEnded:
    """The probe is over.

    Attributes
    ----------
    verdict
        Window that fits best, and a sentence about it.
    seconds
        Duration of the probe, in seconds.
    """

    verdict: Verdict
    seconds: float


ProbeEvent = ProbeStarted | WindowProbed | ProbeEnded


def probe(request: ProbeRequest) -> Generator[ProbeEvent, None, None]:
    """Run a model over a few tiles, in both directions and at several depths, and report which separates ink best.

    Yields
    ------
    ProbeStarted
        At the beginning.
    WindowProbed
        For each window.
    ProbeEnded
        At the end.

    Raises
    ------
    BadInputError
        If the stack does not fit the model, the region has no papyrus, or the device is not available.
    DeviceMemoryError
        If a tile does not fit into the device's memory.
    """
    from napari_ink.predict.forward import Forward

    began = time.monotonic()
    if request.tiles < 1 or request.step < 1 or request.reach < 0:
        raise BadInputError(
            f"A probe of {request.tiles} tiles, reach {request.reach} and step {request.step} is not possible; give at "
            "least 1 tile, a reach of at least 0 and a step of at least 1."
        )
    _check_planes(request)
    request, whole = _resampled_request(request), request
    contract = request.model.contract
    contract.check_greys(request.stack.dtype)
    contracts = _contracts(request)
    device = choose_device(request.device)
    shape, region = sample_shape(request.model), request.region
    regions = choose_tiles(request.stack, shape, request.tiles, region, request.mask, request.ink)
    sample = _Sample(request, regions, contracts)
    forward = Forward(device)
    network = forward.place(request.model.network)
    notes = (
        *contract.resampling_notes(whole.stack.voxel_size_um, whole.stack.layer_step_um),
        *contract.grey_notes(whole.stack.grey_sample(), grey_note(whole.stack)),
    )
    places = tuple(_in_pixels(one, contract.mean_of[1], whole.stack.shape[1:]) for one in regions)
    yield ProbeStarted(len(contracts), places, sample.ink is not None, notes)
    windows = []
    for candidate in contracts:
        levels = sample.predict(candidate, lambda block: forward.probabilities(network, block))
        found = sample.separation(levels)
        window = Window(candidate.direction, candidate.surface_offset, found.value, found.is_clear)
        windows.append(window)
        yield WindowProbed(window, levels[0])
    verdict = decide(windows, (contract.direction, contract.surface_offset))
    yield ProbeEnded(verdict, time.monotonic() - began)


def _resampled_request(request: ProbeRequest) -> ProbeRequest:
    """Return a request whose stack, masks and region are at the resolution that the model sees."""
    model = resampled(request.model, request.stack)
    side, region = model.contract.mean_of[1], request.region
    if side == 1:
        return replace(request, model=model)
    if region is not None:
        region = region.clip(request.stack.shape[1:])
        factor = factor_of(side)
        y0, x0 = (math.floor(start / factor) for start in (region.y0, region.x0))
        y1, x1 = (math.ceil(end / factor) for end in (region.y1, region.x1))
        region = Region(y0, y1, x0, x1)
    mask, ink = (None if plane is None else _coarser(plane, side) for plane in (request.mask, request.ink))
    return replace(request, model=model, stack=plane_means(request.stack, side), region=region, mask=mask, ink=ink)


def _coarser(plane: Mask, side: float) -> Mask:
    """Return which squares of a mask are white: at least half of each, or its middle if `side` is not whole."""
    factor = factor_of(side)
    if factor.denominator > 1:
        # Its middle, since means of parts of pixels would need the whole plane as float32.
        return _in_the_middle(plane, factor)
    # The last row and column are repeated to whole squares.
    whole, (height, width) = factor.numerator, plane.shape
    padded = np.pad(plane, ((0, -height % whole), (0, -width % whole)), mode="edge")
    squares = padded.reshape(padded.shape[0] // whole, whole, -1, whole)
    most: Mask = 2 * squares.sum(axis=(1, 3), dtype=np.int32) >= whole * whole
    return most


def _in_the_middle(plane: Mask, factor: Fraction) -> Mask:
    """Return the pixels of a mask in the middles of squares with a side of `factor` pixels."""
    rows, columns = (
        [min(math.floor((n + Fraction(1, 2)) * factor), length - 1) for n in range(math.ceil(length / factor))]
        for length in plane.shape
    )
    middles: Mask = plane[np.ix_(rows, columns)]
    return middles


def _in_pixels(area: Region, side: float, shape: tuple[int, int]) -> Region:
    """Return an area of means in pixels of the segment."""
    y0, y1, x0, x1 = (round(place * side) for place in (area.y0, area.y1, area.x0, area.x1))
    return Region(y0, y1, x0, x1).clip(shape)


def _contracts(request: ProbeRequest) -> list[InputContract]:
    """Return the contract in both directions, at all offsets with as many layers in the stack as the model's own."""
    own, depth = request.model.contract.with_greys_of(request.stack), request.stack.shape[0]
    own.z_window(depth)  # raises if not even the model's own window fits
    layers = own.layers_read(depth)
    steps = range(-(request.reach // request.step), request.reach // request.step + 1)
    offsets = []
    for offset in (own.surface_offset + step * request.step for step in steps):
        held = own.model_copy(update={"surface_offset": offset}).layers_read(depth)
        if held >= layers and held >= own.min_depth_layers:
            offsets.append(offset)
    return [
        own.model_copy(update={"direction": direction, "surface_offset": offset})
        for direction in DIRECTIONS
        for offset in offsets
    ]


def _check_planes(request: ProbeRequest) -> None:
    shape = request.stack.shape[1:]
    for name, plane in (("mask has", request.mask), ("labels have", request.ink)):
        if plane is not None and plane.shape != shape:
            raise LabelError(f"The {name} {plane.shape} pixels, but the segment {shape}; give those of this segment.")


class _Sample:
    """The grey values of a few tiles through all layers that any window reads, with their masks and labels."""

    def __init__(self, request: ProbeRequest, tiles: Sequence[Region], contracts: Sequence[InputContract]) -> None:
        depth = request.stack.shape[0]
        used = [contract.z_window(depth) for contract in contracts]
        self._depth = depth
        self._first = min(window.start for window in used)
        self._tiles = tiles
        self._padded = sample_shape(request.model).fit(tiles[0].shape)
        z = slice(self._first, max(window.stop for window in used))
        # Read once for all windows: they overlap, and files are slower than memory.
        self._blocks = [request.stack.read(z, *tile.slices) for tile in tiles]
        inside = [block.any(axis=0) for block in self._blocks]
        if request.mask is not None:
            inside = [a & request.mask[tile.slices] for a, tile in zip(inside, tiles, strict=True)]
        self._inside = np.stack(inside)
        self.ink: Mask | None = None
        if request.ink is not None:
            ink = np.stack([request.ink[tile.slices] for tile in tiles])[self._inside]
            if ink.any() and not ink.all():  # labels of one kind only cannot be separated
                self.ink = ink

    def predict(
        self, contract: InputContract, forward: Callable[[Float32Array], Float32Array]
    ) -> npt.NDArray[np.uint8]:
        """Return the ink of all tiles ``(tile, y, x)``, 0 to 255."""
        window = contract.z_window(self._depth)
        z = slice(window.start - self._first, window.stop - self._first)
        planes = []
        for block, tile in zip(self._blocks, self._tiles, strict=True):
            margin = [(0, 0), *((0, wide - n) for wide, n in zip(self._padded, tile.shape, strict=True))]
            values = np.ascontiguousarray(np.pad(contract.prepare(block[z]), margin, mode="symmetric"))
            planes.append(forward(values[None])[0, 0, : tile.height, : tile.width])
        levels: npt.NDArray[np.uint8] = np.rint(np.stack(planes) * 255).astype(np.uint8)
        return levels

    def separation(self, levels: npt.NDArray[np.uint8]) -> Separation:
        """Return how well ink stands out in levels ``(tile, y, x)``, with labels if there are any."""
        inside = levels[self._inside]
        return unlabelled_separation(inside) if self.ink is None else labelled_separation(inside, self.ink)
