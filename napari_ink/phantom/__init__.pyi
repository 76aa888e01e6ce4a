from .config import PhantomConfig
from .segment import sample_path, write_segment
from .sets import SETS, make_set_phantom, set_config, world_sets
from .statistics import scan_statistics
from .volume import Phantom, make_phantom
from .worlds.frame import World, WorldConfig, WorldPhantom
from .worlds.registry import WORLDS, make_world_phantom

__all__ = [
    "SETS",
    "WORLDS",
    "Phantom",
    "PhantomConfig",
    "World",
    "WorldConfig",
    "WorldPhantom",
    "make_phantom",
    "make_set_phantom",
    "make_world_phantom",
    "sample_path",
    "scan_statistics",
    "set_config",
    "world_sets",
    "write_segment",
]
