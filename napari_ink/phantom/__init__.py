"""A papyrus with known ink, made from a seed: a simulation for trying, training and testing."""

from napari_ink.phantom.config import PhantomConfig
from napari_ink.phantom.segment import sample_path, write_segment
from napari_ink.phantom.sets import SETS, set_config
from napari_ink.phantom.volume import Phantom, make_phantom

__all__ = ["SETS", "Phantom", "PhantomConfig", "make_phantom", "sample_path", "set_config", "write_segment"]
