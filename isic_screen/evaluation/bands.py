"""Curves of a screening test with their 95 % bands: pointwise percentiles over bootstrap resamples of patients."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from isic_screen.evaluation.counts import Floats, Ranking
from isic_screen.evaluation.intervals import MAX_UNDEFINED_SHARE, resample

MIN_FLAGGED = 20
"""Precision among fewer images than this jumps about and says nothing, so it is left undefined."""

_GRID = 1001


@dataclass(frozen=True)
class Band:
    """A curve `y` over `x` (G,) between `low` and `high`; nan where it, or its uncertainty, is undefined."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Bands:
    """ROC (sensitivity over false positive rate), and recall and precision over threshold."""

    roc: Band
    recall: Band
    precision: Band

    @classmethod
    def of(cls, rows: pd.DataFrame, prevalence: float, *, resamples: int, seed: int) -> "Bands":
        """From predictions with columns target, group and probability; both classes present."""
        probabilities = rows["probability"].to_numpy(dtype=float)
        ranking = Ranking.of(probabilities, rows["target"].to_numpy())
        alarms = np.linspace(0, 1, _GRID)
        low, high = threshold_range(probabilities)
        thresholds = expit(np.linspace(logit(low), logit(high), _GRID))
        column = ranking.columns_at(thresholds)
        flagged = len(rows) - np.searchsorted(np.sort(probabilities), thresholds)  # at or above each
        enough = flagged >= MIN_FLAGGED

        def measure(weights: Floats) -> dict[str, Floats]:
            counts = ranking.counts(weights)
            curves = zip(counts.false_positive_rate, counts.sensitivity, strict=True)
            return {
                "roc": np.stack([_upper(alarms, *curve) for curve in curves]),
                "recall": counts.sensitivity[:, column],
                "precision": np.where(enough, counts.precision(prevalence)[:, column], np.nan),
            }

        draws = resample(measure, rows["group"].to_numpy(), resamples=resamples, seed=seed)
        whole = measure(np.ones((1, len(rows))))
        grids = {"roc": alarms, "recall": thresholds, "precision": thresholds}
        return cls(**{name: Band(grids[name], whole[name][0], *percentiles(draws[name])) for name in grids})


def threshold_range(probabilities: Floats) -> tuple[float, float]:
    """Ends of an axis of probabilities: all of them, never quite 0 or 1, with a little room on the log-odds scale."""
    ends = logit(np.clip([probabilities.min(), probabilities.max()], 1e-5, 1 - 1e-5))
    room = max(0.03 * (ends[1] - ends[0]), 0.5 - (ends[1] - ends[0]) / 2, 0.05)  # at least 1 in all
    return float(expit(ends[0] - room)), float(expit(ends[1] + room))


def _upper(x: Floats, alarms: Floats, sensitivity: Floats) -> Floats:
    """Sensitivity at each false positive rate `x`: the top of the curve where it rises straight up."""
    if np.isnan(alarms[-1] + sensitivity[-1]):
        return np.full(x.shape, np.nan)
    return np.interp(x, alarms, sensitivity)  # takes the last, so the highest, of points with the same x


def percentiles(draws: Floats) -> tuple[Floats, Floats]:
    """2.5th and 97.5th percentile of each column, nan where too many resamples are undefined."""
    ends = np.full((2, draws.shape[1]), np.nan)
    enough = np.isnan(draws).mean(axis=0) <= MAX_UNDEFINED_SHARE
    ends[:, enough] = np.nanpercentile(draws[:, enough], (2.5, 97.5), axis=0)
    return ends[0], ends[1]
