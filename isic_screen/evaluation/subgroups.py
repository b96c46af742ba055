"""The same figures by group of people and of photos: for whom, and on which photos, does the model fail?

Only within one source, as a difference between sources would be taken for one between the groups. Groups of one
characteristic do not overlap, those of two do: a body site may do badly for the age of the people who have it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isic_screen.evaluation.camera_probe import CAMERA_SIZE, of_camera
from isic_screen.evaluation.counts import Floats, Ranking
from isic_screen.evaluation.intervals import bootstrap
from isic_screen.evaluation.metrics import confusion_matrix
from isic_screen.evaluation.operating import proportion
from isic_screen.evaluation.reliability import class_means
from isic_screen.operating_point import DEFAULT_SENSITIVITY

MIN_OF_CLASS = 10
"""With fewer melanomas (or others) than this an interval spans most of 0 to 1 and a value misleads."""
TOO_FEW = "too few to say"
NOT_KNOWN = "not known"

_AGES = {"under 30": 0, "30 to 44": 30, "45 to 59": 45, "60 to 74": 60, "75 and over": 75}
# Of the individual typology angle (Chardon et al., Int J Cosmet Sci 13, 1991), from light to dark.
_SKIN_TONES = ("very light", "light", "intermediate", "tan", "brown", "dark")
_MOST_NAMES, _MOST_SIZES = 12, 5
_REST = {"sites": "other sites", "tones": "other tones", "sizes": "other sizes"}

Masks = dict[str, NDArray[np.bool_]]


def evaluate_subgroups(
    rows: pd.DataFrame, points: Mapping[str, Mapping[str, Any]], *, resamples: int, seed: int
) -> dict[str, Any] | None:
    """AUC, and sensitivity and specificity at one threshold, of every group of `subgroups(rows)`; plain JSON values.

    `rows` are checked predictions of one source and `points` its operating points. The threshold is the shipped one for
    DEFAULT_SENSITIVITY, else the only one that was shipped (an ensemble has such a one), else one chosen on the sample.
    A figure that rests on fewer than MIN_OF_CLASS melanomas (or others) has no value but the reason TOO_FEW. None when
    nothing tells groups apart, or when no threshold is known.
    """
    point = _point(points)
    characteristics = subgroups(rows)
    if not characteristics or point["threshold"] is None:
        return None
    return {
        "label": point["label"],
        "threshold": point["threshold"],
        "min_of_class": MIN_OF_CLASS,
        "by": {
            characteristic: [
                {"label": label, **_figures(rows[mask], point["threshold"], resamples, seed)}
                for label, mask in masks.items()
            ]
            for characteristic, masks in characteristics.items()
        },
    }


def _point(points: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    name = f"{DEFAULT_SENSITIVITY:.2f}"
    shipped = [point for point in points.values() if point["chosen_on"] == "model file"]
    return points.get(f"shipped_{name}") or (shipped[0] if len(shipped) == 1 else points[f"sample_{name}"])


def subgroups(rows: pd.DataFrame) -> dict[str, Masks]:
    """By characteristic and group, which of `rows` (N,) belong to it; each row to one group of every characteristic.

    Columns used where they are there: `sex`, `age` (years), `site`, `skin_tone`, `width` and `height` (of the original,
    pixels), `sharpness`. A characteristic is left out unless at least two of its groups are known. Thirds of sharpness
    are those of `rows`.
    """
    labels: dict[str, tuple[pd.Series, Sequence[str]]] = {}
    if "sex" in rows:
        labels["sex"] = _names(rows["sex"]), ()
    if "age" in rows:
        labels["age"] = _age_bands(_numbers(rows["age"])), tuple(_AGES)
    if "site" in rows:
        labels["body site"] = _commonest(_names(rows["site"]), _MOST_NAMES, _REST["sites"]), ()
    if "skin_tone" in rows:
        labels["skin tone"] = _commonest(_names(rows["skin_tone"]), _MOST_NAMES, _REST["tones"]), _SKIN_TONES
    if {"width", "height"} <= set(rows.columns):
        sizes = rows[["width", "height"]].apply(_numbers)
        labels["camera"] = _cameras(sizes), ()
        labels["original size"] = _commonest(_sizes(sizes), _MOST_SIZES, _REST["sizes"]), ()
    if "sharpness" in rows:
        labels["sharpness"] = _thirds(_numbers(rows["sharpness"])), ("least sharp third", "middle third")
    return {
        characteristic: _masks(of_row, order)
        for characteristic, (of_row, order) in labels.items()
        if len(set(of_row) - {NOT_KNOWN}) > 1
    }


def _figures(rows: pd.DataFrame, threshold: float, resamples: int, seed: int) -> dict[str, Any]:
    targets, probabilities = rows["target"].to_numpy(), rows["probability"].to_numpy(dtype=float)
    is_melanoma, flagged = targets == 1, probabilities >= threshold
    ranking = Ranking.of(probabilities, targets)

    def measure(weights: Floats) -> dict[str, Floats]:
        over_melanomas, over_others = class_means(flagged[:, None], is_melanoma, weights)
        return {
            "roc_auc": ranking.counts(weights).roc_auc(),
            "sensitivity": over_melanomas[:, 0],
            "specificity": 1 - over_others[:, 0],
        }

    estimates = bootstrap(measure, targets, rows["group"].to_numpy(), resamples=resamples, seed=seed)
    confusion = confusion_matrix(flagged, targets)
    positives, negatives = int(is_melanoma.sum()), int((~is_melanoma).sum())
    figures = {
        "roc_auc": (estimates["roc_auc"].to_dict(), min(positives, negatives)),
        "sensitivity": (proportion("sensitivity", confusion, estimates["sensitivity"]), positives),
        "specificity": (proportion("specificity", confusion, estimates["specificity"]), negatives),
    }
    nothing = {"value": None, "low": None, "high": None, "reason": TOO_FEW}
    return {
        "n": len(rows),
        "positives": positives,
        "negatives": negatives,
        "groups": int(rows["group"].nunique()),
        **{name: figure if of_class >= MIN_OF_CLASS else nothing for name, (figure, of_class) in figures.items()},
    }


def _masks(labels: pd.Series, order: Sequence[str]) -> Masks:
    """Groups in the given order, others after them from the largest down, then the rest and what is not known."""
    counts = labels.value_counts()
    last = (*_REST.values(), NOT_KNOWN)

    def place(label: str) -> tuple[int, int, int, str]:
        given = order.index(label) if label in order else len(order)
        return last.index(label) + 1 if label in last else 0, given, -int(counts[label]), label

    return {label: (labels == label).to_numpy() for label in sorted(counts.index, key=place)}


def _numbers(values: pd.Series) -> pd.Series:
    """A table read as text holds "45" for 45; what is no number, or no finite one, is not known."""
    found = pd.to_numeric(values, errors="coerce").astype("float64")
    return found.where(np.isfinite(found))


def _names(values: pd.Series) -> pd.Series:
    names = values.fillna("").astype(str).str.split().str.join(" ").str.lower()
    return names.where(~names.isin(("", "unknown")), NOT_KNOWN)


def _commonest(labels: pd.Series, most: int, rest: str) -> pd.Series:
    """The `most` commonest labels, all others as one: free text could name hundreds."""
    counts = labels[labels != NOT_KNOWN].value_counts()
    kept = sorted(counts.index, key=lambda label: (-int(counts[label]), label))[:most]
    return labels.where(labels.isin((*kept, NOT_KNOWN)), rest)


def _age_bands(ages: pd.Series) -> pd.Series:
    bands = pd.cut(ages, [*_AGES.values(), np.inf], right=False, labels=list(_AGES))
    return bands.astype(object).fillna(NOT_KNOWN)


def _cameras(sizes: pd.DataFrame) -> pd.Series:
    wide, high = CAMERA_SIZE
    labels = of_camera(sizes).map({True: f"{wide} x {high}", False: f"not {wide} x {high}"})
    return labels.where(sizes.notna().all(axis=1), NOT_KNOWN)


def _sizes(sizes: pd.DataFrame) -> pd.Series:
    """Longer by shorter side, so that a camera held upright is the same one."""
    known = sizes.dropna().astype(int)
    return (known.max(axis=1).astype(str) + " x " + known.min(axis=1).astype(str)).reindex(
        sizes.index, fill_value=NOT_KNOWN
    )


def _thirds(sharpness: pd.Series) -> pd.Series:
    """Equal values are never told apart, so that thirds can differ in size; nothing is known without any value."""
    names = np.array(["least sharp third", "middle third", "sharpest third"], dtype=object)
    known = sharpness.dropna()
    if known.empty:
        return pd.Series(NOT_KNOWN, index=sharpness.index)
    third = np.searchsorted(np.quantile(known, (1 / 3, 2 / 3)), known, side="left")
    return pd.Series(names[third], index=known.index).reindex(sharpness.index, fill_value=NOT_KNOWN)
