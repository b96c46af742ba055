"""Operating points of an evaluation: what each threshold does, counted in the sample and stated at the prevalence.

Proportions that are counted (sensitivity, specificity, precision, NPV) carry Wilson's interval, which treats images as
independent, and beside it a bootstrap over patients, which does not. What depends on the stated prevalence mixes two
proportions, so it has the bootstrap interval alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from isic_screen.evaluation.counts import Floats, predictive_value, ratio
from isic_screen.evaluation.intervals import Estimate, bootstrap
from isic_screen.evaluation.metrics import Confusion, classification_report, confusion_matrix, missing_class
from isic_screen.evaluation.reliability import class_means
from isic_screen.operating_point import SENSITIVITY_TARGETS, ThresholdTable, aimed_at, wilson

COUNTED = ("sensitivity", "specificity", "precision", "npv")
STATED = ("precision_at_prevalence", "npv_at_prevalence", "flagged_per_1000", "missed_per_1000")
_UNDEFINED = {
    "precision": "nobody is flagged",
    "npv": "everybody is flagged",
    "precision_at_prevalence": "nobody is flagged",
    "npv_at_prevalence": "everybody is flagged",
}


@dataclass(frozen=True)
class Rule:
    """Refer everyone at or above `threshold`, on the `scale` of the calibrated "probability" or the plain "sigmoid".

    `chosen_on` is "fixed" (no data), "model file" (as shipped) or "this sample", which flatters the rule a little.
    """

    label: str
    scale: str
    chosen_on: str
    threshold: float | None
    target_sensitivity: float | None = None


def rules(predictions: pd.DataFrame, shipped: Mapping[str, float] | None, prevalence: float) -> dict[str, Rule]:
    """The rules to evaluate, by name: 0.5, the paper's 0.5, those of the model file, those found on this sample."""
    found = {
        "0.5": Rule("Probability 0.5", "probability", "fixed", 0.5),
        # The paper took 0.5 of the sigmoid of its class-weighted logit: far below a calibrated probability of 0.5.
        "paper_0.5": Rule("Uncalibrated score 0.5 (the paper's)", "sigmoid", "fixed", 0.5),
    }
    for name, threshold in (shipped or {}).items():
        target = aimed_at(name)
        label = f"{100 * target:g} % sensitivity, as shipped" if target else f"{name}, as shipped"
        found[f"shipped_{name}"] = Rule(label, "probability", "model file", float(threshold), target)
    table = ThresholdTable.from_predictions(predictions["probability"], predictions["target"], prevalence)
    for target in SENSITIVITY_TARGETS:
        chosen = table.threshold_for_sensitivity(target) if table.positives else None
        label = f"{100 * target:g} % sensitivity, chosen on this sample"
        found[f"sample_{target:.2f}"] = Rule(label, "probability", "this sample", chosen, target)
    return found


def operating_points(
    predictions: pd.DataFrame,
    shipped: Mapping[str, float] | None,
    *,
    prevalence: float,
    resamples: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Every rule with its counts, proportions and classification report; plain JSON values."""
    targets, groups = predictions["target"].to_numpy(), predictions["group"].to_numpy()
    probabilities = predictions["probability"].to_numpy(dtype=float)
    scores = {"probability": probabilities, "sigmoid": expit(predictions["logit"].to_numpy(dtype=float))}
    points: dict[str, dict[str, Any]] = {}
    for name, rule in rules(predictions, shipped, prevalence).items():
        points[name] = asdict(rule)
        if rule.threshold is None:
            points[name]["reason"] = missing_class(targets)
            continue
        flagged = scores[rule.scale] >= rule.threshold
        confusion = confusion_matrix(flagged, targets)

        def measure(weights: Floats, flagged: NDArray[np.bool_] = flagged) -> dict[str, Floats]:
            return _rates(flagged, targets == 1, weights, prevalence)

        estimates = bootstrap(measure, targets, groups, undefined=_UNDEFINED, resamples=resamples, seed=seed)
        points[name] |= {
            "reason": None,
            "confusion": asdict(confusion),
            **{rate: proportion(rate, confusion, estimates[rate]) for rate in COUNTED},
            **{rate: estimates[rate].to_dict() for rate in STATED},
            "classification_report": classification_report(flagged, targets),
        }
    return points


def _rates(
    flagged: NDArray[np.bool_], is_melanoma: NDArray[np.bool_], weights: Floats, prevalence: float
) -> dict[str, Floats]:
    """Everything an operating point is judged by, (R,) each."""
    over_melanomas, over_others = class_means(flagged[:, None], is_melanoma, weights)
    sensitivity, false_rate = over_melanomas[:, 0], over_others[:, 0]
    found, alarms = weights @ (flagged & is_melanoma), weights @ (flagged & ~is_melanoma)
    missed, cleared = weights @ (~flagged & is_melanoma), weights @ (~flagged & ~is_melanoma)
    both_classes = ~np.isnan(sensitivity + false_rate)
    return {
        "sensitivity": sensitivity,
        "specificity": 1 - false_rate,
        "precision": np.where(both_classes, ratio(found, found + alarms), np.nan),
        "npv": np.where(both_classes, ratio(cleared, cleared + missed), np.nan),
        "precision_at_prevalence": predictive_value(sensitivity, false_rate, prevalence),
        "npv_at_prevalence": predictive_value(1 - false_rate, 1 - sensitivity, 1 - prevalence),
        "flagged_per_1000": 1000 * (prevalence * sensitivity + (1 - prevalence) * false_rate),
        "missed_per_1000": 1000 * prevalence * (1 - sensitivity),
    }


def proportion(rate: str, confusion: Confusion, estimate: Estimate) -> dict[str, Any]:
    """Count, total and Wilson's interval, with the bootstrap interval beside it; None with a reason where undefined."""
    part, rest = {
        "sensitivity": (confusion.true_positives, confusion.false_negatives),
        "specificity": (confusion.true_negatives, confusion.false_positives),
        "precision": (confusion.true_positives, confusion.false_positives),
        "npv": (confusion.true_negatives, confusion.false_negatives),
    }[rate]
    counted = asdict(wilson(part, part + rest))
    if estimate.value is None:
        counted |= {"value": None, "low": None, "high": None}
    resampled = {"low": estimate.low, "high": estimate.high, "reason": estimate.reason}
    return counted | {"reason": estimate.reason if estimate.value is None else None, "bootstrap": resampled}
