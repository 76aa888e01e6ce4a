"""Tensors in, ink and edge logits out: the network, its input contract, its losses and its checkpoints.

`napari_ink.model.network` and `napari_ink.model.losses` hold what needs torch; what is named here is quick to import.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
