"""A depth stack, wherever it lies: opened from its headers, read a block at a time; and the masks beside it."""

from napari_ink.stack.beside import (
    SegmentFiles,
    crop_plane,
    find_beside,
    find_mask_of_labels,
    read_mask,
    read_plane,
)
from napari_ink.stack.convert import Converted, convert
from napari_ink.stack.depth_stack import DepthStack, Level, Projection
from napari_ink.stack.opening import LAYER_FOLDERS, open_stack
from napari_ink.stack.remote import is_address
from napari_ink.stack.tiles import Tiles, viewing_levels

__all__ = [
    "LAYER_FOLDERS",
    "Converted",
    "DepthStack",
    "Level",
    "Projection",
    "SegmentFiles",
    "Tiles",
    "convert",
    "crop_plane",
    "find_beside",
    "find_mask_of_labels",
    "is_address",
    "open_stack",
    "read_mask",
    "read_plane",
    "viewing_levels",
]
