"""What a phantom is made from: its size, its seed, and how hard its ink is to see."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class PhantomConfig(BaseModel):
    """A simulated segment; the same values make the same voxels.

    Greys are on the 8-bit scale that scans are usually shown in, lengths in the plane in pixels, depths in layers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(ge=0, description="what every random choice follows from")
    height: int = Field(512, ge=16, description="pixels")
    width: int = Field(512, ge=16, description="pixels")
    depth_layers: int = Field(65, ge=9, description="the surface lies in the middle one")
    voxel_size_um: float = Field(7.91, gt=0, description="micrometres; only written down, it changes nothing")

    surface_wander: float = Field(2.5, ge=0, description="standard deviation of the surface's depth, cut at 3 of them")
    sheet_thickness: float = Field(14.0, gt=0, description="of the sheet at half height")
    letter_height: float = Field(170.0, gt=0, description="of a capital")
    stroke_width: float = Field(26.0, gt=0, description="of the pen")
    ink_thickness: float = Field(1.0, ge=0, description="of the deposit, before flaking")
    ink_contrast: float = Field(8.0, description="how much brighter ink is than the middle grey of papyrus")
    flaked: float = Field(0.15, ge=0, le=1, description="share of the ink's plates that have fallen off")
    missing: float = Field(0.02, ge=0, lt=1, description="share of the sheet that has fallen out")
    ragged_edge: float = Field(14.0, ge=0, description="mean width of the empty margin around the papyrus, in pixels")
    noise: float = Field(1.6, ge=0, description="standard deviation of the detector's noise")
    rings: float = Field(1.5, ge=0, description="amplitude of ring artefacts")
    specks_per_megapixel: float = Field(100.0, ge=0, description="bright specks a layer")

    @classmethod
    def varied(cls, seed: int, height: int = 512, width: int = 512, depth_layers: int = 65) -> PhantomConfig:
        """Return a phantom whose hand, ink, sheet and scan are drawn from the seed too, as segments differ in them."""
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
