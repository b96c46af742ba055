"""Who was flagged, and rightly: pure functions of decisions and targets (1 = melanoma), both of shape (N,).

What is undefined (no melanoma, nobody flagged, ...) is None with a reason, never 0, 1 or nan.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn import metrics as sklearn_metrics

from isic_screen.evaluation.counts import checked

CLASSES = ("other", "melanoma")
"""Names of targets 0 and 1, in that order."""


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


@dataclass(frozen=True)
class Confusion:
    """Images by what they are and whether they were flagged."""

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int


def confusion_matrix(flagged: ArrayLike, targets: ArrayLike) -> Confusion:
    """Counts of images; `flagged` (N,) is boolean or 0/1.

    Raises ValueError for shapes that differ and targets other than 0 and 1.
    """
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
    class only, accuracy and that class's recall are all there is. Raises ValueError as `confusion_matrix`.
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
