"""A depth stack, wherever it lies: opened from its headers, read a block at a time; and the masks beside it."""

from napari_ink.stack.arrays import stack_of_array
from napari_ink.stack.beside import (
    SegmentFiles,
    find_beside,
    find_mask_of_labels,
)
from napari_ink.stack.convert import Converted, convert
from napari_ink.stack.depth_stack import DepthStack, Level
from napari_ink.stack.grey_range import GreyFill, grey_fill, grey_note, suggested_range
from napari_ink.stack.mask import SegmentMask, read_mask, read_segment_mask
from napari_ink.stack.opening import LAYER_FOLDERS, open_stack
from napari_ink.stack.plane import crop_plane, read_plane
from napari_ink.stack.projected import projected_levels
from napari_ink.stack.projection import HOWS, How, project_layers
from napari_ink.stack.remote import address_path, is_address
from napari_ink.stack.tiles import Tiles, viewing_levels

__all__ = [
    "HOWS",
    "LAYER_FOLDERS",
    "Converted",
    "DepthStack",
    "GreyFill",
    "How",
    "Level",
    "SegmentFiles",
    "SegmentMask",
    "Tiles",
    "address_path",
    "convert",
    "crop_plane",
    "find_beside",
    "find_mask_of_labels",
    "grey_fill",
    "grey_note",
    "is_address",
    "open_stack",
    "project_layers",
    "projected_levels",
    "read_mask",
    "read_plane",
    "read_segment_mask",
    "stack_of_array",
    "suggested_range",
    "viewing_levels",
]
