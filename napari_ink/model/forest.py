"""Forests of decision trees as tensors, so that a checkpoint can hold one and torch can evaluate it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

_DEEPEST = 1000  # a file states the depth, and each step of it takes time at every cell
_NOT_BY_NODE = ("roots", "depth", "blend")
FOREST_DTYPES = {
    "roots": torch.int64,
    "depth": torch.int64,
    "left": torch.int32,
    "right": torch.int32,
    "feature": torch.int32,
    "threshold": torch.float64,
    "value": torch.float32,
    "blend": torch.float32,
}


class Forest(nn.Module):
    """The mean of the probabilities of many trees.

    All trees lie one after the other in the same tensors; a leaf leads to itself.

    Parameters
    ----------
    roots, depth
        Index of each tree's first node, int64 ``(t,)``, and the most steps from a root to a leaf, int64.
    left, right
        Indices of the next nodes, int32 ``(n,)``: where a feature is at most the threshold, and where it is greater.
    feature, threshold
        Number of each node's feature, int32 ``(n,)``, and its threshold, float64 ``(n,)`` as in scikit-learn.
    value
        Probability at each node, float32 ``(n,)``, of which those of leaves count.
    blend
        Weight of the forest's logits against those of the network that it was fitted to, 0 to 1, float32.
    """

    roots: Tensor
    depth: Tensor
    left: Tensor
    right: Tensor
    feature: Tensor
    threshold: Tensor
    value: Tensor
    blend: Tensor

    def __init__(self, **tensors: Tensor) -> None:
        super().__init__()
        for name in FOREST_DTYPES:
            self.register_buffer(name, tensors[name])

    @classmethod
    def of_scikit_learn(cls, forest: Any, blend: float = 1.0) -> Self:
        """Return the same forest as a fitted classifier of scikit-learn with two classes."""
        trees = [tree.tree_ for tree in forest.estimators_]
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        own = [np.arange(tree.node_count) for tree in trees]
        is_leaf = [tree.children_left < 0 for tree in trees]

        def joined(parts: list[Any], dtype: Any) -> Tensor:
            return torch.from_numpy(np.concatenate(parts).astype(dtype))

        # All rows take the same number of steps, so a row that has reached its leaf must stay there.
        lefts = [np.where(leaf, i, tree.children_left) for leaf, i, tree in zip(is_leaf, own, trees, strict=True)]
        rights = [np.where(leaf, i, tree.children_right) for leaf, i, tree in zip(is_leaf, own, trees, strict=True)]
        return cls(
            roots=torch.from_numpy(starts[:-1].astype(np.int64)),
            depth=torch.tensor(max(tree.max_depth for tree in trees)),
            left=joined([part + start for part, start in zip(lefts, starts[:-1], strict=True)], np.int32),
            right=joined([part + start for part, start in zip(rights, starts[:-1], strict=True)], np.int32),
            # scikit-learn gives leaves the feature −2, which cannot be looked up.
            feature=joined([np.maximum(tree.feature, 0) for tree in trees], np.int32),
            threshold=joined([tree.threshold for tree in trees], np.float64),
            # Counts before scikit-learn 1.3, and shares since; divided, both are shares.
            value=joined([tree.value[:, 0, 1] / tree.value[:, 0].sum(axis=1) for tree in trees], np.float32),
            blend=torch.tensor(blend),
        )

    def check(self, features: int) -> None:
        """Refuse tensors that are no forest on `features` features, before any of them is used as an index.

        Raises
        ------
        ValueError
            If a dtype, a size or an index is wrong.
        """
        nodes = self.left.shape
        for name, dtype in FOREST_DTYPES.items():
            tensor = getattr(self, name)
            if tensor.dtype != dtype or (name not in _NOT_BY_NODE and tensor.shape != nodes):
                raise ValueError(f"the forest's {name} is {tensor.dtype} of {tuple(tensor.shape)}")
        has_axes = len(nodes) == self.roots.ndim == 1 and self.depth.ndim == self.blend.ndim == 0
        if not has_axes or not len(self.left) or not len(self.roots):
            raise ValueError("the forest has no nodes")
        ends = {"roots": len(self.left), "left": len(self.left), "right": len(self.left), "feature": features}
        for name, end in ends.items():
            indices = getattr(self, name)
            # A negative index would count from the end, and give wrong values without an error.
            if int(indices.min()) < 0 or int(indices.max()) >= end:
                raise ValueError(f"the forest's {name} lies outside of 0 to {end - 1}")
        if not 0 <= float(self.blend) <= 1:
            raise ValueError(f"the forest's blend is {float(self.blend)}")
        if not 0 <= int(self.depth) <= _DEEPEST:
            raise ValueError(f"the forest is {int(self.depth)} nodes deep")

    def forward(self, rows: Tensor) -> Tensor:
        """Return the probabilities ``(n,)``, float32, for features ``(n, c)``."""
        total = torch.zeros(len(rows), dtype=torch.float32, device=rows.device)
        numbers = torch.arange(len(rows), device=rows.device)
        for root in self.roots.tolist():
            node = torch.full((len(rows),), root, dtype=torch.int32, device=rows.device)
            for _ in range(int(self.depth)):
                goes_left = rows[numbers, self.feature[node]] <= self.threshold[node]
                node = torch.where(goes_left, self.left[node], self.right[node])
            total += self.value[node]
        mean: Tensor = total / len(self.roots)
        return mean
