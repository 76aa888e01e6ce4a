"""Labels that people draw: what they mean, where they are kept, and the tools that change them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
