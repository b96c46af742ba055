"""What the loop trains on: cached features, or images that go through the backbone afresh.

Order, views and augmentation depend on the seed, the epoch and the image alone, so a resumed run repeats exactly what
an uninterrupted one would have done, and several processes do together what one does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isic_screen.data.images import read_photos
from isic_screen.errors import PhotoError, TrainingError
from isic_screen.network import InputSpec
from isic_screen.processes import ALONE, Processes
from isic_screen.training.augmentation import Augmentation


class Batches(Protocol):
    """A part of the data set, with `targets` (N,) of 0 and 1."""

    @property
    def targets(self) -> NDArray[np.int64]: ...

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        ...

    def training(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        """This process's share of shuffled, augmented inputs with float targets (b,), and the size B of the batch."""
        ...

    def plain(self) -> Iterator[Tensor]:
        """This process's share of the part, in order and as it is served."""
        ...


def _shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)


def _batches(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


@dataclass(frozen=True)
class FeatureBatches:
    """Batches of cached features `views` (rows, 1 + k, C), of which the part has the rows `indices`."""

    views: NDArray[np.float32]
    indices: NDArray[np.int64]
    targets: NDArray[np.int64]
    batch_size: int
    seed: int
    processes: Processes = ALONE

    def __len__(self) -> int:
        return -(-len(self.indices) // self.batch_size)

    def training(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        order = _shuffled(len(self.indices), self.seed, epoch)
        # Another stream than the order's, so that the view an image gets does not depend on its place.
        view = np.random.default_rng([self.seed, epoch, 1]).integers(1, self.views.shape[1], len(order))
        for batch in _batches(order, self.batch_size):
            chosen = batch[self.processes.share(len(batch))]
            features = self.views[self.indices[chosen], view[chosen]]
            yield torch.from_numpy(features), torch.from_numpy(self.targets[chosen]).float(), len(batch)

    def plain(self) -> Iterator[Tensor]:
        for rows in _batches(self.indices[self.processes.share(len(self.indices))], 4096):
            yield torch.from_numpy(self.views[rows, 0])


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
    processes: Processes = ALONE

    def __len__(self) -> int:
        return -(-len(self.paths) // self.batch_size)

    def training(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        order = _shuffled(len(self.paths), self.seed, epoch)
        batches = list(_batches(order, self.batch_size))
        shares = [batch[self.processes.share(len(batch))] for batch in batches]
        for whole, chosen, tensor in zip(batches, shares, self._tensors(shares, epoch), strict=True):
            yield tensor, torch.from_numpy(self.targets[chosen]).float(), len(whole)

    def plain(self) -> Iterator[Tensor]:
        rows = np.arange(len(self.paths))[self.processes.share(len(self.paths))]
        yield from self._tensors(list(_batches(rows, self.batch_size)), epoch=None)

    def _tensors(self, batches: Sequence[NDArray[np.int64]], epoch: int | None) -> Iterator[Tensor]:
        """Images (b, 3, size, size) of these rows, batch by batch."""
        rows = [int(row) for batch in batches for row in batch]
        photos = read_photos([self.paths[row] for row in rows], self.spec.resize, self.workers)
        for batch in batches:
            tensors = []
            for place, resized in islice(photos, len(batch)):
                if isinstance(resized, PhotoError):  # unreadable images were set aside before: this one changed since
                    raise TrainingError(f"An image became unreadable during training: {resized}")
                if epoch is not None:
                    resized = self.augmentation(resized, np.random.default_rng([self.seed, epoch, rows[place]]))
                tensors.append(self.spec.tensor(resized))
            # The last batch may be too small for every process to have an image of it.
            yield torch.stack(tensors) if tensors else torch.empty(0, 3, self.spec.size, self.spec.size)
