"""Safe reading of Zarr from other programs: regular files, chunks of bounded size, and any separator in their names.

Importing this package imports zarr, which is slow: import it in the functions that use it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
