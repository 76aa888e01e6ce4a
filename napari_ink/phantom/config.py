"""Parameters of a phantom: its size, its seed, and the properties that make its ink hard to see."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

# Voxel size of the Scroll 1 surface volumes that greys and textures are fitted to.
BASE_VOXEL_UM = 7.91


class PhantomConfig(BaseModel):
    """Parameters of a simulated segment; the same parameters give the same voxels.

    Grey values are on the 8-bit scale. Lengths are in voxels of `BASE_VOXEL_UM` unless stated otherwise: pixels in the
    plane, layers in depth.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(ge=0, description="seed of all random choices")
    height: int = Field(512, ge=16, description="height of the segment in pixels of the scan")
    width: int = Field(512, ge=16, description="width of the segment in pixels of the scan")
    depth_layers: int = Field(65, ge=9, description="number of depth layers; the surface is near the middle one")
    voxel_size_um: float = Field(
        BASE_VOXEL_UM, ge=2, le=32, description="voxel size of the scan; it scales all lengths below"
    )
    reversed_depth: bool = Field(False, description="whether the layers are stored in reverse, as in many segments")

    surface_wander: float = Field(
        2.5, ge=0, description="standard deviation of the surface's depth; deviations are limited to three of them"
    )
    surface_offset: float = Field(0.0, description="depth of the whole surface below the middle layer")
    sheet_thickness: float = Field(14.0, gt=0, description="thickness of the sheet, measured at half of its peak")
    letter_height: float = Field(170.0, gt=0, description="height of a capital letter")
    stroke_width: float = Field(26.0, gt=0, description="width of a pen stroke")
    ink_thickness: float = Field(1.0, ge=0, description="thickness of the ink deposit before flaking")
    ink_contrast: float = Field(8.0, description="grey values by which ink is brighter than the mean grey of papyrus")
    ink_texture: float = Field(
        0.0,
        ge=0,
        description="grey values between the plates of ink and the cracks around them, at the same mean",
    )
    blank: bool = Field(False, description="whether the sheet bears no ink at all; nothing else changes")
    flaked: float = Field(0.15, ge=0, le=1, description="share of ink plates that have fallen off")
    missing: float = Field(0.02, ge=0, lt=1, description="share of the sheet that is missing")
    missing_fibres: float = Field(
        0.0, ge=0, lt=1, description="share of the surface that lost its fibres, and the ink on them"
    )
    ragged_edge: float = Field(14.0, ge=0, description="mean width of the empty margin around the papyrus, in pixels")
    noise: float = Field(1.6, ge=0, description="standard deviation of the detector's noise")
    rings: float = Field(1.5, ge=0, description="amplitude of ring artefacts")
    specks_per_megapixel: float = Field(100.0, ge=0, description="number of bright specks per megapixel and layer")
    label_shift: float = Field(
        0.0, ge=0, description="distance between the drawn labels and the ink, in pixels of the scan"
    )
    reviewed: float = Field(1.0, gt=0, le=1, description="share of the segment that has been reviewed")

    @property
    def scale(self) -> float:
        """Number of voxels of this scan along an edge of `BASE_VOXEL_UM`."""
        return BASE_VOXEL_UM / self.voxel_size_um

    @classmethod
    def varied(cls, seed: int, height: int = 512, width: int = 512, depth_layers: int = 65) -> PhantomConfig:
        """Return parameters with random handwriting, ink, sheet and scan, which differ between segments, too."""
        # Streams 1 and 3 draw parameters, 2 labels and 4 torn fibres: a draw more in one changes none of the others.
        rng = np.random.default_rng([seed, 1])
        letter_height = float(rng.uniform(120, 240))
        return cls(
            seed=seed,
            height=height,
            width=width,
            depth_layers=depth_layers,
            surface_wander=float(rng.uniform(1.5, 3.2)),
            sheet_thickness=float(rng.uniform(11, 17)),
            letter_height=letter_height,
            # A pen broad for its letters would close their loops.
            stroke_width=letter_height * float(rng.uniform(0.13, 0.19)),
            ink_thickness=float(rng.uniform(0.8, 1.5)),
            ink_contrast=float(rng.uniform(4, 14)),
            flaked=float(rng.uniform(0.05, 0.3)),
            missing=float(rng.uniform(0.005, 0.04)),
            ragged_edge=float(rng.uniform(0, 25)),
            noise=float(rng.uniform(1, 2.4)),
            rings=float(rng.uniform(0.5, 2.5)),
            specks_per_megapixel=float(rng.uniform(0, 140)),
        )

    @classmethod
    def hard(cls, seed: int, height: int = 512, width: int = 512, depth_layers: int = 65) -> PhantomConfig:
        """Return parameters of thin, cracked ink with little contrast, on a torn sheet in a noisy scan."""
        rng = np.random.default_rng([seed, 3])
        return cls.varied(seed, height, width, depth_layers).model_copy(
            update={
                "surface_wander": float(rng.uniform(2.0, 3.5)),
                "surface_offset": float(rng.uniform(-3, 3)),
                "ink_thickness": float(rng.uniform(0.1, 0.4)),
                # Both signs, as "bright is ink" must not be a rule that a model can learn.
                "ink_contrast": float(rng.uniform(-8, 4)),
                "ink_texture": float(rng.uniform(5, 13)),
                "flaked": float(rng.uniform(0.15, 0.4)),
                "missing": float(rng.uniform(0.01, 0.06)),
                "missing_fibres": float(rng.uniform(0.03, 0.15)),
                "noise": float(rng.uniform(2.0, 4.0)),
                "rings": float(rng.uniform(1.5, 4.0)),
                "specks_per_megapixel": float(rng.uniform(50, 300)),
            }
        )
