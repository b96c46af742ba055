"""Decision curve: is referring by this model worth more than referring everyone, or no one?

Whoever refers from a threshold probability t on holds that one melanoma found is worth (1 - t) / t false alarms. At
that price the net benefit is what is left of the melanomas found once the false alarms are paid for (Vickers & Elkin,
Med Decis Making 26, 2006). A model helps at t only where its curve lies above those of both simple rules.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from isic_screen.evaluation.bands import Band, percentiles
from isic_screen.evaluation.counts import Floats, Ranking
from isic_screen.evaluation.intervals import resample

THRESHOLDS = np.geomspace(0.002, 0.2, 201)
"""Threshold probabilities worth asking about: one melanoma found for 499 false alarms, to one for 4."""


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


def decision_band(
    rows: pd.DataFrame, prevalence: float, *, resamples: int, seed: int, thresholds: Floats = THRESHOLDS
) -> Band:
    """Net benefit of referring everyone at or above each of `thresholds` (T,), with pointwise 95 % percentiles over
    resamples of `group`s; nan where a class is missing.

    `rows` are predictions with columns target, group and probability, which is calibrated at `prevalence`. The two
    simple rules have no such uncertainty, as the prevalence is stated: where the band lies above both, so does the
    model.
    """
    ranking = Ranking.of(rows["probability"].to_numpy(dtype=float), rows["target"].to_numpy())
    column = ranking.columns_at(thresholds)

    def measure(weights: Floats) -> dict[str, Floats]:
        counts = ranking.counts(weights)
        sensitivity, specificity = counts.sensitivity[:, column], 1 - counts.false_positive_rate[:, column]
        return {"model": net_benefit(sensitivity, specificity, thresholds, prevalence)}

    draws = resample(measure, rows["group"].to_numpy(), resamples=resamples, seed=seed)["model"]
    once = measure(np.ones((1, len(rows))))["model"][0]
    return Band(thresholds, once, *percentiles(draws))
