"""The metrics of the evaluation for one sample in which every image counts once; nan where they are undefined."""

import numpy as np
from numpy.typing import ArrayLike

from isic_screen.evaluation.counts import Counts, Ranking
from isic_screen.evaluation.reliability import BINS, Calibratedness, bin_of, calibratedness


def counts(scores: ArrayLike, targets: ArrayLike) -> Counts:
    return Ranking.of(scores, targets).counts()


def roc_auc(scores: ArrayLike, targets: ArrayLike) -> float:
    return counts(scores, targets).roc_auc()[0]


def partial_auc(scores: ArrayLike, targets: ArrayLike, min_sensitivity: float = 0.8) -> float:
    return counts(scores, targets).partial_auc(min_sensitivity)[0]


def average_precision(scores: ArrayLike, targets: ArrayLike, prevalence: float | None = None) -> float:
    return counts(scores, targets).average_precision(prevalence)[0]


def specificity_at(sensitivity: float, scores: ArrayLike, targets: ArrayLike) -> float:
    return counts(scores, targets).specificity_at(sensitivity)[0]


def brier(probabilities: ArrayLike, targets: ArrayLike, prevalence: float | None = None) -> float:
    return _calibration(probabilities, targets, prevalence).brier[0]


def calibration_error(
    probabilities: ArrayLike, targets: ArrayLike, prevalence: float | None = None, bins: int = BINS
) -> float:
    return _calibration(probabilities, targets, prevalence, bins).calibration_error[0]


def _calibration(
    probabilities: ArrayLike, targets: ArrayLike, prevalence: float | None, bins: int = BINS
) -> Calibratedness:
    """At the stated prevalence, or at that of the sample, which is the sample as it is."""
    values, is_melanoma = np.asarray(probabilities, dtype=float), np.asarray(targets) == 1
    stated = is_melanoma.mean() if prevalence is None else prevalence
    weights = np.ones((1, len(values)))
    return calibratedness(values, is_melanoma, weights, prevalence=stated, membership=bin_of(values, bins))
