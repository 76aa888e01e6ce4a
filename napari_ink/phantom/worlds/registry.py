"""The worlds by name, the phantom of a world and a seed, and the published seeds of each world."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from napari_ink.phantom.config import BASE_VOXEL_UM
from napari_ink.phantom.worlds import clouds, foam, gaussian, laminae, swirls, tubes, veins, weave
from napari_ink.phantom.worlds.frame import (
    Canvas,
    Storage,
    World,
    WorldConfig,
    WorldPhantom,
    drawn_voxel_size,
    outline,
)

WORLDS: Mapping[str, World] = MappingProxyType(
    {
        "gaussian": World(
            0,
            "Gaussian fibre fields",
            "plates of carbon, thick to thin, a little brighter to darker, or only rougher",
            "Greek capitals",
            "white noise, rings, specks",
            (4.8, 9.6),
            gaussian.build,
        ),
        "tubes": World(
            1,
            "hollow fibres, drawn one by one",
            "soaked in: fills hollow fibres",
            "cursive loops, broad nib",
            "white noise, rings, specks; smooth wander, tilt",
            (4.8, 9.6),
            tubes.build,
        ),
        "veins": World(
            2,
            "Gabor noise, its crests drawn out into veins",
            "only rougher: grain of mean 0",
            "signs of a random grammar",
            "streaks, beam hardening, coloured noise; steps",
            (2.4, 9.6),
            veins.build,
        ),
        "foam": World(
            3,
            "cells with thin walls",
            "a darker film on the face: cracked, flaked",
            "branching signs of an L-system",
            "halos, cupping, noise that grows with the grey; sheets touch",
            (2.4, 9.6),
            foam.build,
        ),
        "weave": World(
            4,
            "woven strips of two plies, of different periods",
            "a raised crust of the same grey; crumbs elsewhere",
            "printed type, warped",
            "rings, noise that grows with the grey; jumps to the next sheet",
            (2.4, 9.6),
            weave.build,
        ),
        "swirls": World(
            5,
            "noise stretched along one direction, then warped",
            "mats the fibres: smoother at the same mean",
            "arcs, bars and dots, in columns",
            "halos, coloured noise; tilt",
            (2.4, 9.6),
            swirls.build,
        ),
        "clouds": World(
            6,
            "1/f noise without fibres, creases",
            "dense grains, in the strokes and fewer elsewhere",
            "a brush, blots",
            "strong blur, cupping, noise that grows with the grey; wander, tilt",
            (4.0, 9.6),
            clouds.build,
        ),
        "laminae": World(
            7,
            "leaves upon each other, parted by seams",
            "none: a seam under the first leaf, which it lifted",
            "wedges between ruled lines",
            "rings, streaks, white noise; steps",
            (2.4, 9.6),
            laminae.build,
        ),
    }
)


def make_world_phantom(
    world: str,
    seed: int,
    height: int = 512,
    width: int = 512,
    depth_layers: int = 65,
    blank: bool = False,
    *,
    reference_scan: bool = False,
) -> WorldPhantom:
    """Simulate a segment of a world; the same arguments give the same voxels.

    Parameters
    ----------
    world
        One of `WORLDS`.
    seed
        Seed of all random choices.
    height, width, depth_layers
        Size in voxels.
    blank
        Whether the sheet bears no ink: nothing else changes.
    reference_scan
        Whether voxel size, greys and margin are those of the published crops, for comparisons with them, instead of
        drawn from the seed.

    Raises
    ------
    ValueError
        If there is no such world.
    """
    if world not in WORLDS:
        raise ValueError(f"There is no world {world!r}; the worlds are {', '.join(WORLDS)}.")
    made = WORLDS[world]
    voxel_um = BASE_VOXEL_UM if reference_scan else drawn_voxel_size(made, seed)
    canvas = Canvas(seed, made.number, (depth_layers, height, width), voxel_um, blank)
    papyrus = made.build(canvas)
    storage = Storage() if reference_scan else Storage.drawn(canvas)
    volume = storage.store(papyrus.greys)
    mask = np.ones((height, width), dtype=bool) if reference_scan else outline(canvas)
    volume[:, ~mask] = 0
    ink = papyrus.ink & mask
    config = WorldConfig(
        world=world,
        seed=seed,
        height=height,
        width=width,
        depth_layers=depth_layers,
        voxel_size_um=voxel_um,
        blank=blank,
        reference_scan=reference_scan,
        parameters=papyrus.parameters | storage.parameters(),
    )
    return WorldPhantom(volume, ink, mask, ink.copy(), mask.copy(), config)
