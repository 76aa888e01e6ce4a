from .config import PhantomConfig
from .segment import sample_path, write_segment
from .sets import SETS, set_config
from .volume import Phantom, make_phantom

__all__ = ["SETS", "Phantom", "PhantomConfig", "make_phantom", "sample_path", "set_config", "write_segment"]
