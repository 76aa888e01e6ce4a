"""Views: the frame and the six steps of the dock, which render the state and emit what the user requests."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
