from .address import address_path, is_address
from .arrays import stack_of_array
from .beside import (
    SegmentFiles,
    find_beside,
    find_mask_of_labels,
)
from .coarse_sample import CoarseSample, sample_of
from .coarse_stack import level_step, plane_means
from .conversion import Converted, convert
from .depth_stack import DepthStack, Level
from .grey_range import GreyFill, grey_fill, grey_note, suggested_range
from .local_texture import LOCAL_FIGURES, local_figures, place_side, place_slices, sampled_figures
from .mask import InkFile, SegmentMask, read_ink, read_mask, read_segment_mask
from .opening import LAYER_FOLDERS, open_stack, suffix_of
from .origin import is_phantom, texture_figures
from .plane import StoredPlane, as_plane, crop_plane, open_numpy
from .plane_opening import opened_plane
from .projected import projected_levels
from .projection import HOWS, How, project_layers
from .tiles import Tiles, viewing_levels
from .zarr_plane import SURFACE_Z, ZarrPlane, open_zarr_plane
from .zarr_stack import holds_zarr

__all__ = [
    "LOCAL_FIGURES",
    "local_figures",
    "place_side",
    "place_slices",
    "sampled_figures",
    "HOWS",
    "LAYER_FOLDERS",
    "SURFACE_Z",
    "CoarseSample",
    "Converted",
    "DepthStack",
    "GreyFill",
    "How",
    "InkFile",
    "Level",
    "SegmentFiles",
    "SegmentMask",
    "StoredPlane",
    "Tiles",
    "ZarrPlane",
    "address_path",
    "as_plane",
    "convert",
    "crop_plane",
    "find_beside",
    "find_mask_of_labels",
    "grey_fill",
    "grey_note",
    "holds_zarr",
    "is_address",
    "is_phantom",
    "level_step",
    "open_numpy",
    "open_stack",
    "open_zarr_plane",
    "opened_plane",
    "plane_means",
    "project_layers",
    "projected_levels",
    "read_ink",
    "read_mask",
    "read_segment_mask",
    "sample_of",
    "stack_of_array",
    "suffix_of",
    "texture_figures",
    "suggested_range",
    "viewing_levels",
]
