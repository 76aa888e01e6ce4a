"""A papyrus with known ink, made from a seed: a simulation for trying, training and testing."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
