"""Training of a network on stacks and labels: sampling, augmentation, the training loop and its log."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
