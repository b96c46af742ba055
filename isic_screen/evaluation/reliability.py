"""Do the probabilities hold? Brier score, calibration error and reliability bins, at a stated prevalence.

The probabilities are calibrated at a stated prevalence (1.8 %), but a sample may hold 51 % melanomas. So images are
weighted until melanomas make up the stated share: each melanoma by ``prevalence / melanomas``, each other image by
``(1 - prevalence) / others``. A mean over the weighted sample is then
``prevalence * mean over melanomas + (1 - prevalence) * mean over others``. It estimates what would be seen in a
population with that prevalence, if melanomas and others look there as they do here.

Shapes: N images, B bins, R resamples. Undefined is nan.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isic_screen.evaluation.counts import Floats, ratio
from isic_screen.operating_point import wilson

BINS = 10


def class_means(values: NDArray[np.generic], is_melanoma: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Weighted means (R, K) of `values` (N, K) over melanomas and over others, with `weights` (R, N)."""
    means = []
    for members in (is_melanoma, ~is_melanoma):
        chosen = weights[:, members]
        means.append(ratio(chosen @ values[members].astype(float), chosen.sum(axis=1, keepdims=True)))
    return means[0], means[1]


def bin_of(probabilities: Floats, bins: int = BINS) -> NDArray[np.intp]:
    """Which bin (N,) each image falls in: `bins` bins of equally many images, fewer where scores are equal."""
    if not len(probabilities):
        return np.zeros(0, dtype=np.intp)
    edges = np.quantile(probabilities, np.arange(1, bins) / bins)
    return np.unique(np.searchsorted(edges, probabilities, side="right"), return_inverse=True)[1]


@dataclass(frozen=True)
class Calibratedness:
    """Measures of calibration, one a resample, shape (R,)."""

    brier: Floats
    calibration_error: Floats
    mean_probability: Floats


def calibratedness(
    probabilities: Floats,
    is_melanoma: NDArray[np.bool_],
    weights: Floats,
    *,
    prevalence: float,
    membership: NDArray[np.intp],
) -> Calibratedness:
    """Brier score, expected calibration error over the bins of `membership` (N,), and mean probability.

    The calibration error is the sum over bins of the bin's share of people times the gap between its mean probability
    and its share of melanomas (Naeini et al., AAAI 2015); everything at the stated prevalence.
    """
    residuals = probabilities - is_melanoma
    # A bin's share of people times its gap is the mean, over everybody, of the residuals inside the bin.
    by_bin = residuals[:, None] * (membership[:, None] == np.arange(membership.max(initial=-1) + 1))
    columns = np.column_stack([residuals**2, probabilities, by_bin])
    over_melanomas, over_others = class_means(columns, is_melanoma, weights)
    means = prevalence * over_melanomas + (1 - prevalence) * over_others
    return Calibratedness(means[:, 0], np.abs(means[:, 2:]).sum(axis=1), means[:, 1])


@dataclass(frozen=True)
class ReliabilityBin:
    """One point of the reliability diagram: what was said, what was seen (at the prevalence), with a 95 % interval."""

    predicted: float
    observed: float
    low: float
    high: float
    images: int
    melanomas: int


def reliability_bins(
    probabilities: Floats, is_melanoma: NDArray[np.bool_], *, prevalence: float, bins: int = BINS
) -> list[ReliabilityBin]:
    """Bins of equally many images, lowest first; empty when there is one class only.

    The interval is Wilson's for the bin's count in the sample, moved with it: weighting multiplies the odds of
    melanoma by ``prevalence / (1 - prevalence) * others / melanomas``.
    """
    melanomas, others = int(is_melanoma.sum()), int((~is_melanoma).sum())
    if not melanomas or not others:
        return []
    odds = prevalence / (1 - prevalence) * others / melanomas

    def moved(share: float | None) -> float:
        assert share is not None  # no bin is empty
        return share * odds / (share * odds + 1 - share)

    weight = np.where(is_melanoma, odds, 1.0)
    membership = bin_of(probabilities, bins)
    points = []
    for index in range(membership.max() + 1):
        inside = membership == index
        counted = wilson(int(is_melanoma[inside].sum()), int(inside.sum()))
        points.append(
            ReliabilityBin(
                predicted=float(np.average(probabilities[inside], weights=weight[inside])),
                observed=moved(counted.value),
                low=moved(counted.low),
                high=moved(counted.high),
                images=counted.total,
                melanomas=counted.count,
            )
        )
    return points
