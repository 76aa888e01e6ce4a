"""Depth stacks of all formats, opened by their headers and read block by block, and masks and labels beside them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
