"""The four steps of the dock: each renders the session's state, and says what its user asks for."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
