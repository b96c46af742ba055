"""The evaluation report: metrics.json, predictions.csv, figures, and report.md, which shows what metrics.json holds."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from isic_screen.evaluation.evaluation import COLUMNS, checked_predictions, evaluate
from isic_screen.evaluation.figure_labels import images_by_group
from isic_screen.evaluation.figure_style import save
from isic_screen.evaluation.figures import evaluation_figures
from isic_screen.evaluation.intervals import RESAMPLES
from isic_screen.evaluation.operating import COUNTED
from isic_screen.evaluation.subgroups import TOO_FEW
from isic_screen.whole_file import whole_file
from isic_screen.wording import counted, percent

METRIC_LABELS = {
    "roc_auc": "ROC AUC",
    "partial_auc": "Partial AUC above 80 % sensitivity (0 to 0.2)",
    "average_precision": "Average precision, in the sample",
    "average_precision_at_prevalence": "Average precision, at the stated prevalence",
    "specificity_at_0.90_sensitivity": "Specificity at 90 % sensitivity",
    "specificity_at_0.95_sensitivity": "Specificity at 95 % sensitivity",
    "specificity_at_0.98_sensitivity": "Specificity at 98 % sensitivity",
    "brier": "Brier score, at the stated prevalence",
    "calibration_error": "Calibration error, at the stated prevalence",
    "mean_probability": "Mean probability, at the stated prevalence",
}
FIGURES = {
    "roc": "ROC curve",
    "decision_curve": "Decision curve",
    "precision_recall_threshold": "Precision and recall versus threshold",
    "confusion_matrix": "Confusion matrices",
    "reliability": "Reliability",
    "score_histogram": "Scores by class",
}


def write_report(
    out: Path,
    predictions: pd.DataFrame,
    *,
    prevalence: float,
    operating_points: Mapping[str, float] | None = None,
    title: str,
    notes: Sequence[str] = (),
    model_line: str = "",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Evaluate `predictions` (see `evaluate`) and write the report to the folder `out`; returns metrics.json's content.

    With one class only the report is written all the same, with the reasons why figures are missing.
    """
    predictions = checked_predictions(predictions)
    metrics = evaluate(
        predictions, prevalence=prevalence, operating_points=operating_points, seed=seed, resamples=resamples
    )
    figures_folder = out / "figures"
    figures_folder.mkdir(parents=True, exist_ok=True)
    several = len(metrics["sources"]) > 1
    pictures: dict[str, list[tuple[str, str]]] = {}
    file_names = _file_names(metrics["sources"])
    for source, rows in predictions.groupby("source", sort=True):
        figures = evaluation_figures(
            rows, metrics["sources"][str(source)], name=str(source), prevalence=prevalence, seed=seed
        )
        pictures[str(source)] = []
        for stem, figure in figures.items():
            file = f"{file_names[str(source)]}_{stem}.png" if several else f"{stem}.png"
            save(figure, figures_folder / file)
            pictures[str(source)].append((FIGURES[stem], f"figures/{file}"))
    extra = [column for column in ("fold", "novelty", "camera") if column in predictions]
    _write(out / "predictions.csv", predictions[[*COLUMNS, *extra]].to_csv(index=False, lineterminator="\n"))
    _write(out / "metrics.json", json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    _write(out / "report.md", report(metrics, pictures, title, notes, model_line))
    return metrics


def estimate(value: Mapping[str, Any]) -> str:
    """A value of metrics.json with its 95 % interval as text, or why there is none."""
    if value["value"] is None:
        return f"not defined: {value['reason']}"
    if value["low"] is None:
        return f"{rounded(value['value'])} (no interval)"
    return f"{rounded(value['value'])} ({rounded(value['low'])} to {rounded(value['high'])})"


def camera_line(block: Mapping[str, Any]) -> str:
    """A sentence on the camera shortcut (see `evaluate`), or nothing where the originals' size is not known."""
    shortcut = block["camera_shortcut"]
    if not shortcut or shortcut["roc_auc"] is None:
        return ""
    auc = shortcut["roc_auc"]
    return (
        f"Without the {counted(shortcut['images'], 'image')} of 6000 x 4000 originals "
        f"({counted(shortcut['melanomas'], 'melanoma')}), "
        f"a size found almost only among benign images of ISIC 2020, the ROC AUC is {estimate(auc)}, "
        f"on {counted(auc['n'], 'image')} with {counted(auc['positives'], 'melanoma')}."
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(
    metrics: Mapping[str, Any],
    pictures: Mapping[str, list[tuple[str, str]]],
    title: str,
    notes: Sequence[str],
    model_line: str = "",
) -> str:
    """The content of report.md: every figure of `metrics`, and by source the (label, file) of its `pictures`."""
    parts = [f"# {title}", model_line, "\n".join(f"- {note}" for note in notes)]
    parts.append(
        f"Stated prevalence: {percent(metrics['prevalence'])}. Intervals: {metrics['methods']['intervals']}, "
        f"{metrics['resamples']} resamples; {metrics['methods']['proportions']}."
    )
    if len(metrics["sources"]) > 1:
        parts.append(f"Results are given for each source separately, {metrics['overall']['reason']}.")
    for source, block in metrics["sources"].items():
        parts += _source_section(source, block, pictures[source], metrics["brier_reference"])
    return "\n\n".join(part for part in parts if part) + "\n"


def _source_section(
    source: str, block: Mapping[str, Any], pictures: list[tuple[str, str]], brier_reference: float
) -> list[str]:
    points = block["operating_points"].values()
    usable = [point for point in points if point["reason"] is None]
    metrics = block["metrics"]
    return [
        f"## {source}",
        f"{images_by_group(block['n'], block['groups'])}; {counted(block['positives'], 'melanoma')} "
        f"({percent(block['sample_prevalence'])}).",
        "Intervals treat the images as independent." if block["groups"] == block["n"] else "",
        table(("", "value (95 % interval)"), [(METRIC_LABELS[name], _cell(value)) for name, value in metrics.items()]),
        *_reasons(metrics.values()),
        camera_line(block),
        f"For comparison, predicting the prevalence for every image gives a Brier score of {rounded(brier_reference)}.",
        "### Thresholds",
        table(
            ("operating point", "threshold", "sensitivity", "specificity", "precision", "NPV"),
            [
                (point["label"], f"{point['threshold']:.4g}", *(_counted(point[rate]) for rate in COUNTED))
                for point in usable
            ],
        ),
        *_reasons(point[rate] for point in usable for rate in COUNTED),
        "Per 1,000 people, at the stated prevalence:",
        table(
            ("operating point", "flagged", "melanomas missed", "precision", "NPV"),
            [(point["label"], *(_cell(point[rate]) for rate in _PER_1000)) for point in usable],
        ),
        *_reasons(point[rate] for point in usable for rate in _PER_1000),
        *(f"{point['label']}: no threshold, as {point['reason']}." for point in points if point["reason"]),
        *(_classification(point) for point in usable if point["chosen_on"] == "fixed"),
        *_subgroups(block),
        "### Figures",
        *(f"![{label}]({file})" for label, file in pictures),
        *_reasons([metrics["roc_auc"]], "The other figures need both classes"),
    ]


def _subgroups(block: Mapping[str, Any]) -> list[str]:
    """The groups of people and photos; nothing where they are not known."""
    found = block["subgroups"]
    if found is None:
        return []
    camera = "camera" in found["by"]
    return [
        "### Subgroups of people and photos",
        f"Sensitivity and specificity at the threshold {found['threshold']:.4g} ({found['label']}). "
        f'"{TOO_FEW.capitalize()}" means fewer than {found["min_of_class"]} melanomas, or other images, to measure on. '
        "With this many intervals some differ by chance, and subgroups differ in more than the characteristic named"
        + (", such as in how often one camera took their photos." if camera else "."),
        table(
            ("group", "melanomas / others", "ROC AUC", "sensitivity", "specificity"),
            [
                (
                    # A label is whatever the data set's table says, and could break this one.
                    f"{characteristic}: {group['label']}".replace("|", "\\|"),
                    f"{group['positives']:,} / {group['negatives']:,}",
                    *(_group_cell(group[name]) for name in ("roc_auc", "sensitivity", "specificity")),
                )
                for characteristic, groups in found["by"].items()
                for group in groups
            ],
        ),
    ]


def _group_cell(value: Mapping[str, Any]) -> str:
    return TOO_FEW if value["reason"] == TOO_FEW else estimate(value)


_PER_1000 = ("flagged_per_1000", "missed_per_1000", "precision_at_prevalence", "npv_at_prevalence")


def _cell(value: Mapping[str, Any]) -> str:
    """An estimate in a table that has its `_reasons` below it."""
    return "not defined" if value["value"] is None else estimate(value)


def _reasons(values: Iterable[Mapping[str, Any]], subject: str = "Not defined") -> list[str]:
    """Why values are missing, each reason once; nothing when none is."""
    reasons = dict.fromkeys(value["reason"] for value in values if value["value"] is None)
    return [f"{subject}: {'; '.join(reasons)}."] if reasons else []


def _classification(point: Mapping[str, Any]) -> str:
    """scikit-learn's classification report and the confusion matrix at one threshold."""
    report, counts = point["classification_report"], point["confusion"]
    rows = [
        (name, *(_share(values[column]) for column in ("precision", "recall", "f1-score")), f"{values['support']:,}")
        for name, values in report.items()
        if isinstance(values, Mapping) and "support" in values
    ]
    undefined = "".join(f"\n\nNot defined: {reason}." for reason in dict.fromkeys(report["undefined"].values()))
    return (
        f"### Classification report: {point['label']}\n\n"
        + table(("", "precision", "recall", "f1-score", "images"), rows)
        + undefined
        + f"\n\nFlagged: {counted(counts['true_positives'], 'melanoma')} and "
        f"{counted(counts['false_positives'], 'other image')}; not flagged: "
        f"{counted(counts['false_negatives'], 'melanoma')} and {counted(counts['true_negatives'], 'other image')}."
    )


def _counted(value: Mapping[str, Any]) -> str:
    text = _cell(value)
    return text if value["value"] is None else f"{text}, {value['count']} of {value['total']}"


def _share(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def rounded(value: float) -> str:
    """A value with as many decimals as it needs; what is below 1 never reads as 1, which of a rate means always."""
    if abs(value) >= 10:
        return f"{value:.1f}"
    if 0.9995 <= value < 1:
        return f"{min(value, 0.9999):.4f}"
    return f"{value:.3f}" if abs(value) >= 0.02 else f"{value:.4f}"


def _file_names(sources: Iterable[str]) -> dict[str, str]:
    """For each source, which is a folder's name, a part of file names that a Markdown link can hold; no two alike."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for source in sources:
        name = plain = re.sub(r"[^\w.-]+", "-", source)
        number = 1
        while name.casefold() in taken:  # some file systems take "A" for "a"
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.casefold())
        found[source] = name
    return found


def _write(file: Path, text: str) -> None:
    with whole_file(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
