"""Metrics of a screening test. Pure functions of scores and targets (1 = melanoma), both of shape (N,).

What is undefined (no melanoma, nobody flagged, ...) is None with a reason, never 0, 1 or nan.
All raise ValueError for shapes that differ, targets other than 0 and 1, and scores that are not finite.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn import metrics as sklearn_metrics

from isic_screen.evaluation.counts import Counts, Floats, Ranking, checked, predictive_value
from isic_screen.evaluation.reliability import BINS, Calibratedness, bin_of, calibratedness

CLASSES = ("other", "melanoma")
"""Names of targets 0 and 1, in that order."""


@dataclass(frozen=True)
class Measurement:
    """A number, or None with the reason why there is none."""

    value: float | None
    reason: str | None = None


def missing_class(targets: ArrayLike) -> str | None:
    """Why metrics that compare melanomas with others are undefined for these targets; None when they are not."""
    labels = np.asarray(targets)
    if not len(labels):
        return "there are no images"
    if not (labels == 1).any():
        return f"there is no melanoma among the {len(labels)} images"
    if not (labels == 0).any():
        return f"all {len(labels)} images are melanomas"
    return None


def roc_auc(scores: ArrayLike, targets: ArrayLike) -> Measurement:
    """Area under the ROC curve, 0 to 1 (0.5: no better than chance)."""
    return _ranked(scores, targets, Counts.roc_auc)


def average_precision(scores: ArrayLike, targets: ArrayLike, *, prevalence: float | None = None) -> Measurement:
    """Average precision, in the sample (as scikit-learn) or at a stated prevalence; chance level is the prevalence."""
    return _ranked(scores, targets, lambda counts: counts.average_precision(prevalence))


def partial_auc(scores: ArrayLike, targets: ArrayLike, *, min_sensitivity: float = 0.8) -> Measurement:
    """Area under the ROC curve above 80 % sensitivity as in ISIC 2024, 0 to 0.2 (0.02: no better than chance)."""
    return _ranked(scores, targets, lambda counts: counts.partial_auc(min_sensitivity))


def specificity_at_sensitivity(scores: ArrayLike, targets: ArrayLike, sensitivity: float) -> Measurement:
    """Specificity at the highest threshold that finds at least `sensitivity` of the melanomas."""
    return _ranked(scores, targets, lambda counts: counts.specificity_at(sensitivity))


def brier(probabilities: ArrayLike, targets: ArrayLike, *, prevalence: float | None = None) -> Measurement:
    """Mean squared error of the probabilities, in the sample or re-weighted to a stated prevalence."""
    return _calibration(probabilities, targets, prevalence, BINS, lambda found: found.brier)


def expected_calibration_error(
    probabilities: ArrayLike, targets: ArrayLike, *, bins: int = BINS, prevalence: float | None = None
) -> Measurement:
    """Mean gap between predicted and observed share of melanomas over `bins` bins of equally many images.

    In the sample, or re-weighted to a stated prevalence. Above 0 even for perfect probabilities when bins are small.
    """
    return _calibration(probabilities, targets, prevalence, bins, lambda found: found.calibration_error)


def precision_at_prevalence(sensitivity: float, specificity: float, prevalence: float) -> Measurement:
    """Share of melanomas among those flagged, in a population where a share `prevalence` has melanoma."""
    value = float(predictive_value(sensitivity, 1 - specificity, prevalence))
    return Measurement(None, "nobody is flagged") if np.isnan(value) else Measurement(value)


@dataclass(frozen=True)
class Confusion:
    """Images by what they are and whether they were flagged."""

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int


def confusion_matrix(flagged: ArrayLike, targets: ArrayLike) -> Confusion:
    """Counts of images; `flagged` (N,) is boolean or 0/1."""
    called, is_melanoma = np.asarray(flagged).astype(bool), checked(flagged, targets)[1]
    return Confusion(
        true_positives=int((called & is_melanoma).sum()),
        false_negatives=int((~called & is_melanoma).sum()),
        false_positives=int((called & ~is_melanoma).sum()),
        true_negatives=int((~called & ~is_melanoma).sum()),
    )


def classification_report(flagged: ArrayLike, targets: ArrayLike) -> dict[str, Any]:
    """scikit-learn's report: precision, recall, F1 and support by class, with averages; in the sample.

    Undefined entries are None and explained under "undefined" ("melanoma precision": "nobody is flagged"). An average
    over classes is None as well when one of them is: scikit-learn would average what is left, and flatter. With one
    class only, accuracy and that class's recall are all there is.
    """
    called, is_melanoma = np.asarray(flagged).astype(int), checked(flagged, targets)[1]
    if not len(called):
        return {"undefined": {"all": "there are no images"}}
    table = sklearn_metrics.classification_report(
        is_melanoma.astype(int), called, labels=[0, 1], target_names=CLASSES, output_dict=True, zero_division=np.nan
    )
    reasons: dict[str, dict[str, str]] = {
        "precision": {"melanoma": "nobody is flagged", "other": "everybody is flagged"},
        "recall": {"melanoma": "there is no melanoma", "other": "all images are melanomas"},
        "f1-score": {},
    }
    one_class = missing_class(is_melanoma) is not None
    if one_class:  # precision would be 0 or 1 whatever the scores are, and F1 with it
        absent = CLASSES[1 - int(is_melanoma[0])]
        why_absent = reasons["recall"][absent]
        both = dict.fromkeys(CLASSES, why_absent)
        reasons = {"precision": both, "recall": {absent: why_absent}, "f1-score": both}
    report: dict[str, Any] = {"accuracy": float((called == is_melanoma).mean())}
    undefined: dict[str, str] = {}
    for row in (*CLASSES, "macro avg", "weighted avg"):
        report[row] = {"support": int(table[row]["support"])}
        for column, why in reasons.items():
            gaps = [name for name in why if one_class or np.isnan(table[name][column])]
            known = row not in gaps if row in CLASSES else not gaps
            report[row][column] = float(table[row][column]) if known else None
            if not known:
                undefined[f"{row} {column}"] = why[row if row in CLASSES else gaps[0]]
    return report | {"undefined": undefined}


def _ranked(scores: ArrayLike, targets: ArrayLike, metric: Callable[[Counts], Floats]) -> Measurement:
    ranking, reason = Ranking.of(scores, targets), missing_class(targets)
    return Measurement(None, reason) if reason else Measurement(float(metric(ranking.counts())[0]))


def _calibration(
    probabilities: ArrayLike,
    targets: ArrayLike,
    prevalence: float | None,
    bins: int,
    pick: Callable[[Calibratedness], Floats],
) -> Measurement:
    values, is_melanoma = checked(probabilities, targets)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("probabilities must lie in 0 to 1")
    reason = missing_class(targets)
    if reason and (prevalence is not None or not len(values)):
        return Measurement(None, reason)
    found = calibratedness(
        values, is_melanoma, np.ones((1, len(values))), prevalence=prevalence, membership=bin_of(values, bins)
    )
    return Measurement(float(pick(found)[0]))
