"""Mixup: each image of a batch is blended with its neighbour, and the lesson with that of the neighbour.

Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018.
"""

import numpy as np
import torch
from torch import Tensor


def swapped(pairs: Tensor) -> Tensor:
    """A batch (N, ...) with the first and second of each two neighbours in each other's place."""
    return pairs.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


def own_shares(mixup: float, count: int, random: np.random.Generator) -> Tensor:
    """How much of each of `count` images stays itself, at least half; the rest will be its neighbour (`swapped`)."""
    if not mixup:
        return torch.ones(count)
    first = random.beta(mixup, mixup, count // 2)
    return torch.from_numpy(np.maximum(first, 1 - first).repeat(2)).float()
