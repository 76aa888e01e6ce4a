"""The frame that all worlds share: what a world is asked for, what it returns, and how its scan is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from napari_ink.phantom.fields import FloatArray, smooth_field

Plane = npt.NDArray[np.bool_]
Hand = Callable[[np.random.Generator, "Canvas"], Plane]
Purpose = Literal["settings", "sheet", "letters", "ink", "scan", "storage", "dust"]
# The numbers are part of every seed: another number is another phantom.
_STREAMS: dict[Purpose, int] = {"settings": 0, "sheet": 1, "letters": 2, "ink": 3, "scan": 4, "storage": 5, "dust": 6}
# Grey of the air between sheets in published scans, see `statistics.PUBLISHED`.
GAP = 17.0
# A phantom with hardly any ink, or hardly any papyrus, can neither teach nor test. The last attempt is accepted.
_LEAST_INK, _MOST_INK, _ATTEMPTS = 0.03, 0.5, 40


class WorldConfig(BaseModel):
    """What a phantom of a world was made from; the same world, seed, size and switches give the same voxels.

    `parameters` are not read: they tell what the world drew from the seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    world: str = Field(description="name of the world")
    seed: int = Field(ge=0, description="seed of all random choices")
    height: int = Field(ge=16, description="height in pixels")
    width: int = Field(ge=16, description="width in pixels")
    depth_layers: int = Field(ge=9, description="number of depth layers; the surface is near the middle one")
    voxel_size_um: float = Field(gt=0, description="voxel size, drawn from the seed unless the scan is a reference")
    blank: bool = Field(description="whether the sheet bears no ink")
    reference_scan: bool = Field(description="whether voxel size, greys and margin are those of the published crops")
    parameters: dict[str, float | int | str] = Field(description="what the world drew from the seed")

    @property
    def reviewed(self) -> float:
        """Share of the segment that has been reviewed: all of it."""
        return 1.0


@dataclass(frozen=True, eq=False)
class WorldPhantom:
    """A simulated segment of one of the worlds.

    Attributes
    ----------
    volume
        uint8 or uint16 ``(z, y, x)``.
    ink
        bool ``(y, x)``: the pen's strokes within `mask`, wherever there is papyrus under them.
    mask
        bool ``(y, x)``: where the segment lies in its rectangle; outside it every voxel is 0.
    drawn, reviewed
        The labels, as those of `Phantom`: the truth, all of it reviewed.
    config
        What it was made from.
    """

    volume: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    ink: Plane
    mask: Plane
    drawn: Plane
    reviewed: Plane
    config: WorldConfig


