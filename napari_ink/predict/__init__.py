"""Prediction: from a stack and a model to a prediction store, tile by tile, with blending and resuming.

Importing this package is quick; torch and zarr are imported when a prediction starts or a store is opened.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
