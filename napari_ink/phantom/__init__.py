"""Simulated papyrus with known ink, generated from a seed, for demonstration, training and tests."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
