"""Input contracts: which depth layers a network reads, and how their grey values are scaled.

Wrong layers, a reversed depth or another scaling raise no error in a network, but the prediction is bad. So every
checkpoint contains a contract, every stack is checked against it, and every prediction records it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from napari_ink.area_means import mean_weights, means_of_layers
from napari_ink.errors import ContractError
from napari_ink.mean_factor import DECIMALS, factor_of
from napari_ink.model.stack_greys import MOST_POWER, SHARES, power_of, prepared_values


def _whole_if_possible(number: float) -> float:
    """Return an integer for a whole number, as records of versions that knew no others have it."""
    rounded = round(number, DECIMALS)
    return int(rounded) if rounded == int(rounded) else rounded


Direction = Literal["as stored", "reversed"]
Mean = Annotated[int | float, Field(ge=1, le=64), AfterValidator(_whole_if_possible)]
Normalisation = Literal["fixed", "crop robust", "stack quantiles", "stack curve"]
LARGEST_TILE = 2**13
_LATER_ENTRIES = frozenset(
    {"grey_range", "context_px", "normalisation", "overlap", "layer_step_um", "mean_of", "stack_greys"}
)
_MOST_LAYERS = 2**12
_VOXEL_TOLERANCE = 0.1
# Scans of papyri have voxels of more than 1 µm; a ratio above this comes from a voxel size that nobody has filled in.
_MOST_MEANS = 9
# Limits for the mean, in standard deviations of the training data, and for the ratio of standard deviations. Scans of
# other papyri stay within them; 14-bit values stored in 16 bits do not.
_FAR_MEAN = 2.0
_FAR_DEVIATION = (0.2, 4.0)

_BRIGHTEST = np.iinfo(np.uint16).max

Greys = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class SampledStack(Protocol):
    """A stack whose grey values can be sampled, such as `DepthStack`."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Depth layers, height and width."""
        ...

    def window_quantiles(self, z: slice, shares: tuple[float, ...]) -> tuple[float, ...]:
        """Return quantiles of grey values sampled from a window of layers, without empty voxels."""
        ...