@dataclass(frozen=True)
class Canvas:
    """What a world is asked for.

    Attributes
    ----------
    seed, number
        Seed of the phantom and number of the world: together they decide all random choices.
    shape
        Layers, height and width.
    voxel_um
        Voxel size in µm.
    blank
        Whether no ink is laid.
    """

    seed: int
    number: int
    shape: tuple[int, int, int]
    voxel_um: float
    blank: bool

    def rng(self, purpose: Purpose) -> np.random.Generator:
        """Return the generator of one purpose; each has its own, so that ink changes nothing else."""
        return np.random.default_rng([self.seed, self.number, _STREAMS[purpose]])

    def px(self, micrometres: float) -> float:
        """Return a length in voxels."""
        return micrometres / self.voxel_um

    @property
    def plane(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[1:]

    @property
    def middle(self) -> int:
        """The layer that the surface lies near."""
        return self.shape[0] // 2

    def field(self, rng: np.random.Generator, scale: float) -> FloatArray:
        """Return Gaussian noise over the plane that changes over `scale` micrometres; see `smooth_field`."""
        return smooth_field(rng, self.plane, self.px(scale))

    def sheet_shape(self, thickness: float) -> tuple[int, int, int]:
        """Return planes, height and width of a sheet whose thickness is given in micrometres."""
        return (round(self.px(thickness)), *self.plane)

    def empty_scan(self) -> FloatArray:
        """Return a volume ``(z, y, x)`` of nothing but air."""
        return np.full(self.shape, GAP, dtype=np.float32)

    def depth_below(self, face: FloatArray, z: int) -> FloatArray:
        """Return how many layers each pixel of layer `z` lies below the face ``(y, x)``."""
        return (z - self.middle - face).astype(np.float32)

    def write(self, hand: Hand) -> Plane:
        """Return the strokes of a `hand`, drawn again if they cover next to nothing or most of the plane."""
        strokes = np.zeros(self.plane, dtype=bool)
        rng = self.rng("letters")
        for _ in range(0 if self.blank else _ATTEMPTS):
            strokes = hand(rng, self)
            if _LEAST_INK <= strokes.mean() <= _MOST_INK:
                break
        return strokes


def drawn_by(draw: Callable[[np.random.Generator], float]) -> Any:
    """Return a field of `DrawnSettings` whose value a function draws."""
    return field(metadata={"draw": draw})


def between(low: float, high: float) -> Any:
    """Return a field of `DrawnSettings` that takes any number between two, all equally likely."""
    return drawn_by(lambda rng: rng.uniform(low, high))


@dataclass(frozen=True)
class DrawnSettings:
    """Settings of a world, whose fields say how each is drawn from the seed."""

    @classmethod
    def drawn(cls, canvas: Canvas) -> Self:
        """Draw the settings."""
        rng = canvas.rng("settings")
        # One generator draws all fields in turn: moving or inserting one would change every published phantom after it.
        return cls(**{setting.name: setting.metadata["draw"](rng) for setting in fields(cls)})


@dataclass(frozen=True, eq=False)
class Papyrus:
    """What a world returns.

    Attributes
    ----------
    greys
        float32 ``(z, y, x)``: the scan, in greys of 0 to 255.
    ink
        bool ``(y, x)``: the truth.
    parameters
        What the world drew from the seed.
    """

    greys: FloatArray
    ink: Plane
    parameters: dict[str, float | int | str]


@dataclass(frozen=True)
class World:
    """A way to make papyri, with its own sheet, ink, letters, scanner and errors of segmentation.

    Attributes
    ----------
    number
        Number of the world, which never changes: seeds and published sets depend on it.
    sheet, ink, letters, scan
        How each is made, in a few words.
    voxels_um
        Smallest and largest voxel size.
    build
        Simulates the scan.
    """

    number: int
    sheet: str
    ink: str
    letters: str
    scan: str
    voxels_um: tuple[float, float]
    build: Callable[[Canvas], Papyrus]


def drawn_voxel_size(world: World, seed: int) -> float:
    """Return the voxel size of a seed in a world, in µm; small and large ones are equally likely by ratio."""
    low, high = np.log(world.voxels_um)
    rng = np.random.default_rng([seed, world.number, _STREAMS["settings"], 1])
    return round(float(np.exp(rng.uniform(low, high))), 2)


def outline(canvas: Canvas) -> Plane:
    """Return where the segment lies in its rectangle: all but a ragged margin, which some segments lack."""
    rng = canvas.rng("storage")
    # Negative margins are none, as in crops from within a segment; small phantoms are not all margin.
    margin = float(rng.uniform(-15, 20)) * min(min(canvas.plane) / 512, 1.0)
    ys, xs = np.ogrid[: canvas.plane[0], : canvas.plane[1]]
    to_border = np.minimum(np.minimum(ys, canvas.plane[0] - 1 - ys), np.minimum(xs, canvas.plane[1] - 1 - xs))
    inside: Plane = to_border >= margin * (1 + 0.4 * smooth_field(rng, canvas.plane, 20.0))
    return inside


@dataclass(frozen=True)
class Storage:
    """How a scan's greys are stored.

    Attributes
    ----------
    gain, offset
        A grey g of 0 to 255 is stored as ``gain · g + offset`` of 255.
    bits
        8, 12 or 16: 2**bits levels, spread over the 16 bits of a voxel.
    is_uint8
        Whether 8-bit levels are stored as bytes.
    """

    gain: float = 1.0
    offset: float = 0.0
    bits: int = 8
    is_uint8: bool = False

    @classmethod
    def drawn(cls, canvas: Canvas) -> Storage:
        """Draw any brightness and contrast that clips few voxels."""
        rng = np.random.default_rng([canvas.seed, canvas.number, _STREAMS["storage"], 1])
        gain = float(np.exp(rng.uniform(np.log(0.3), np.log(1.05))))
        # Half of the scans have 8 bits, as the published ones do.
        bits = int(rng.choice([8, 8, 12, 16]))
        return cls(gain, float(rng.uniform(0, max(255 - 240 * gain, 4))), bits, bits == 8 and rng.random() < 0.5)

    def parameters(self) -> dict[str, float | int | str]:
        """Return the settings for a phantom's provenance."""
        return {
            "storage_gain": self.gain,
            "storage_offset": self.offset,
            "storage_bits": self.bits,
            "storage_dtype": "uint8" if self.is_uint8 else "uint16",
        }

    def store(self, greys: FloatArray) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
        """Return the voxels ``(z, y, x)``; `greys` are overwritten."""
        levels = 2**self.bits - 1
        greys *= self.gain * levels / 255
        greys += self.offset * levels / 255 + 0.5
        np.clip(greys, 0, levels, out=greys)
        if self.is_uint8:
            return greys.astype(np.uint8)
        # 257 takes 255 to 65535, as in scans that were scaled from 8 bits; 12 bits leave the lowest four empty.
        return greys.astype(np.uint16) * np.uint16({8: 257, 12: 16, 16: 1}[self.bits])
