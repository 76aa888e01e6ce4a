"""A depth stack, wherever it lies: opened from its headers, read a block at a time; and the masks beside it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
