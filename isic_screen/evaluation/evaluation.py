"""One table of predictions in, everything worth saying about them out: the content of `metrics.json`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from isic_screen.calibration import STATED_PREVALENCE
from isic_screen.errors import DataError
from isic_screen.evaluation.camera_probe import of_camera
from isic_screen.evaluation.counts import Floats, Ranking
from isic_screen.evaluation.intervals import RESAMPLES, bootstrap
from isic_screen.evaluation.operating import operating_points as evaluate_operating_points
from isic_screen.evaluation.reliability import BINS, bin_of, calibratedness, reliability_bins
from isic_screen.evaluation.subgroups import MIN_OF_CLASS, evaluate_subgroups
from isic_screen.operating_point import SENSITIVITY_TARGETS

COLUMNS = ("image_id", "source", "group", "target", "logit", "probability")

METHODS = {
    "intervals": "95 %, percentile bootstrap over groups (patients, or lesions where the patient is not known, or "
    "images where neither is)",
    "proportions": "sensitivity, specificity, precision and NPV: low and high are Wilson's score interval, which takes "
    "images as independent; the bootstrap over groups stands beside it",
    "at_prevalence": "by Bayes' rule from sensitivity and specificity at the stated prevalence; bootstrap over groups",
    "partial_auc": "area under the ROC curve above 80 % sensitivity, as in ISIC 2024: 0 to 0.2, chance is 0.02",
    "calibration": "brier, calibration_error and mean_probability weight each melanoma by prevalence / melanomas and "
    f"each other image by (1 - prevalence) / others; calibration_error takes {BINS} bins of equally many images and "
    "is above 0 even for perfect probabilities, so its interval begins at the upper percentile reflected at the value, "
    "not below 0",
    "brier_reference": "Brier score of telling everyone the prevalence: prevalence * (1 - prevalence)",
    "subgroups": "AUC with the bootstrap over groups, sensitivity and specificity as proportions, at the threshold "
    f"given; no value where it would rest on fewer than {MIN_OF_CLASS} images of a class; not corrected for their "
    "number, so that some stand apart by chance",
    "pooling": "never over sources: a score that tells the sources apart would be taken for skill",
}


def evaluate(
    predictions: pd.DataFrame,
    *,
    prevalence: float = STATED_PREVALENCE,
    operating_points: Mapping[str, float] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Measure `predictions`: one row an image, columns `COLUMNS`; others are ignored, but for those that `subgroups`
    tells groups of people and photos by. Of them `width` and `height` of the camera's original, in pixels, also give
    the AUC without the size that betrays the class in ISIC 2020.

    `probability` is calibrated at `prevalence`; `operating_points` are the thresholds that the model ships with, named
    by the sensitivity aimed at ("0.95"), on the same scale. With several sources "overall" has no figures of its own.
    Raises DataError when the table cannot be evaluated; one class only is no error, but gives nulls with reasons.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence must lie between 0 and 1, got {prevalence}")
    predictions = checked_predictions(predictions)
    blocks = {
        str(source): _evaluate_source(rows, prevalence, operating_points, seed, resamples)
        for source, rows in predictions.groupby("source", sort=True)
    }
    overall = next(iter(blocks.values())) if len(blocks) == 1 else _several_sources(predictions, blocks)
    return {
        "prevalence": prevalence,
        "brier_reference": prevalence * (1 - prevalence),
        "resamples": resamples,
        "seed": seed,
        "methods": METHODS,
        "overall": overall,
        "sources": blocks,
    }


def checked_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """The table with its numbers as numbers; DataError, saying which rows, when it is not one that can be evaluated."""
    missing = [column for column in COLUMNS if column not in predictions]
    if missing:
        raise DataError(f"The predictions have no column {', '.join(missing)}. Columns needed: {', '.join(COLUMNS)}.")
    if predictions.empty:
        raise DataError("There are no predictions to evaluate. Give at least one image with a known diagnosis.")
    numbers = predictions[["target", "logit", "probability"]].apply(pd.to_numeric, errors="coerce")
    faults = {
        "a target other than 0 and 1": ~numbers["target"].isin((0, 1)),
        "a logit that is not a finite number": ~np.isfinite(numbers["logit"].astype(float)),
        "a probability outside 0 to 1": ~numbers["probability"].between(0, 1),
        "no group": predictions["group"].isna() | (predictions["group"].astype(str) == ""),
        "no source": predictions["source"].isna() | (predictions["source"].astype(str) == ""),
        "an image id that occurs twice in its source": predictions.duplicated(["source", "image_id"], keep=False),
    }
    for fault, rows in faults.items():
        if rows.any():
            images = ", ".join(predictions.loc[rows, "image_id"].astype(str).head(5))
            raise DataError(f"{int(rows.sum())} of {len(rows)} predictions have {fault}: {images}. Correct these rows.")
    # A table read as text holds "1" for 1, and ids that are numbers in some rows only do not sort.
    return predictions.assign(
        target=numbers["target"].astype(int),
        logit=numbers["logit"].astype(float),
        probability=numbers["probability"].astype(float),
        group=predictions["group"].astype(str),
    )


def _sample(rows: pd.DataFrame) -> dict[str, Any]:
    positives = int((rows["target"] == 1).sum())
    return {
        "n": len(rows),
        "positives": positives,
        "negatives": len(rows) - positives,
        "groups": int(rows["group"].nunique()),
        "sample_prevalence": positives / len(rows),
    }


def _evaluate_source(
    rows: pd.DataFrame, prevalence: float, shipped: Mapping[str, float] | None, seed: int, resamples: int
) -> dict[str, Any]:
    targets, groups = rows["target"].to_numpy(dtype=int), rows["group"].to_numpy()
    probabilities = rows["probability"].to_numpy(dtype=float)
    is_melanoma = targets == 1
    ranking = Ranking.of(probabilities, targets)
    membership = bin_of(probabilities)

    def measure(weights: Floats) -> dict[str, Floats]:
        counts = ranking.counts(weights)
        calibrated = calibratedness(probabilities, is_melanoma, weights, prevalence=prevalence, membership=membership)
        return {
            "roc_auc": counts.roc_auc(),
            "partial_auc": counts.partial_auc(),
            "average_precision": counts.average_precision(),
            "average_precision_at_prevalence": counts.average_precision(prevalence),
            **{
                f"specificity_at_{target:.2f}_sensitivity": counts.specificity_at(target)
                for target in SENSITIVITY_TARGETS
            },
            "brier": calibrated.brier,
            "calibration_error": calibrated.calibration_error,
            "mean_probability": calibrated.mean_probability,
        }

    estimates = bootstrap(measure, targets, groups, inflated={"calibration_error"}, resamples=resamples, seed=seed)
    bins = reliability_bins(probabilities, is_melanoma, prevalence=prevalence)
    points = evaluate_operating_points(rows, shipped, prevalence=prevalence, resamples=resamples, seed=seed)
    return {
        **_sample(rows),
        "reason": None,
        "metrics": {name: estimate.to_dict() for name, estimate in estimates.items()},
        "operating_points": points,
        "reliability": [vars(point) for point in bins],
        "camera_shortcut": _camera_shortcut(rows, seed, resamples),
        "subgroups": evaluate_subgroups(rows, points, resamples=resamples, seed=seed),
    }


def _camera_shortcut(rows: pd.DataFrame, seed: int, resamples: int) -> dict[str, Any] | None:
    """The AUC without originals of the one camera size that is nearly all benign; None where no such size is known.

    14,679 of ISIC 2020's 32,542 benign originals are 6000 x 4000 pixels, and 24 of its 584 melanomas: a model can score
    by telling that camera. `rows` may have the originals' `width` and `height`.
    """
    if not {"width", "height"} <= set(rows.columns):
        return None
    of_size = of_camera(rows[["width", "height"]].apply(pd.to_numeric, errors="coerce"))  # a table read as text as well
    if not of_size.any():
        return None
    left_out = {"images": int(of_size.sum()), "melanomas": int(rows.loc[of_size, "target"].sum())}
    others = rows[~of_size]
    if others.empty:
        return {**left_out, "roc_auc": None}
    ranking = Ranking.of(others["probability"].to_numpy(dtype=float), others["target"].to_numpy(dtype=int))
    auc = bootstrap(
        lambda weights: {"roc_auc": ranking.counts(weights).roc_auc()},
        others["target"].to_numpy(dtype=int),
        others["group"].to_numpy(),
        resamples=resamples,
        seed=seed,
    )["roc_auc"]
    return {**left_out, "roc_auc": auc.to_dict()}


def _several_sources(predictions: pd.DataFrame, blocks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Counts over all sources; the metrics stand by source, as pooled ones would reward telling sources apart."""
    reason = f"not pooled over {len(blocks)} sources: a score that tells the sources apart would be taken for skill"
    names = next(iter(blocks.values()))["metrics"]
    nothing = {"value": None, "low": None, "high": None, "reason": reason}
    return {
        **_sample(predictions),
        "reason": reason,
        "metrics": {
            name: nothing | {"by_source": {source: block["metrics"][name]["value"] for source, block in blocks.items()}}
            for name in names
        },
        "operating_points": {},
        "reliability": [],
    }