class InputContract(BaseModel):
    """The layers that a network reads from a depth stack, and the scaling of their grey values."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    depth_layers: int = Field(description="depth layers read, centred on the surface layer", ge=1, le=_MOST_LAYERS)
    min_depth_layers: int = Field(description="fewest depth layers that make sense to this network", ge=1)
    surface_offset: int = Field(
        0, description="layers from the stack's middle layer to the window's, counted in the direction of reading"
    )
    direction: Direction = Field("as stored", description="which end of the stack comes first")
    grey_range: tuple[float, float] | None = Field(
        None, description="stored grey values that are spread over the whole range of the dtype before all else"
    )
    as_8_bit: bool = Field(False, description="whether 16-bit values are cut to their upper 8 bits before clipping")
    clip: tuple[float, float] = Field((0.0, 1.0), description="grey values kept, as fractions of the dtype's range")
    mean: float = Field(description="subtracted after clipping, in fractions of the dtype's range")
    std: float = Field(description="divided by after subtracting the mean", gt=0)
    normalisation: Normalisation = Field(
        "fixed",
        description="fixed: by the values above alone; crop robust: each tile is then clipped to its own 1st to 99th "
        "percentile, less its median, and divided by 1.4826 times its median absolute deviation; stack quantiles: "
        "before all else, greys are scaled so that the stack's own 5th and 95th percentile become those of a usual "
        "scan, whatever its brightness, contrast and bits; stack curve: the same after a power of the greys that also "
        "brings the 80th percentile to that of a usual scan, whatever its gamma",
    )
    stack_greys: tuple[float, ...] | None = Field(
        None,
        description="with stack quantiles: the 5th and 95th percentile of the stack at hand, in stored greys; with "
        "stack curve: the 5th, 80th and 95th",
        min_length=1,
    )
    voxel_size_um: float | None = Field(description="edge of the voxels trained on, in micrometres")
    layer_step_um: float | None = Field(
        None, description="distance of the layers trained on, in micrometres; null for the edge of a voxel", gt=0
    )
    mean_of: tuple[Mean, Mean] = Field(
        (1, 1), description="layers, and pixels along each side of a square, whose mean is one value that is read"
    )
    tile_size: int = Field(256, description="height and width of a tile, in pixels", ge=32, le=LARGEST_TILE)
    context_px: int = Field(
        0, description="pixels along each side of a tile that the network reads and whose values are dropped", ge=0
    )
    overlap: float | None = Field(
        None,
        description="share of a tile that overlaps with its neighbour; null for what suits the network",
        ge=0,
        le=0.75,
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.min_depth_layers > self.depth_layers:
            raise ValueError("min_depth_layers exceeds depth_layers")
        if 2 * self.context_px >= self.tile_size:
            raise ValueError(f"a context of {self.context_px} pixels leaves nothing of a tile of {self.tile_size}")
        if self.stack_greys is not None:
            self._check_stack_greys(self.stack_greys)
        if not 0 <= self.clip[0] < self.clip[1] <= 1:
            raise ValueError(f"clip must be two rising fractions between 0 and 1, not {self.clip}")
        if self.grey_range is not None and not 0 <= self.grey_range[0] < self.grey_range[1] <= _BRIGHTEST:
            low, high = self.grey_range
            raise ValueError(
                f"the grey range must be two rising values from 0 to {_BRIGHTEST}, not {low:g} and {high:g}"
            )
        return self

    def _check_stack_greys(self, greys: tuple[float, ...]) -> None:
        if len(greys) != len(SHARES.get(self.normalisation, ())):
            raise ValueError(f"{len(greys)} percentiles do not fit the normalisation {self.normalisation!r}")
        low, high = (0, _BRIGHTEST) if self.grey_range is None else self.grey_range
        if not low <= greys[0] or not greys[-1] <= high or list(greys) != sorted(greys):
            stated = ", ".join(f"{grey:g}" for grey in greys)
            raise ValueError(f"percentiles of a stack must rise from {low:g} to {high:g} at most, not be {stated}")

    @model_serializer(mode="wrap")
    def _without_defaults(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Omit entries of later versions that are not used, so that versions without them can read the record."""
        fields = type(self).model_fields
        return {
            name: value
            for name, value in values(self).items()
            if name not in _LATER_ENTRIES or getattr(self, name) != fields[name].default
        }

    @property
    def scales_by_stack(self) -> bool:
        """Whether grey values are scaled by percentiles of the whole stack."""
        return self.normalisation in SHARES

    def changed(self, **changes: Any) -> Self:
        """Return this contract with other values, which are validated.

        Raises
        ------
        ContractError
            If a value is invalid.
        """
        try:
            return self.model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            raise ContractError(f"The stack cannot be read this way: {first_fault(error)}.") from error

    def z_window(self, depth: int) -> slice:
        """Return the half-open window of depth layers to read from a stack of `depth` layers.

        The window is centred on the stack's middle layer, moved by `surface_offset`, and clipped to the stack. If the
        direction is reversed, the window is mirrored about the middle of the layers, so that the same papyrus numbered
        in reverse gives exactly the same values. It holds whole groups of layers, if their means are read; if a group
        is no whole number of layers, the first one in the direction of reading begins with a whole layer.

        Raises
        ------
        ContractError
            If fewer than `min_depth_layers` layers are left.
        """
        window, together = self._clipped(depth), self.mean_of[0]
        if self.layers_read(depth) < self.min_depth_layers:
            means, remedy = "", "use a deeper stack or another model"
            if together != 1:
                means = f", {self.min_depth_layers} means of {together:g}"
                remedy = "use a deeper stack or another model, or turn resampling off (`--resample none`)"
            needed = math.ceil(self.min_depth_layers * factor_of(together))
            least, most = self.offsets(depth)
            if least <= most:  # the stack is deep enough, and only the offset moves the window out of it
                raise ContractError(
                    f"An offset of {self.surface_offset} leaves {max(window.stop - window.start, 0)} of {depth} depth "
                    f"layers in the window, and this model needs {needed}; choose an offset from {least} to {most}."
                )
            raise ContractError(
                f"The stack has too few depth layers: {max(window.stop - window.start, 0)} of its {depth} can be read "
                f"and this model needs {needed}{means}; {remedy}."
            )
        if self.direction == "reversed":
            return slice(depth - window.stop, depth - window.start)
        return window

    def layers_read(self, depth: int) -> int:
        """Return how many layers of a stack of `depth` layers can be read, counted as the network sees them."""
        return max(self._groups(depth)[1], 0)

    def _start(self, depth: int) -> int:
        """Return the first layer of a window without an offset."""
        layers, together = self.depth_layers, factor_of(self.mean_of[0])
        if together == 1:
            return depth // 2 - layers // 2
        # Where the window cannot lie in the middle, the authors' tools leave one layer more before it.
        return math.floor((depth - layers * together + 1) / 2)

    def _groups(self, depth: int) -> tuple[int, int]:
        """Return the first layer of the window in the direction of reading, and its number of groups in the stack."""
        start, together = self._start(depth) + self.surface_offset, factor_of(self.mean_of[0])
        end = start + self.depth_layers * together
        inside = min(end, Fraction(depth))
        groups = math.floor((inside - max(start, 0)) / together)
        return start if start >= 0 else math.floor(inside - groups * together), groups

    def _clipped(self, depth: int) -> slice:
        """Return the window in the direction of reading, clipped to whole groups of layers within the stack."""
        first, groups = self._groups(depth)
        return slice(first, first + math.ceil(groups * factor_of(self.mean_of[0])))

    def offsets(self, depth: int) -> tuple[int, int]:
        """Return the smallest and largest `surface_offset` with which enough of `depth` layers can be read.

        With fewer than `min_depth_layers` layers there is none, and the first is greater than the second.
        """
        start, together = self._start(depth), factor_of(self.mean_of[0])
        needed = self.min_depth_layers * together
        if depth < needed:
            return 1, 0
        return math.ceil(needed - self.depth_layers * together - start), math.floor(depth - needed - start)

    def fitted(self, voxel_size_um: float | None, layer_step_um: float | None) -> Self:
        """Return this contract with means of layers and pixels that bring a stack near to what was trained on.

        A whole number of voxels is averaged if that ends within a tenth of the voxel size trained on, else as many as
        give that size. With an unknown voxel size, or one that is as large or larger, nothing is.

        Parameters
        ----------
        voxel_size_um
            Edge of the stack's voxels; None if unknown.
        layer_step_um
            Distance of the stack's layers; None for the edge of a voxel.
        """
        layers = _voxels_to_average(layer_step_um or voxel_size_um, self.layer_step_um or self.voxel_size_um)
        return self.changed(mean_of=(layers, _voxels_to_average(voxel_size_um, self.voxel_size_um)))

    def check_greys(self, dtype: np.dtype[Any]) -> None:
        """Refuse a grey range that exceeds the range of a stack's dtype.

        Raises
        ------
        ContractError
            If its white is greater than the dtype's largest value.
        """
        top = np.iinfo(dtype).max
        if self.grey_range is not None and self.grey_range[1] > top:
            low, high = self.grey_range
            raise ContractError(
                f"The grey range {low:g} to {high:g} does not fit a stack of {dtype.name}, whose values are 0 to {top}"
                "; give grey values as the viewer shows them."
            )

    def with_greys_of(self, stack: SampledStack) -> Self:
        """Return this contract with the quantiles of a stack, if it scales by them; else this contract.

        They are those of a bounded sample from the layers that are read, so they depend neither on the region nor on
        the tile.

        Raises
        ------
        ContractError
            If the stack has too few layers.
        StackError
            If the stack cannot be read.
        """
        if not self.scales_by_stack or self.stack_greys is not None:
            return self
        greys = stack.window_quantiles(self.z_window(stack.shape[0]), SHARES[self.normalisation])
        low, high = (0.0, _BRIGHTEST) if self.grey_range is None else self.grey_range
        fitted = tuple(round(min(max(grey, low), high), 2) for grey in greys)
        return self.model_copy(update={"stack_greys": fitted})

    def without_greys(self) -> Self:
        """Return this contract without the quantiles of a stack, so that it can be fitted to another one."""
        return self if self.stack_greys is None else self.model_copy(update={"stack_greys": None})

    def prepare(self, block: Greys) -> npt.NDArray[np.float32]:
        """Scale a block of grey values to what the network expects.

        Parameters
        ----------
        block
            Grey values ``(z, y, x)``, uint8 or uint16.

        Returns
        -------
        ndarray
            float32 ``(z, y, x)``: means of layers, spread, clipped, centred and scaled, in this contract's direction.
            Means of pixels are not taken here.

        Raises
        ------
        ContractError
            If this contract scales by quantiles and does not have those of the stack (`with_greys_of`).
        """
        block = _layers_averaged(block, self.mean_of[0], self.direction == "reversed")
        if self.scales_by_stack:
            if self.stack_greys is None:
                raise ContractError(
                    "This contract scales grey values by those of the whole stack; call `with_greys_of(stack)` first."
                )
            table = prepared_values(self.stack_greys, self.grey_range, np.iinfo(block.dtype).max, self.mean, self.std)
            looked_up: npt.NDArray[np.float32] = table[block]
            return looked_up[::-1] if self.direction == "reversed" else looked_up
        if self.as_8_bit and block.dtype == np.uint16 and self.grey_range is None:
            block = (block >> 8).astype(np.uint8)
        top = float(np.iinfo(block.dtype).max)
        # All steps work in place on one float array, since blocks are as large as memory allows.
        values: npt.NDArray[np.float32] = block.astype(np.float32)
        if self.grey_range is not None:
            top = self._spread(values, top)
        if self.clip != (0.0, 1.0):
            np.clip(values, self.clip[0] * top, self.clip[1] * top, out=values)
        values *= 1.0 / (top * self.std)
        values -= self.mean / self.std
        return values[::-1] if self.direction == "reversed" else values

    def _spread(self, values: npt.NDArray[np.float32], top: float) -> float:
        """Spread the grey range over 0 to `top` in place, and return the largest value afterwards."""
        assert self.grey_range is not None
        low, high = self.grey_range
        values -= low
        values *= top / (high - low)
        np.clip(values, 0.0, top, out=values)
        if not (self.as_8_bit and top > 255):
            return top
        np.rint(values, out=values)  # grey values are whole numbers, of which the upper 8 bits are kept
        values *= 1 / 256
        np.floor(values, out=values)
        return 255.0

    def grey_notes(self, sample: Greys, narrow: str = "") -> tuple[str, ...]:
        """Return sentences on the scaling of a stack's grey values, and on values that do not fit the model.

        Parameters
        ----------
        sample
            Grey values ``(n,)`` sampled from the stack, without empty voxels.
        narrow
            Sentence on a stack that fills little of its range; not used if a grey range is given.
        """
        sentences = []
        if self.grey_range is not None:
            low, high = self.grey_range
            if self.scales_by_stack:
                return (f"Grey values are clipped to {low:g} to {high:g}.",)
            sentences.append(f"Grey values from {low:g} to {high:g} are spread over the whole range.")
        elif narrow and self.normalisation == "fixed":  # what scales by the stack's own greys needs no range
            return (narrow,)
        if self.scales_by_stack:  # no grey value is far from these
            return tuple(sentences)
        return tuple(sentences) + self._far_note(sample)

    def _far_note(self, sample: Greys) -> tuple[str, ...]:
        if not (0 < self.mean < 1 and self.std < 1) or sample.size == 0:
            return ()  # a mean of 0 and a deviation of 1 only mean that values are not scaled
        # Sampled voxels are no layers that means could be taken of.
        values = self.model_copy(update={"mean_of": (1, 1)}).prepare(sample.reshape(1, 1, -1))
        mean, deviation = float(values.mean()), float(values.std())
        if abs(mean) <= _FAR_MEAN and _FAR_DEVIATION[0] <= deviation <= _FAR_DEVIATION[1]:
            return ()
        return (
            "The stack's grey values lie far from those that the model was trained on (mean "
            f"{self.mean + mean * self.std:.2f} and deviation {deviation * self.std:.3f} of the range, instead of "
            f"{self.mean} and {self.std}); look at its histogram and give `--grey-range LOW HIGH`.",
        )

    def notes(self, depth: int, voxel_size_um: float | None, layer_step_um: float | None = None) -> tuple[str, ...]:
        """Return sentences on the layers that are read from a stack, and on differences from the training data."""
        window = self.z_window(depth)
        sentences = [f"Reads depth layers {window.start} to {window.stop - 1} of {depth}, {self.direction}."]
        sentences.extend(self.resampling_notes(voxel_size_um, layer_step_um))
        if self.layers_read(depth) < self.depth_layers:
            sentences.append(f"The model was trained on {self.depth_layers} layers; expect less from fewer.")
        if self.normalisation == "crop robust":
            sentences.append(
                f"Each tile of {self.tile_size} pixels is scaled by its own grey values, so values depend on it."
            )
        if self.scales_by_stack:
            sentences.append(self._scaling_note())
        sentences.extend(self._voxel_notes(voxel_size_um, layer_step_um))
        return tuple(sentences)

    def _scaling_note(self) -> str:
        told = "Grey values are scaled by the stack's own quantiles to those of a usual scan"
        if self.stack_greys is None:
            return f"{told}."
        low, high = self.stack_greys[0], self.stack_greys[-1]
        if low == high:
            return (
                f"Grey values cannot be scaled, since nine of ten are {low:g}: the map says nothing; check the stack"
                f"{'' if self.grey_range is None else ' and the grey range'}."
            )
        power = power_of(self.stack_greys, self.grey_range)
        if power == 1:
            return f"{told}."
        if not 1 / MOST_POWER < power < MOST_POWER:
            return f"{told}, after a power of {power:.2f}, the limit: its shares of air and papyrus are unusual."
        return f"{told}, after a power of {power:.2f}."

    def resampling_notes(self, voxel_size_um: float | None, layer_step_um: float | None) -> tuple[str, ...]:
        """Return a sentence on how a stack is resampled; nothing if it is not."""
        layers, side = self.mean_of
        if self.mean_of == (1, 1):
            return ()
        how = f"The stack is resampled for the model, by means of {layers:g} layers and of {side:g} × {side:g} pixels"
        if voxel_size_um is None:
            return (f"{how}.",)
        step = layer_step_um or voxel_size_um
        before, after = _in_um(voxel_size_um, step), _in_um(voxel_size_um * side, step * layers)
        return (f"{how}: voxels of {before} become {after}.",)

    def _voxel_notes(self, voxel_size_um: float | None, layer_step_um: float | None) -> tuple[str, ...]:
        if self.voxel_size_um is None:
            return ()
        if voxel_size_um is None:
            told = "" if self.mean_of == (1, 1) else " after resampling"
            return (f"The stack's voxel size is unknown; the model was trained at {self.voxel_size_um} µm{told}.",)
        layers, side = self.mean_of
        read, step = voxel_size_um * side, (layer_step_um or voxel_size_um) * layers
        trained = self.layer_step_um or self.voxel_size_um
        if abs(read / self.voxel_size_um - 1) > _VOXEL_TOLERANCE:
            return (
                f"The stack's voxels are {read:g} µm{'' if side == 1 else ' after resampling'} and the model was "
                f"trained at {self.voxel_size_um} µm.",
            )
        if abs(step / trained - 1) > _VOXEL_TOLERANCE:
            return (
                f"The layers read are {step:g} µm apart, and the model was trained on layers {trained:g} µm apart.",
            )
        return ()


