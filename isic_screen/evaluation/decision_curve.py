"""Decision curve: is referring by this model worth more than referring everyone, or no one?

Whoever refers from a threshold probability t on holds that one melanoma found is worth (1 - t) / t false alarms. At
that price the net benefit is what is left of the melanomas found once the false alarms are paid for (Vickers & Elkin,
Med Decis Making 26, 2006). A model helps at t only where its curve lies above those of both simple rules.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from isic_screen.evaluation.bands import Band, percentiles
from isic_screen.evaluation.counts import Floats, Ranking
from isic_screen.evaluation.intervals import resample

THRESHOLDS = np.geomspace(0.002, 0.2, 201)
"""Threshold probabilities worth asking about: one melanoma found for 499 false alarms, to one for 4."""


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit per patient at each of `thresholds` (T,): of `model`, and of referring `everyone` and `no_one`.

    All (T,), at most the prevalence: that much is every melanoma found without a false alarm.
    """

    thresholds: Floats
    model: Floats
    everyone: Floats
    no_one: Floats


def net_benefit(sensitivity: ArrayLike, specificity: ArrayLike, thresholds: ArrayLike, prevalence: float) -> Floats:
    """Net benefit per patient, sens * p - (1 - spec) * (1 - p) * t / (1 - t); arrays broadcast, all but it 0 to 1.

    Raises ValueError for a threshold that is not at least 0 and below 1.
    """
    t = np.asarray(thresholds, dtype=float)
    if not ((t >= 0) & (t < 1)).all():
        raise ValueError("threshold probabilities must be at least 0 and below 1")
    found = np.asarray(sensitivity, dtype=float) * prevalence
    alarms = (1 - np.asarray(specificity, dtype=float)) * (1 - prevalence)
    return np.asarray(found - alarms * t / (1 - t))


def decision_curve(
    probabilities: ArrayLike, targets: ArrayLike, prevalence: float, thresholds: Floats = THRESHOLDS
) -> DecisionCurve:
    """The curve of referring everyone at or above each of `thresholds` (T,), from `probabilities` (N,) that are
    calibrated at `prevalence` and `targets` (N,), 1 = melanoma; the model's is nan when a class is missing.
    """
    ranking = Ranking.of(probabilities, targets)
    one = np.ones(len(thresholds))
    return DecisionCurve(
        thresholds=thresholds,
        model=_model(ranking, np.ones((1, np.size(targets))), prevalence, thresholds)[0],
        everyone=net_benefit(one, 0 * one, thresholds, prevalence),
        no_one=net_benefit(0 * one, one, thresholds, prevalence),
    )


def decision_band(
    rows: pd.DataFrame, prevalence: float, *, resamples: int, seed: int, thresholds: Floats = THRESHOLDS
) -> Band:
    """The model's curve between pointwise 95 % percentiles over resamples of `group`s.

    `rows` are predictions with columns target, group and probability. The two simple rules have no such uncertainty, as
    the prevalence is stated: where the band lies above both, so does the model.
    """
    probabilities, targets = rows["probability"].to_numpy(dtype=float), rows["target"].to_numpy()
    ranking = Ranking.of(probabilities, targets)

    def measure(weights: Floats) -> dict[str, Floats]:
        return {"model": _model(ranking, weights, prevalence, thresholds)}

    draws = resample(measure, rows["group"].to_numpy(), resamples=resamples, seed=seed)["model"]
    curve = decision_curve(probabilities, targets, prevalence, thresholds)
    return Band(thresholds, curve.model, *percentiles(draws))


def _model(ranking: Ranking, weights: Floats, prevalence: float, thresholds: Floats) -> Floats:
    """Net benefit (R, T) of the model with image weights (R, N)."""
    counts = ranking.counts(weights)
    column = ranking.columns_at(thresholds)
    return net_benefit(counts.sensitivity[:, column], 1 - counts.false_positive_rate[:, column], thresholds, prevalence)
