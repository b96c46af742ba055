"""From a network's logit to a probability of melanoma, at a stated prevalence.

Platt scaling maps the logit to a probability that holds in the sample it was fitted on. That sample usually has many
more melanomas than a clinic, so the odds are then moved to the stated prevalence:
``logit(p') = logit(p) + logit(prevalence) - logit(fitted_prevalence)`` (Saerens et al., Neural Computation 14, 2002),
which holds as long as melanomas, and what is none, look alike here and there.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

STATED_PREVALENCE = 0.018
"""Melanomas per image in the ISIC 2020 challenge: 584 of 33,126, the challenge's own rounding."""


@dataclass(frozen=True)
class Calibration:
    """Platt scaling ``expit(slope * logit + intercept)`` fitted at one prevalence, stated at another."""

    slope: float
    intercept: float
    fitted_prevalence: float
    prevalence: float = STATED_PREVALENCE

    def __post_init__(self) -> None:
        if not self.slope > 0:
            raise ValueError(f"the slope must be positive, or a higher score would mean less melanoma: {self.slope}")
        for name in ("fitted_prevalence", "prevalence"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")

    @property
    def offset(self) -> float:
        """Log-odds added to ``slope * logit``: the intercept, moved to the stated prevalence."""
        return float(self.intercept + logit(self.prevalence) - logit(self.fitted_prevalence))

    def probability(self, network_logit: ArrayLike) -> NDArray[np.float64]:
        """Probability of melanoma at `prevalence` for logits of any shape."""
        return expit(self.slope * np.asarray(network_logit, dtype=float) + self.offset)

    def logit(self, probability: ArrayLike) -> NDArray[np.float64]:
        """The network's logit that gives this probability: the inverse of `probability`."""
        return (logit(np.asarray(probability, dtype=float)) - self.offset) / self.slope

    def at(self, prevalence: float) -> Self:
        """The same calibration stated at another prevalence."""
        return replace(self, prevalence=prevalence)


def fit_platt(logits: ArrayLike, targets: ArrayLike, *, prevalence: float = STATED_PREVALENCE) -> Calibration:
    """Fit Platt scaling by maximum likelihood on held-out logits and targets, both (N,).

    As Platt did (Advances in Large Margin Classifiers, 1999), targets are drawn a little towards the middle,
    ``(melanomas + 1) / (melanomas + 2)`` and ``1 / (others + 2)``: a small sample that happens to be separable would
    otherwise give an infinite slope.

    Raises ValueError when only one class is there, or when higher logits do not go with melanoma.
    """
    # Here and not above: serving never fits, and scikit-learn is two seconds of its start.
    from sklearn.linear_model import LogisticRegression

    scores = np.asarray(logits, dtype=float).reshape(-1, 1)
    labels = np.asarray(targets, dtype=int)
    melanomas, others = int(labels.sum()), int((1 - labels).sum())
    if len(np.unique(labels)) < 2:
        raise ValueError("calibration needs melanomas and others, got one class only")
    soft = np.where(labels == 1, (melanomas + 1) / (melanomas + 2), 1 / (others + 2))
    # A soft target is so much of a 1 and the rest of a 0. C = inf: no penalty, which would pull the slope to 0.
    fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(
        np.vstack([scores, scores]),
        np.repeat([1, 0], len(scores)),
        sample_weight=np.concatenate([soft, 1 - soft]),
    )
    return Calibration(float(fitted.coef_[0, 0]), float(fitted.intercept_[0]), float(labels.mean()), prevalence)


def cross_fitted(
    logits: ArrayLike, targets: ArrayLike, folds: ArrayLike, *, prevalence: float = STATED_PREVALENCE
) -> NDArray[np.float64]:
    """Probabilities (N,) that each come from a calibration fitted on the other folds.

    Evaluating a calibration on the scores it was fitted to would flatter it. All arguments are (N,); every
    leave-one-fold-out part needs both classes (ValueError).
    """
    scores, labels, fold = np.asarray(logits, dtype=float), np.asarray(targets), np.asarray(folds)
    probabilities = np.empty_like(scores)
    for held_out in np.unique(fold):
        inside = fold == held_out
        calibration = fit_platt(scores[~inside], labels[~inside], prevalence=prevalence)
        probabilities[inside] = calibration.probability(scores[inside])
    return probabilities
