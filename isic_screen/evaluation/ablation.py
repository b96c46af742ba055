"""Recipes compared on the same held-out images: each with its own figures and its paired difference to another."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isic_screen.errors import DataError
from isic_screen.evaluation.camera_probe import of_camera
from isic_screen.evaluation.counts import Counts, Floats, Ranking, ratio
from isic_screen.evaluation.intervals import RESAMPLES, Estimate, bootstrap

SHIPPED = "shipped"
"""The entry of the shipped model."""

_KEY = ["source", "image_id"]
_DIFFERENCE = "difference of "

METRICS: dict[str, Callable[[Counts], Floats]] = {
    "auc": Counts.roc_auc,
    "partial_auc": Counts.partial_auc,
    "specificity_at_90": lambda counts: counts.specificity_at(0.9),
    "specificity_at_95": lambda counts: counts.specificity_at(0.95),
}


def groups_of_interest(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Named masks over rows: every source, and where sizes are known each source without and with CAMERA_SIZE."""
    masks = {}
    for source, part in rows.groupby("source"):
        mine = rows["source"] == source
        masks[str(source)] = mine
        if part["width"].notna().any():
            masks[f"{source}, without 6000x4000"] = mine & ~of_camera(rows)
            masks[f"{source}, 6000x4000 alone"] = mine & of_camera(rows)
    return masks


def compare(
    scores: Mapping[str, pd.DataFrame],
    rows: pd.DataFrame,
    *,
    against: Mapping[str, str],
    resamples: int = RESAMPLES,
) -> dict[str, dict[str, Any]]:
    """For every table of held-out scores (source, image_id, logit, camera, fold): METRICS by group, their differences
    to another (`against` names it; an entry it does not name has none), and how well the camera was told.

    Only images that all tables have are compared. Every figure is the mean over the folds of its table: the networks
    of a cross-validation do not speak on one scale, and one ranking of all their scores would punish the recipes whose
    networks differ most. Intervals are bootstrapped over the `group` of `rows`. Raises DataError when the tables share
    no image.
    """
    shared = rows.set_index(_KEY)
    tables = {name: table.set_index(_KEY) for name, table in scores.items()}
    for table in tables.values():
        shared = shared[shared.index.isin(table.index)]
    if shared.empty:
        raise DataError("The tables of scores have no image in common.")
    aligned = {name: table.reindex(shared.index) for name, table in tables.items()}
    rows = shared.reset_index()
    results: dict[str, dict[str, Any]] = {}
    for name, table in aligned.items():
        other = against.get(name)
        values: dict[str, Any] = {metric: {} for metric in METRICS}
        differences: dict[str, Any] = {metric: {} for metric in METRICS if other}
        for group, mask in groups_of_interest(rows).items():
            chosen = mask.to_numpy()
            targets, members = rows["target"].to_numpy()[chosen], rows["group"].to_numpy()[chosen]
            one = _Folds.of(table[chosen], "logit", targets)
            two = _Folds.of(aligned[other][chosen], "logit", targets) if other else None
            found = _estimates(one, two, targets, members, resamples)
            for metric in METRICS:
                values[metric][group] = found[metric].to_dict()
                if two:
                    differences[metric][group] = found[_DIFFERENCE + metric].to_dict()
        results[name] = {
            **values,
            "against": other,
            "difference": differences,
            "camera": _camera(table, rows, resamples),
        }
    return results


class _Folds(NamedTuple):
    """The images of each fold, and their order by the scores of the network that did not see them."""

    members: list[NDArray[np.intp]]
    rankings: list[Ranking]

    @classmethod
    def of(cls, table: pd.DataFrame, column: str, targets: NDArray[Any]) -> "_Folds":
        scores, fold_of = table[column].to_numpy(float), table["fold"].to_numpy()
        members = [np.flatnonzero(fold_of == fold) for fold in np.unique(fold_of)]
        return cls(members, [Ranking.of(scores[fold], targets[fold]) for fold in members])

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """METRICS (R,) with image weights (R, N), each the mean over the folds in which it is defined."""
        counts = [ranking.counts(weights[:, fold]) for fold, ranking in zip(self.members, self.rankings, strict=True)]
        return {name: _mean([metric(fold) for fold in counts]) for name, metric in METRICS.items()}