def _voxels_to_average(size_um: float | None, trained_um: float | None) -> float:
    """Return how many voxels to average along an axis."""
    if size_um is None or trained_um is None:
        return 1
    number = round(trained_um / size_um)
    if number >= 1 and abs(number * size_um / trained_um - 1) <= _VOXEL_TOLERANCE:
        return number if number <= _MOST_MEANS else 1
    ratio = round(trained_um / size_um, DECIMALS)
    return ratio if 1 < ratio <= _MOST_MEANS else 1


def _layers_averaged(block: Greys, together: float, is_reversed: bool) -> Greys:
    """Return means of groups of layers, rounded to whole grey values as in the files of a resampled stack."""
    if together == 1:
        return block
    factor = factor_of(together)
    if factor.denominator == 1:
        groups = block.reshape(len(block) // factor.numerator, factor.numerator, *block.shape[1:])
        whole: Greys = np.rint(groups.mean(axis=1, dtype=np.float32)).astype(block.dtype)
        return whole
    # The first group in the direction of reading begins with a whole layer, and the last may end within one.
    order = slice(None, None, -1 if is_reversed else 1)
    weights = mean_weights(0, math.floor(len(block) / factor), factor, len(block))
    means: Any = np.rint(means_of_layers(block[order], weights))
    parted: Greys = means[order].astype(block.dtype)
    return parted


def _in_um(edge: float, step: float) -> str:
    """Return the size of a voxel in words."""
    return f"{edge:.4g} µm" if math.isclose(edge, step) else f"{edge:.4g} µm with layers {step:.4g} µm apart"


def first_fault(error: ValidationError) -> str:
    """Return the first fault that validation found, in one line: the entry and what is wrong with it."""
    fault = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    reason = " ".join(fault["msg"].split()).removeprefix("Value error, ")
    return f"{place}: {reason}" if place else reason
