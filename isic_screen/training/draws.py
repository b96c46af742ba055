"""Where an epoch's images come from: distorted anew for every batch, or maps of the frozen stages from disk."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isic_screen.network import InputSpec
from isic_screen.training.distortion import Part
from isic_screen.training.recipe import FineTuneRecipe
from isic_screen.training.sampling import draw
from isic_screen.training.schedule import size_at
from isic_screen.training.stem import StemRounds

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made in another thread while the one before it is used."""
    end = object()
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(next, items, end)
        while (item := waiting.result()) is not end:
            waiting = other.submit(next, items, end)
            yield item  # type: ignore[misc]


@dataclass(frozen=True)
class Lessons:
    """What teachers say of N images: the probability of melanoma (N,), and of each of DIAGNOSES (N, D)."""

    melanoma: NDArray[np.float32]
    diagnoses: NDArray[np.float32]


@dataclass(frozen=True)
class TrainingImages:
    """What is trained on: rows of a table of `pixels` (M, S, S, 3) uint8.

    `rows` (N,) are places in `pixels`; `targets` (N,) 0 or 1; `diagnoses` (N,) indices in DIAGNOSES or NO_DIAGNOSIS;
    `weights` (N,) how often each is drawn; `groups` (N,) numbers of the camera and class of each, where the loss is
    tilted to the worst of them; `lessons` of the N images, where there are teachers; `stem` the rounds that
    they are drawn in, where the recipe wants it (`weights` are then those of the rounds).
    """

    pixels: NDArray[np.uint8]
    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    diagnoses: NDArray[np.int64]
    weights: NDArray[np.float64]
    lessons: Lessons | None = None
    stem: StemRounds | None = None
    groups: NDArray[np.int64] | None = None


class Draws(Protocol):
    """The images of each epoch (from 1), in whole batches."""

    def steps(self, epoch: int) -> int:
        """How many batches an epoch has."""

    def draw(self, epoch: int, random: np.random.Generator) -> NDArray[np.int64]:
        """What is drawn for an epoch: a number for each image, `batch_size` of them to a step."""

    def places(self, epoch: int, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which of the TrainingImages some of what was drawn is."""

    def inputs(self, epoch: int, drawn: NDArray[np.int64], random: np.random.Generator, part: Part) -> Tensor:
        """What the network is given of one process's `part` of a batch, on the device, channels last."""


@dataclass(frozen=True)
class Distorted:
    """Drawn from the images that are trained on, and distorted for each batch."""

    images: TrainingImages
    recipe: FineTuneRecipe
    spec: InputSpec
    device: torch.device

    def steps(self, epoch: int) -> int:
        return max(1, self.recipe.epoch_images // self.recipe.batch_size)

    def draw(self, epoch: int, random: np.random.Generator) -> NDArray[np.int64]:
        return draw(self.images.weights, self.steps(epoch) * self.recipe.batch_size, random)

    def places(self, epoch: int, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        return drawn

    def inputs(self, epoch: int, drawn: NDArray[np.int64], random: np.random.Generator, part: Part) -> Tensor:
        pixels = self.images.pixels[self.images.rows[drawn]]
        batch = self.recipe.distortion()(pixels, size_at(epoch, self.recipe), self.device, random, part)
        return self.spec.normalise(batch).contiguous(memory_format=torch.channels_last)


class FromStem:
    """Those of a round that may be trained on, in another order each time, as maps of the frozen stages."""

    def __init__(self, images: TrainingImages, stem: StemRounds, batch_size: int, device: torch.device) -> None:
        self.stem, self.batch_size, self.device = stem, batch_size, device
        self.place = np.full(len(images.pixels), -1, np.int64)
        self.place[images.rows] = np.arange(len(images.rows))

    def _usable(self, epoch: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.place[self.stem.of_epoch[epoch - 1].rows] >= 0)

    def steps(self, epoch: int) -> int:
        return len(self._usable(epoch)) // self.batch_size

    def draw(self, epoch: int, random: np.random.Generator) -> NDArray[np.int64]:
        return random.permutation(self._usable(epoch))[: self.steps(epoch) * self.batch_size]

    def places(self, epoch: int, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.place[self.stem.of_epoch[epoch - 1].rows[drawn]]

    def inputs(self, epoch: int, drawn: NDArray[np.int64], random: np.random.Generator, part: Part) -> Tensor:
        return self.stem.of_epoch[epoch - 1].maps(drawn).to(self.device)
