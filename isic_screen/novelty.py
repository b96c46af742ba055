"""How unlike the training photos a photo is, from the same forward pass.

A Gaussian is fitted to `Whole.style` of training photos, the mean and spread of the channels of a middle stage of the
network (see network.py): the last features are made to tell melanomas from nevi, and see a cat as one or the other,
while those in the middle still see fur. It has its largest principal axes with a variance each, and one variance for
all the others (probabilistic PCA: Tipping and Bishop, J R Stat Soc B 61, 1999), of features scaled to unit variance.
The distance is Mahalanobis' to its mean. `python -m benchmarks.novelty` measures what it stops and what it lets
through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isic_screen.network import Whole

AXES = 256
"""At most: the features of the bundled network are fewer, and none is left out."""
_FLOOR = 0.1  # added to every variance, that of a feature being 1: the smallest ones are noise
KNOWN_SHARE = 0.98
"""Share of the held-out dermoscopy photos of every source that are nearer than the shipped cut-off, at least."""
REFUSED_FROM = 1.5
"""Times the cut-off. From the cut-off on a photo is doubtful, and from here on refused. Between them lie cats, but also
photos of cameras that the training data lack, and sharper copies of training photos: refusing these costs more than
answering a cat with a warning. A margin of about a tenth over the farthest held-out photo, which lies at 1.32."""


def cut_off_of(distances: NDArray[np.float64], sources: NDArray[np.str_]) -> float:
    """The distance below which KNOWN_SHARE of the photos of every source lie; `distances` and `sources` are (N,).

    Of every source, as the ones with few photos would otherwise bear most of the refusals.
    """
    return max(float(np.quantile(distances[sources == source], KNOWN_SHARE)) for source in np.unique(sources))


@dataclass(frozen=True)
class Novelty:
    """The fitted Gaussian of features divided by `scale` (C,): `mean` (C,), `axes` (k, C) orthonormal, their
    `variances` (k,), and `rest`, that of the other axes.

    `cut_off`: the distance from which a photo counts as unlike the training photos.
    """

    mean: Tensor
    scale: Tensor
    axes: Tensor
    variances: Tensor
    rest: Tensor
    cut_off: Tensor

    @classmethod
    def fit(cls, features: NDArray[np.float32], cut_off: float = float("inf"), axes: int = AXES) -> Self:
        """Fit to features (N, C) of training photos; N and C have to be above the number of axes.

        Raises ValueError when there are too few photos, or the features are not finite.
        """
        count, channels = features.shape
        if min(count, channels) <= axes + 1:
            raise ValueError(f"{axes} axes need more than {axes + 1} photos and features, got {features.shape}")
        if not np.isfinite(features).all():
            raise ValueError("features hold values that are not numbers")
        scale = features.std(0, dtype=np.float64).clip(min=1e-6)
        scaled = features / scale
        mean = scaled.mean(0)
        centred = scaled - mean
        # The covariance of a few hundred features is small; a decomposition of thousands of rows is not.
        values, vectors = np.linalg.eigh(centred.T @ centred / (count - 1))
        values, vectors = values[::-1].clip(min=0) + _FLOOR, vectors[:, ::-1]
        rest = values[axes:].mean()
        return cls(
            torch.from_numpy(mean).float(),
            torch.from_numpy(scale).float(),
            torch.from_numpy(vectors[:, :axes].T.copy()).half().float(),  # as it is stored
            torch.from_numpy(values[:axes].copy()).float(),
            torch.tensor(float(rest)),
            torch.tensor(float(cut_off)),
        )

    def with_cut_off(self, cut_off: float) -> Self:
        """The same Gaussian with another cut-off."""
        return replace(self, cut_off=torch.tensor(float(cut_off)))

    def distance(self, features: Tensor) -> Tensor:
        """Distances (N,), 0 or more, of features (N, C); about 1 for a typical training photo.

        Divided by the root of the number of features, so that networks of different widths compare.
        """
        centred = features.float() / self.scale.to(features.device) - self.mean.to(features.device)
        along = centred @ self.axes.to(features.device).T
        beside = (centred.square().sum(1) - along.square().sum(1)).clamp_min(0)
        squared = (along.square() / self.variances.clamp_min(1e-12).to(features.device)).sum(1)
        squared = squared + beside / self.rest.to(features.device)
        return (squared / features.shape[1]).sqrt()

    def share_of_cut_off(self, seen: Whole) -> Tensor:
        """Distances (N,) of what a network saw, as shares of the cut-off: from 1 on, unlike the training photos."""
        # Files of version 2 measured the pooled features.
        looked_at = seen.style if seen.style.shape[1] == len(self.mean) else seen.features
        return self.distance(looked_at) / self.cut_off.to(looked_at.device)

    def tensors(self) -> dict[str, Tensor]:
        """What a model file stores; `from_tensors` reads it back."""
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "axes": self.axes.half()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Raises ValueError when tensors are missing or of shapes that do not fit each other."""
        if "scale" not in tensors and "mean" in tensors:  # files of version 2, which scaled nothing
            tensors = {**tensors, "scale": torch.ones_like(tensors["mean"])}
        if set(tensors) != {field.name for field in fields(cls)}:
            raise ValueError(f"novelty tensors missing or unknown: {', '.join(sorted(tensors))}")
        found = cls(**{name: tensor.float() for name, tensor in tensors.items()})
        shapes = (
            found.mean.shape,
            found.scale.shape,
            found.axes.shape,
            found.variances.shape,
            found.rest.shape,
            found.cut_off.shape,
        )
        axes, channels = found.axes.shape if found.axes.ndim == 2 else (0, 0)
        if shapes != ((channels,), (channels,), (axes, channels), (axes,), (), ()) or not axes:
            raise ValueError(f"novelty tensors do not fit each other: {', '.join(str(tuple(s)) for s in shapes)}")
        return found
