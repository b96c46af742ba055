"""What a threshold means: sensitivity, specificity, predictive values and flags per 1,000 people.

Sensitivity and specificity come from counts on held-out patients. What depends on how common melanoma is
(predictive values, flags per 1,000) follows from them and a stated prevalence by Bayes' rule, because the sample that
was counted need not have the prevalence of the clinic.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

SENSITIVITY_TARGETS = (0.90, 0.95, 0.98)
DEFAULT_SENSITIVITY = 0.95


def out_of_range(threshold: float) -> str | None:
    """What is wrong with a threshold that is no probability, or None. A nan is none, nor is JSON's true, Python's 1."""
    if isinstance(threshold, bool):
        return f"A threshold is a number between 0 and 1, not {str(threshold).lower()}."
    return None if 0 <= threshold <= 1 else f"A threshold lies between 0 and 1, not {threshold:g}."


def aimed_at(name: str) -> float | None:
    """The sensitivity that a stored threshold is named after ("0.95"), if it is."""
    try:
        value = float(name)
    except ValueError:
        return None
    return value if 0 < value <= 1 else None


@dataclass(frozen=True)
class Proportion:
    """`count` of `total` with a 95 % interval; `value`, `low` and `high` are None when `total` is 0."""

    value: float | None
    low: float | None
    high: float | None
    count: int
    total: int


def wilson(count: int, total: int) -> Proportion:
    """Proportion with the Wilson score interval (E. B. Wilson, JASA 22, 1927), sound near 0 and 1 and for small n."""
    if not 0 <= count <= total:
        raise ValueError(f"count must lie in 0..total, got {count} of {total}")
    if total == 0:
        return Proportion(None, None, None, 0, 0)
    z = NormalDist().inv_cdf(0.975)  # 95 %
    p = count / total
    scale = 1 + z * z / total
    centre = (p + z * z / (2 * total)) / scale
    half = z * (p * (1 - p) / total + z * z / (4 * total * total)) ** 0.5 / scale
    # At 0 and `total` the interval ends exactly there; rounding must not push it past.
    low = 0.0 if count == 0 else centre - half
    high = 1.0 if count == total else centre + half
    return Proportion(p, low, high, count, total)


def restate(probability: float, prevalence: float, at_prevalence: float) -> float:
    """A probability (0 to 1) that holds at one prevalence, as it would be at another (both between 0 and 1).

    Bayes' rule: the odds change by the ratio of the prior odds. It keeps order, so what is referred stays the same; it
    supposes that only the frequency of melanoma differs, not what melanomas and other lesions look like (M. Saerens et
    al., Neural Computation 14, 2002).
    """
    if prevalence == at_prevalence:
        return probability
    ratio = at_prevalence / (1 - at_prevalence) * (1 - prevalence) / prevalence
    return probability * ratio / (1 - probability + probability * ratio)


@dataclass(frozen=True)
class OperatingPoint:
    """What "refer everyone at or above `threshold`" does, at a stated `prevalence` (0 to 1).

    `other_cameras` is the same without the photos of a camera that nearly gives the class away, where these are known.
    """

    threshold: float
    sensitivity: Proportion
    specificity: Proportion
    prevalence: float
    other_cameras: "OperatingPoint | None" = None

    @property
    def weak(self) -> bool:
        """Whether fewer than half of the melanomas are caught: then not to be referred says nothing."""
        return self.sensitivity.value is not None and self.sensitivity.value < 0.5

    def restated(self, prevalence: float) -> "OperatingPoint":
        """The same rule where melanomas are more or less common: its threshold on that scale, the rates unchanged."""
        threshold = restate(self.threshold, self.prevalence, prevalence)
        others = self.other_cameras and self.other_cameras.restated(prevalence)
        return replace(self, threshold=threshold, prevalence=prevalence, other_cameras=others)

    def _joint(self) -> tuple[float, float, float, float] | None:
        """Probabilities of (true positive, false negative, false positive, true negative), or None when unknown."""
        sensitivity, specificity = self.sensitivity.value, self.specificity.value
        if sensitivity is None or specificity is None:
            return None
        healthy = 1 - self.prevalence
        return (
            self.prevalence * sensitivity,
            self.prevalence * (1 - sensitivity),
            healthy * (1 - specificity),
            healthy * specificity,
        )

    @property
    def ppv(self) -> float | None:
        """Probability of melanoma among the referred (precision); None when nobody is referred."""
        joint = self._joint()
        if joint is None or joint[0] + joint[2] == 0:
            return None
        return joint[0] / (joint[0] + joint[2])

    @property
    def npv(self) -> float | None:
        """Probability of no melanoma among the not referred; None when everybody is referred."""
        joint = self._joint()
        if joint is None or joint[1] + joint[3] == 0:
            return None
        return joint[3] / (joint[1] + joint[3])

    @property
    def number_needed_to_refer(self) -> float | None:
        """How many are referred for each melanoma found, 1 / PPV; None when no melanoma is found."""
        return 1 / self.ppv if self.ppv else None

    @property
    def per_1000(self) -> "Per1000 | None":
        """Expected counts among 1,000 people at the prevalence; None when a proportion is unknown."""
        joint = self._joint()
        if joint is None:
            return None
        found, missed, recalled, cleared = (1000 * share for share in joint)
        return Per1000(found=found, missed=missed, recalled_healthy=recalled, cleared_healthy=cleared)


@dataclass(frozen=True)
class Per1000:
    """Expected numbers of people among 1,000 screened (fractions of a person are kept)."""

    found: float
    missed: float
    recalled_healthy: float
    cleared_healthy: float

    @property
    def melanomas(self) -> float:
        """People with melanoma, found or missed: 1,000 times the prevalence."""
        return self.found + self.missed

    @property
    def flagged(self) -> float:
        """People who are referred, rightly or not."""
        return self.found + self.recalled_healthy


@dataclass(frozen=True)
class ThresholdTable:
    """Counts on held-out patients at every threshold where they change.

    `thresholds` ascend strictly, on the scale of the calibrated probability at `prevalence`; `true_positives[i]` of
    `positives` melanomas and `false_positives[i]` of `negatives` others score at or above `thresholds[i]`.
    """

    thresholds: tuple[float, ...]
    true_positives: tuple[int, ...]
    false_positives: tuple[int, ...]
    positives: int
    negatives: int
    prevalence: float

    def __post_init__(self) -> None:
        if not len(self.thresholds) == len(self.true_positives) == len(self.false_positives):
            raise ValueError("thresholds and counts must have the same length")
        if any(a >= b for a, b in pairwise(self.thresholds)):
            raise ValueError("thresholds must ascend strictly")
        for counts, total in ((self.true_positives, self.positives), (self.false_positives, self.negatives)):
            descending = all(a >= b for a, b in pairwise(counts))
            if not descending or (counts and not (counts[-1] >= 0 and counts[0] <= total)):
                raise ValueError("counts must descend from at most the total to at least 0")

    @classmethod
    def from_predictions(cls, probabilities: ArrayLike, targets: ArrayLike, prevalence: float) -> Self:
        """Count at each distinct probability. `probabilities` and `targets` (1 = melanoma) have shape (N,)."""
        scores = np.asarray(probabilities, dtype=float)
        is_melanoma = np.asarray(targets).astype(bool)
        if scores.shape != is_melanoma.shape or scores.ndim != 1:
            raise ValueError(f"probabilities and targets must be (N,) alike, got {scores.shape}, {is_melanoma.shape}")
        thresholds = np.unique(scores)
        melanomas, others = np.sort(scores[is_melanoma]), np.sort(scores[~is_melanoma])
        caught = len(melanomas) - np.searchsorted(melanomas, thresholds, side="left")
        alarms = len(others) - np.searchsorted(others, thresholds, side="left")
        return cls(
            tuple(thresholds.tolist()),
            tuple(caught.tolist()),
            tuple(alarms.tolist()),
            len(melanomas),
            len(others),
            prevalence,
        )

    def at(self, threshold: float) -> OperatingPoint:
        """The operating point of any threshold in 0 to 1, between the table's own ones as well."""
        row = bisect_left(self.thresholds, threshold)  # the first score that still counts as flagged
        beyond = row == len(self.thresholds)
        caught = 0 if beyond else self.true_positives[row]
        alarms = 0 if beyond else self.false_positives[row]
        return OperatingPoint(
            threshold,
            sensitivity=wilson(caught, self.positives),
            specificity=wilson(self.negatives - alarms, self.negatives),
            prevalence=self.prevalence,
        )

    @cached_property
    def _missed(self) -> tuple[int, ...]:
        return tuple(self.positives - caught for caught in self.true_positives)

    def threshold_for_sensitivity(self, sensitivity: float) -> float:
        """The highest threshold that still catches at least `sensitivity` (0 to 1) of the melanomas counted.

        Raises ValueError when no melanoma was counted: then no threshold has a known sensitivity.
        """
        if self.positives == 0:
            raise ValueError("no melanoma was counted, so sensitivity is unknown at every threshold")
        # The small slack keeps 0.9 * 10 from being read as 9.000000000000002 melanomas to catch.
        may_miss = int(self.positives * (1 - sensitivity) + 1e-9)
        row = bisect_right(self._missed, may_miss) - 1
        return self.thresholds[max(row, 0)]
