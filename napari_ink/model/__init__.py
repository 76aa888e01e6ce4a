"""Networks that map depth layers to logits of ink and edges, with input contracts, losses and checkpoints.

The names below import quickly; `napari_ink.model.network` and `napari_ink.model.losses` import torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