def _mean(values: list[Floats]) -> Floats:
    """(R,) of what is no nan; nan where all are."""
    stacked = np.stack(values)
    return ratio(np.nansum(stacked, axis=0), (~np.isnan(stacked)).sum(axis=0))


def _estimates(
    one: _Folds, two: _Folds | None, targets: NDArray[Any], groups: NDArray[Any], resamples: int
) -> dict[str, Estimate]:
    """METRICS of `one`, and by _DIFFERENCE and their name what they are less those of `two`, drawn together."""

    def measure(weights: Floats) -> dict[str, Floats]:
        first = one.measure(weights)
        second = two.measure(weights) if two else {}
        return first | {_DIFFERENCE + name: first[name] - value for name, value in second.items()}

    return bootstrap(measure, targets, groups, resamples=resamples)


def _camera(table: pd.DataFrame, rows: pd.DataFrame, resamples: int) -> dict[str, Any] | None:
    """AUC with which the probe told CAMERA_SIZE among benign photos; None where nothing was probed."""
    probed = np.isfinite(table["camera"].to_numpy(float))
    if not probed.any():
        return None
    size = of_camera(rows).to_numpy()[probed].astype(int)
    told = _Folds.of(table[probed], "camera", size)
    return _estimates(told, None, size, rows["group"].to_numpy()[probed], resamples)["auc"].to_dict()


def table_of(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The comparison as a Markdown document."""
    groups = list(next(iter(results.values()))["auc"])
    lines = [
        "# What each choice of the recipe is worth",
        "",
        "Written by `python train/ablate.py`. ROC AUC on held-out images in 5-fold cross-validation by patient or",
        "lesion (by image where an entry says so), averaged over the folds, with its 95 % interval; below it the",
        "paired difference to the entry named. A difference whose interval includes 0 is inconclusive; one whose",
        "interval excludes 0 means that the choice made a difference to these trained networks. Each entry was",
        "trained once, so no interval covers the variation between seeds (see `another-seed` and `base-again` for a",
        "short run), and with this many comparisons some exclude 0 by chance. *Camera probe*: AUC with which a linear",
        "probe on the features picks out 6000x4000 originals among benign photos; 0.5 would mean that the features",
        "carry no such information. docs/training.md explains the terms.",
        "",
        "| entry | " + " | ".join(groups) + " | camera probe |",
        "|---|" + "---|" * (len(groups) + 1),
    ]
    for name, result in results.items():
        cells = []
        for group in groups:
            cell = _shown(result["auc"][group], "{:.3f}")
            if result["difference"]:
                cell += f"<br>{_shown(result['difference']['auc'][group], '{:+.3f}')} to {result['against']}"
            cells.append(cell)
        camera = _shown(result["camera"], "{:.3f}") if result["camera"] else "not probed"
        lines.append(f"| **{name}**: {result['why']} | " + " | ".join([*cells, camera]) + " |")
    counts = next(iter(results.values()))["auc"]
    lines += [
        "",
        "Images (melanomas): "
        + "; ".join(f"{g} {counts[g]['n']:,} ({counts[g]['positives']:,})" for g in groups)
        + ".",
    ]
    return "\n".join(lines) + "\n"


def _shown(estimate: Mapping[str, Any], form: str) -> str:
    if estimate["value"] is None:
        return "not defined"
    value = form.format(estimate["value"])
    if estimate["low"] is None:
        return value
    return f"{value} ({form.format(estimate['low'])} to {form.format(estimate['high'])})"
