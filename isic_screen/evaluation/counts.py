"""Weighted counts of melanomas and others at every threshold: what all ranking metrics are made of.

Images are sorted by score once. Each resample of a bootstrap is then no more than a row of weights (how often each
image was drawn), so that a thousand resamples cost a few cumulative sums instead of a thousand sorts.

Shapes: N images, U distinct scores, R resamples. Scores that are equal are never told apart.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """How many are flagged at each distinct score taken as threshold, from the highest score down.

    `true_positives` and `false_positives` have shape (R, U + 1): they start at 0 (nobody flagged) and end at all.
    Every metric has shape (R,) and is nan where it is undefined.
    """

    true_positives: Floats
    false_positives: Floats

    @property
    def sensitivity(self) -> Floats:
        """(R, U + 1), 0 to 1; nan in a resample without melanoma."""
        return ratio(self.true_positives, self.true_positives[:, -1:])

    @property
    def false_positive_rate(self) -> Floats:
        """(R, U + 1), 0 to 1; nan in a resample without others."""
        return ratio(self.false_positives, self.false_positives[:, -1:])

    def precision(self, prevalence: float | None = None) -> Floats:
        """(R, U + 1) in the sample, or at a stated prevalence; nan where nobody is flagged."""
        if prevalence is None:
            return ratio(self.true_positives, self.true_positives + self.false_positives)
        return predictive_value(self.sensitivity, self.false_positive_rate, prevalence)

    def roc_auc(self) -> Floats:
        """Area under the ROC curve: the chance that a melanoma scores above another image, ties counting half."""
        mean_sensitivity = (self.true_positives[:, 1:] + self.true_positives[:, :-1]) / 2
        area = (np.diff(self.false_positives) * mean_sensitivity).sum(axis=1)
        return ratio(area, self.true_positives[:, -1] * self.false_positives[:, -1])

    def partial_auc(self, min_sensitivity: float = 0.8) -> Floats:
        """Area between the ROC curve and the line of `min_sensitivity`, 0 to 1 - `min_sensitivity`.

        The score of the ISIC 2024 challenge (Kurtansky et al., Sci Data 11, 2024). Integrated over sensitivity, as the
        strip above the line is a column once the axes are swapped; straight lines between the points of the curve.
        """
        sensitivity, alarms = self.sensitivity, self.false_positive_rate
        start, end = sensitivity[:, :-1], sensitivity[:, 1:]
        rise = end - start
        entry = np.maximum(start, min_sensitivity)
        height = np.maximum(end - entry, 0)
        run = np.diff(alarms)
        # False positive rate in the middle of the part of each segment that lies above the line.
        share = np.divide((entry + end) / 2 - start, rise, out=np.zeros_like(rise), where=rise > 0)
        area = (height * (1 - alarms[:, :-1] - run * share)).sum(axis=1)
        return np.where(self._has_both, area, np.nan)

    def average_precision(self, prevalence: float | None = None) -> Floats:
        """Precision averaged over the melanomas in order of score, in the sample or at a stated prevalence."""
        gained = np.diff(self.sensitivity)
        averaged = np.where(gained > 0, gained * self.precision(prevalence)[:, 1:], gained).sum(axis=1)
        return np.where(self._has_both, averaged, np.nan)  # without others it would be 1

    def specificity_at(self, sensitivity: float) -> Floats:
        """Specificity at the highest threshold that finds at least `sensitivity` of the melanomas."""
        melanomas = self.true_positives[:, -1:]
        # The same slack as in ThresholdTable.threshold_for_sensitivity: 0.9 of 10 is 9.
        may_miss = np.floor(melanomas * (1 - sensitivity) + 1e-9)
        first = np.argmax(self.true_positives >= melanomas - may_miss, axis=1)
        alarms = np.take_along_axis(self.false_positive_rate, first[:, None], axis=1)[:, 0]
        return np.where(self._has_both, 1 - alarms, np.nan)

    @property
    def _has_both(self) -> NDArray[np.bool_]:
        return (self.true_positives[:, -1] > 0) & (self.false_positives[:, -1] > 0)


@dataclass(frozen=True)
class Ranking:
    """Images in the order of their scores, highest first; `thresholds` (U,) are the distinct scores."""

    thresholds: Floats
    _order: NDArray[np.intp]
    _starts: NDArray[np.intp]
    _is_melanoma: NDArray[np.bool_]

    @classmethod
    def of(cls, scores: ArrayLike, targets: ArrayLike) -> Self:
        """`scores` and `targets` (1 = melanoma) are (N,). Raises ValueError when they are not, or not finite."""
        values, is_melanoma = checked(scores, targets)
        order = np.argsort(-values, kind="stable")
        descending = values[order]
        starts = np.flatnonzero(np.r_[True, descending[1:] != descending[:-1]][: len(values)])
        return cls(descending[starts], order, starts, is_melanoma[order])

    def counts(self, weights: Floats | None = None) -> Counts:
        """Counts with image weights (R, N); without, every image counts once and R is 1."""
        if weights is None:
            weights = np.ones((1, len(self._order)))
        sorted_weights = weights[:, self._order]
        return Counts(
            self._accumulate(sorted_weights * self._is_melanoma), self._accumulate(sorted_weights * ~self._is_melanoma)
        )

    def columns_at(self, thresholds: Floats) -> NDArray[np.intp]:
        """Columns (T,) of the counts at which everyone at or above each of `thresholds` (T,) is flagged."""
        return np.searchsorted(-self.thresholds, -thresholds, side="right")

    def _accumulate(self, weights: Floats) -> Floats:
        total = np.zeros((len(weights), len(self._starts) + 1))
        if len(self._starts):
            per_score = weights
            if len(self._starts) < weights.shape[1]:  # ties
                per_score = np.add.reduceat(weights, self._starts, axis=1)
            np.cumsum(per_score, axis=1, out=total[:, 1:])
        return total


def checked(scores: ArrayLike, targets: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores (N,) as floats and targets (N,) as booleans; ValueError for other shapes, values or nan."""
    values, labels = np.asarray(scores, dtype=float), np.asarray(targets)
    if values.ndim != 1 or values.shape != labels.shape:
        raise ValueError(f"scores and targets must be (N,) alike, got {values.shape} and {labels.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("targets must be 0 or 1")
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite")
    return values, labels.astype(bool)


def ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    """part / whole, nan where whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=float), np.asarray(whole, dtype=float))
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)


def predictive_value(hit_rate: ArrayLike, false_rate: ArrayLike, prior: float) -> Floats:
    """Bayes' rule: how many of those called X are X, when a share `prior` is X; nan when nobody is called X.

    `hit_rate` is the share of X that is called X (sensitivity for melanoma), `false_rate` that of the others.
    """
    right = prior * np.asarray(hit_rate, dtype=float)
    return ratio(right, right + (1 - prior) * np.asarray(false_rate, dtype=float))
