"""What the loop trains on: cached features, or images that go through the backbone afresh.

Order, views and augmentation depend on the seed, the epoch and the image alone, so a resumed run repeats exactly what
an uninterrupted one would have done.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isic_screen.data.images import read_photos
from isic_screen.errors import PhotoError, TrainingError
from isic_screen.network import InputSpec
from isic_screen.training.augmentation import Augmentation


class Batches(Protocol):
    """A part of the data set, with `targets` (N,) of 0 and 1."""

    @property
    def targets(self) -> NDArray[np.int64]: ...

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        ...

    def training(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffled, augmented inputs with float targets (B,)."""
        ...

    def plain(self) -> Iterator[Tensor]:
        """Inputs in order, as they are served."""
        ...


def _shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)


@dataclass(frozen=True)
class FeatureBatches:
    """Batches of cached features `views` (rows, 1 + k, C), of which the part has the rows `indices`."""

    views: NDArray[np.float32]
    indices: NDArray[np.int64]
    targets: NDArray[np.int64]
    batch_size: int
    seed: int

    def __len__(self) -> int:
        return -(-len(self.indices) // self.batch_size)

    def training(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = _shuffled(len(self.indices), self.seed, epoch)
        # Another stream than the order's, so that the view an image gets does not depend on its place.
        view = np.random.default_rng([self.seed, epoch, 1]).integers(1, self.views.shape[1], len(order))
        for chosen in np.split(order, range(self.batch_size, len(order), self.batch_size)):
            features = self.views[self.indices[chosen], view[chosen]]
            yield torch.from_numpy(features), torch.from_numpy(self.targets[chosen]).float()

    def plain(self) -> Iterator[Tensor]:
        for start in range(0, len(self.indices), 4096):
            yield torch.from_numpy(self.views[self.indices[start : start + 4096], 0])


@dataclass(frozen=True)
class ImageBatches:
    """Batches of images (B, 3, size, size), decoded and augmented afresh in every epoch."""

    paths: Sequence[str]
    targets: NDArray[np.int64]
    spec: InputSpec
    augmentation: Augmentation
    batch_size: int
    seed: int
    workers: int

    def __len__(self) -> int:
        return -(-len(self.paths) // self.batch_size)

    def training(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = _shuffled(len(self.paths), self.seed, epoch)
        for batch, chosen in self._tensors(order, epoch):
            yield batch, torch.from_numpy(self.targets[chosen]).float()

    def plain(self) -> Iterator[Tensor]:
        for batch, _ in self._tensors(np.arange(len(self.paths)), epoch=None):
            yield batch

    def _tensors(self, order: NDArray[np.int64], epoch: int | None) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
        waiting: list[Tensor] = []
        for place, resized in read_photos([self.paths[row] for row in order], self.spec.resize, self.workers):
            if isinstance(resized, PhotoError):  # unreadable images were set aside before: this one changed since
                raise TrainingError(f"An image became unreadable during training: {resized}")
            if epoch is not None:
                resized = self.augmentation(resized, np.random.default_rng([self.seed, epoch, int(order[place])]))
            waiting.append(self.spec.tensor(resized))
            if len(waiting) == self.batch_size or place == len(order) - 1:
                yield torch.stack(waiting), order[place + 1 - len(waiting) : place + 1]
                waiting.clear()
