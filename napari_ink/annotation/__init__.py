"""Labels: their values, their storage in projects, and the algorithms of the tools that change them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
