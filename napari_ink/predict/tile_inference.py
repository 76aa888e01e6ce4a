"""Inference on tiles, split into a part that is computed once per cell and a part for each tile.

With our own network, the stem (most of the work) runs once over every cell and its halo; the rest runs on tiles. With
another network, or one that sees rotated tiles, whole tiles go through the network; they are assembled from grey values
that were read and prepared once per cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.stem import DepthStem
from napari_ink.predict.augmented_views import Orientation
from napari_ink.predict.cells import CellGrid, CellIndex, Planes
from napari_ink.predict.ensemble import EnsembleMember, combine, stack_place, z_range
from napari_ink.predict.forward import Forward, rounded
from napari_ink.predict.grey_source import GreySource
from napari_ink.predict.mirroring import Places, mirrored_places
from napari_ink.predict.resampling import enlarged, side_of
from napari_ink.predict.tiles import BLOCK, TileGrid
from napari_ink.region import Region
from napari_ink.stack import DepthStack, plane_means
from napari_ink.typing import Float32Array

# Without a stem, cells only avoid reading voxels twice.
_WHOLE_CELL = 128


def has_shared_stem(members: Sequence[EnsembleMember]) -> bool:
    """Return whether the stem of every member can run on cells."""
    return all(isinstance(member.network, InkEdgeNetwork) and member.turn == Orientation() for member in members)


class TileInference:
    """Computes cells and tiles.

    Parameters
    ----------
    members
        Ensemble members that predict.
    stack
        Depth stack to read.
    grid
        Grid of the tiles.
    forward
        Runs networks on a device.
    row_px
        Number of columns that are read one after another in a row; None if the order of tiles is unknown.
    has_depth
        Whether the only member's depth of ink is a third value of each pixel.

    Attributes
    ----------
    cells : CellGrid
        Grid of cells.
    device : torch.device
        Device that networks run on.
    has_own_threads : bool
        Whether a network uses threads of its own besides torch's, as ONNX Runtime does, or all of torch's for a tile.
    has_shared_stem : bool
        Whether a cell holds the stem's output; if not, it holds prepared grey values.
    """

    def __init__(
        self,
        members: Sequence[EnsembleMember],
        stack: DepthStack,
        grid: TileGrid,
        forward: Forward,
        row_px: int | None = None,
        has_depth: bool = False,
    ) -> None:
        self._has_depth, self._layers = has_depth, stack.shape[0]
        # Means of pixels are read as a stack of their own, so that everything after reading is as small as they are.
        self._stack, self._grid, self._forward = plane_means(stack, side_of(members)), grid, forward
        self._z = z_range(members, stack.shape[0])
        self._source = GreySource(self._stack, self._z, None if row_px is None else math.ceil(row_px / grid.factor))
        self._members = list(members)
        # Members that are views of one network share its copy on the device, and those of one contract its grey values.
        self._networks: dict[int, nn.Module] = {}
        for member in members:
            if id(member.network) not in self._networks:
                self._networks[id(member.network)] = forward.place(member.network)
        self._contracts = list({id(m.contract): m.contract for m in members}.values())
        self.device = forward.device
        # A large network gets all threads for one tile: several tiles at once would not fit into memory.
        self.has_own_threads = any(
            getattr(part, name, False)
            for member in members
            for part in member.network.modules()
            for name in ("has_own_threads", "is_large")
        )
        self.has_shared_stem = has_shared_stem(members)
        side = BLOCK if self.has_shared_stem else _WHOLE_CELL
        self.cells = CellGrid(grid.seen.canvas, side, DepthStem.halo if self.has_shared_stem else 0)

    def expect(self, cells: Iterable[CellIndex]) -> None:
        """Declare all cells that will be read, so that grey values are dropped once no cell needs them."""
        self._source.expect(map(self._in_segment, cells))

    def _places(self, cell: CellIndex) -> tuple[Places, Places]:
        """Return the rows and the columns of the segment that a cell reads, mirrored beyond its border."""
        wanted, (height, width) = self.cells.read_area(cell), self._stack.shape[1:]
        return mirrored_places(wanted.y0, wanted.y1, height), mirrored_places(wanted.x0, wanted.x1, width)

    def _in_segment(self, cell: CellIndex) -> Region:
        """Return the part of the segment that holds all that a cell reads."""
        rows, columns = self._places(cell)
        return Region(int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1)

    def read(self, cell: CellIndex) -> list[Float32Array]:
        """Read a cell and prepare it for each contract, ``(z, y, x)`` float32 each; safe on any thread."""
        area, (rows, columns) = self._in_segment(cell), self._places(cell)
        grey = self._source.read(area)
        is_inside = (len(rows), len(columns)) == (area.height, area.width)
        values = []
        for contract in self._contracts:
            window = contract.z_window(self._stack.shape[0])
            prepared = contract.prepare(grey[window.start - self._z.start : window.stop - self._z.start])
            if not is_inside:
                prepared = prepared[:, (rows - area.y0)[:, None], columns - area.x0]
            values.append(self._with_halo(cell, np.ascontiguousarray(prepared)))
        return values

    def _with_halo(self, cell: CellIndex, values: Float32Array) -> Float32Array:
        """Mirror the canvas's outermost values where a cell's halo lies beyond it, if tiles have a context.

        A stem that saw zeros there would make a frame around the segment.
        """
        top, bottom, left, right = self.cells.missing_halo(cell)
        if not self._grid.context or not any((top, bottom, left, right)):
            return values
        return np.ascontiguousarray(np.pad(values, ((0, 0), (top, bottom), (left, right)), mode="symmetric"))

    def planes(self, cell: CellIndex, values: Sequence[Float32Array]) -> Planes:
        """Return what the tiles share of a cell: planes ``(c, y, x)``, the stem's or the prepared grey values."""
        tensors = [torch.from_numpy(one) for one in values]
        if not self.has_shared_stem:
            return tuple(tensors)
        area, read = self.cells.area(cell), self.cells.read_area(cell)
        top, _, left, _ = self.cells.missing_halo(cell) if self._grid.context else (0, 0, 0, 0)
        rows, columns = area.slices_in(read)
        inner = slice(rows.start + top, rows.stop + top), slice(columns.start + left, columns.stop + left)
        planes: list[Tensor] = []
        for member in self._members:
            stem = self._own(member).stem
            block = tensors[self._number(member)][None].to(self._forward.device)
            for plane, step in zip(self._forward(lambda: stem(block)), DepthStem.steps, strict=True):  # noqa: B023
                y, x = (slice(part.start // step, part.stop // step) for part in inner)
                # A view without the halo: the halo is small, and copying would take longer than it saves memory.
                planes.append(plane[0, :, y, x])
        return tuple(planes)

    def assembled(self, tiles: Sequence[Region], cells: Sequence[Mapping[CellIndex, Planes]]) -> list[Tensor]:
        """Assemble tiles from the planes of cells.

        Parameters
        ----------
        tiles
            The tiles, clipped to the segment.
        cells
            For each tile, the planes of the cells that it touches.

        Returns
        -------
        list of Tensor
            For each plane of a cell, the same plane of the tiles, ``(b, c, y, x)``.

        Raises
        ------
        DeviceMemoryError
            If the tiles do not fit into the device's memory.
        """
        # Planes come in the order member by member and, within a member, step by step of its stem.
        steps = DepthStem.steps if self.has_shared_stem else (1,)
        number = len(next(iter(cells[0].values())))
        with self._forward.translating_memory_errors(), torch.inference_mode():
            return [self._assembled(tiles, cells, n, steps[n % len(steps)]) for n in range(number)]

    def probabilities(self, tiles: Sequence[Region], blocks: Sequence[Tensor]) -> Float32Array:
        """Return the members' combined probabilities of tiles, in the segment's pixels.

        Parameters
        ----------
        tiles
            The tiles, clipped to the segment.
        blocks
            The same tiles, assembled.

        Returns
        -------
        ndarray
            ``(b, c, y, x)`` float32, see `combine` and `rounded`; NaN where a network gives NaN.

        Raises
        ------
        DeviceMemoryError
            If the batch does not fit into the device's memory.
        """
        has_edges = [member.predicts_edges for member in self._members]
        return self._forward(lambda: rounded(combine(self._outputs(tiles, blocks), has_edges)))

    def _outputs(self, tiles: Sequence[Region], blocks: Sequence[Tensor]) -> list[Tensor]:
        """Return each member's probabilities of assembled tiles without their context, ``(b, 2, y, x)``."""
        outputs = []
        context = self._grid.seen.context
        for n, member in enumerate(self._members):
            if self.has_shared_stem:
                # The stem gives two planes for each member, at half and at quarter resolution.
                logits = self._own(member).after_stem(blocks[2 * n], blocks[2 * n + 1], context)
            else:
                block = blocks[self._number(member)].to(self._forward.device)
                network = self._networks[id(member.network)]
                if self._has_depth:
                    outputs.append(self._with_depth(network, member, block))
                    continue
                logits = member.turn.undo(network(member.turn.apply(block).contiguous()))
                height, width = logits.shape[-2:]
                logits = logits[..., context : height - context, context : width - context]
            outputs.append(torch.sigmoid(logits.float()))
        return [enlarged(output, self._grid, tiles) for output in outputs]

    def _with_depth(self, network: Any, member: EnsembleMember, block: Tensor) -> Tensor:
        """Return probabilities of ink and edges, and the depth of ink as a place in the stack, ``(b, 3, y, x)``."""
        values = network.with_depth(block)
        place = stack_place(member.contract, self._layers, values[:, 2:])
        return torch.cat([torch.sigmoid(values[:, :2]), place], dim=1)

    def _assembled(
        self, tiles: Sequence[Region], cells: Sequence[Mapping[CellIndex, Planes]], number: int, step: int
    ) -> Tensor:
        like = next(iter(cells[0].values()))[number]
        height, width = (side // step for side in self._grid.seen.tile)
        # Convolutions after the stem are faster on channels-last tensors; whole tiles go in as they were read.
        layout = torch.channels_last if self.has_shared_stem else torch.contiguous_format
        out = torch.empty(
            (len(tiles), like.shape[0], height, width), dtype=like.dtype, device=like.device, memory_format=layout
        )
        for place, tile, parts in zip(out, tiles, cells, strict=True):
            read, top_left = self._grid.read_area(tile), self._grid.place_in_tile(tile)
            for cell, planes in parts.items():
                area = self.cells.area(cell)
                part = area.within(read)
                to, here = (_coarser(part.slices_in(outer), step) for outer in (read, area))
                to = _moved(to, (top_left[0] // step, top_left[1] // step))
                _plain(place)[:, *to] = _plain(planes[number])[:, *here]
            y0, x0 = (start // step for start in top_left)
            _mirror_outwards(place, y0, y0 + read.height // step, x0, x0 + read.width // step)
        return out

    def _own(self, member: EnsembleMember) -> InkEdgeNetwork:
        return cast(InkEdgeNetwork, self._networks[id(member.network)])

    def _number(self, member: EnsembleMember) -> int:
        return next(n for n, contract in enumerate(self._contracts) if contract is member.contract)


def _plain(tensor: Tensor) -> Any:
    """Return NumPy's view of a tensor on the CPU, which copies faster than torch; else the tensor itself."""
    if tensor.device.type != "cpu":
        return tensor
    # NumPy knows no bfloat16, and copying needs no more than its bits.
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _moved(slices: tuple[slice, slice], by: tuple[int, int]) -> tuple[slice, slice]:
    y, x = (slice(part.start + start, part.stop + start) for part, start in zip(slices, by, strict=True))
    return y, x


def _mirror_outwards(planes: Tensor, y0: int, y1: int, x0: int, x1: int) -> None:
    """Fill ``(c, y, x)`` outside of rows y0…y1 and columns x0…x1 with what is inside, mirrored."""
    height, width = planes.shape[-2:]
    for start, stop in ((0, x0), (x1, width)):
        planes[:, y0:y1, start:stop] = planes[:, y0:y1, x0 + mirrored_places(start - x0, stop - x0, x1 - x0)]
    for start, stop in ((0, y0), (y1, height)):
        planes[:, start:stop] = planes[:, y0 + mirrored_places(start - y0, stop - y0, y1 - y0)]


def _coarser(slices: tuple[slice, slice], step: int) -> tuple[slice, slice]:
    y, x = (slice(part.start // step, part.stop // step) for part in slices)
    return y, x
