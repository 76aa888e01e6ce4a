"""A stack and a model in, a prediction store out: tile plan, blending, streaming, resuming.

What is named here is quick to import; torch and zarr come in when a prediction starts or a store is opened.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
