"""The figures of an evaluation. Each takes one source's block of `metrics.json`, and curves or predictions.

Numbers written into a figure come from that block. Bands and bars are 95 %.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from scipy.special import expit, logit

from isic_screen.evaluation.bands import MIN_FLAGGED, Band, Bands, threshold_range
from isic_screen.evaluation.decision_curve import decision_band
from isic_screen.evaluation.decision_figure import decision_figure
from isic_screen.evaluation.figure_labels import (
    Block,
    interval,
    mark_thresholds,
    marked_points,
    roc_key,
    sample,
    titled,
)
from isic_screen.evaluation.figure_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    MELANOMA,
    OTHER,
    SMALL_SIZE,
    TEXT_SIZE,
    TITLE_SIZE,
    VERMILLION,
    label_axes,
    new_figure,
    probability_axis,
    save,
    set_title,
)
from isic_screen.wording import percent

_HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}


def evaluation_figures(
    rows: pd.DataFrame, block: Block, *, name: str, prevalence: float, resamples: int = 500, seed: int = 0
) -> dict[str, Figure]:
    """All figures of the source `name`, by file stem. With one class only, the scores are all that can be drawn."""
    probabilities = rows["probability"].to_numpy(dtype=float)
    histogram = score_histogram(probabilities, rows["target"].to_numpy(), block, name=name)
    if block["reason"] or not block["positives"] or not block["negatives"]:
        return {"score_histogram": histogram}
    bands = Bands.of(rows, prevalence, resamples=resamples, seed=seed)
    worth = decision_band(rows, prevalence, resamples=resamples, seed=seed)
    return {
        "roc": roc(bands.roc, block, name=name),
        "decision_curve": decision_figure(worth, block, name=name, prevalence=prevalence),
        "precision_recall_threshold": precision_recall_threshold(bands, block, name=name, prevalence=prevalence),
        "confusion_matrix": confusion_matrix(block, name=name),
        "reliability": reliability(block, name=name, prevalence=prevalence),
        "score_histogram": histogram,
    }


def roc(band: Band, block: Block, *, name: str) -> Figure:
    """Sensitivity over false positive rate, with the operating points marked."""
    figure, (axes,) = new_figure(width=5.2, height=5.4)
    set_title(axes, titled("ROC curve", name), sample(block))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(0.30, 0.285, "chance", color=GREY, fontsize=SMALL_SIZE, rotation=45, ha="center", va="top")
    axes.fill_between(band.x, band.low, band.high, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(np.r_[0, band.x], np.r_[0, band.y], color=BLUE, linewidth=2, solid_joinstyle="round")
    for target, point in marked_points(block):
        x, y = 1 - point["specificity"]["value"], point["sensitivity"]["value"]
        axes.plot(x, y, "o", color=VERMILLION, markersize=7, markeredgecolor="white", zorder=5, clip_on=False)
        axes.annotate(
            percent(target), (x, y), (5, -7), textcoords="offset points", va="top", color=VERMILLION,
            fontsize=SMALL_SIZE, bbox=_HALO, zorder=4,
        )  # fmt: skip
    axes.text(
        0.985, 0.03, "\n".join(roc_key(block)), transform=axes.transAxes, ha="right", va="bottom", fontsize=TEXT_SIZE,
        color=INK, linespacing=1.5, bbox=_HALO,
    )  # fmt: skip
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    _percent_axes(axes.xaxis, axes.yaxis)
    label_axes(axes, "False positive rate (1 − specificity)", "Sensitivity")
    return figure


def precision_recall_threshold(bands: Bands, block: Block, *, name: str, prevalence: float) -> Figure:
    """Precision and recall over the threshold, the paper's plot; precision at the stated prevalence."""
    figure, (axes,) = new_figure(width=6.4, height=5.0)
    drawn = f"Precision is drawn while at least {MIN_FLAGGED} images are flagged."
    set_title(axes, titled("Precision and recall by threshold", name), sample(block), drawn, raised=True)
    probability_axis(axes, float(bands.recall.x[0]), float(bands.recall.x[-1]))
    for band, colour in ((bands.recall, BLUE), (bands.precision, VERMILLION)):
        axes.fill_between(band.x, band.low, band.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(band.x, band.y, color=colour, linewidth=2)
    mark_thresholds(axes, block)
    left = len(bands.precision.x) * 3 // 10
    above_precision = np.nanmax(np.r_[bands.precision.high[:left], bands.precision.y[:left], 0])
    words: dict[str, Any] = {
        "transform": axes.get_yaxis_transform(),
        "fontsize": TEXT_SIZE,
        "fontweight": "bold",
        "bbox": _HALO,
    }
    axes.text(0.015, 0.96, "Recall\n(sensitivity)", va="top", color=BLUE, **words)
    label = f"Precision\nat {percent(prevalence)} prevalence"
    axes.text(0.015, min(above_precision + 0.035, 0.7), label, va="bottom", color=VERMILLION, **words)
    axes.set_ylim(-0.015, 1.015)
    _percent_axes(axes.yaxis)
    label_axes(axes, f"Threshold: calibrated probability at {percent(prevalence)} prevalence", "")
    return figure


def confusion_matrix(block: Block, *, name: str) -> Figure:
    """Counts at the threshold for 95 % sensitivity, beside those at the paper's 0.5."""
    points = block["operating_points"]
    chosen = points.get("shipped_0.95", points["sample_0.95"])
    figure, panels = new_figure(1, 2, width=7.6, height=4.4)
    # Not set_title: two panels share the words, and words as wide as both would push them apart.
    figure.suptitle(
        titled("Confusion matrix", name), x=0.02, ha="left", fontsize=TITLE_SIZE, fontweight="bold", color=INK
    )
    footnote = f"{sample(block)}; percentages are of the row"
    figure.supxlabel(footnote, x=0.02, ha="left", fontsize=SMALL_SIZE, color=GREY)
    for axes, point in zip(panels, (chosen, points["paper_0.5"]), strict=True):
        _confusion_panel(axes, point)
    panels[1].set_yticklabels([])
    return figure


def reliability(block: Block, *, name: str, prevalence: float) -> Figure:
    """Observed share of melanomas against the predicted probability, re-weighted to the prevalence; both axes log."""
    figure, (axes,) = new_figure(width=5.2, height=5.9)
    bins = block["reliability"]
    positive = [
        value for point in bins for value in (point["predicted"], point["observed"], point["high"]) if value > 0
    ]
    floor, ceiling = max(min([*positive, prevalence]) / 1.8, 1e-5), min(max([*positive, prevalence]) * 1.6, 1.0)
    axes.set(xscale="log", yscale="log", xlim=(floor, ceiling), ylim=(floor, ceiling), aspect="equal")
    axes.plot([floor, ceiling], [floor, ceiling], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    for point in bins:
        none_seen = point["observed"] == 0
        x, y = max(point["predicted"], floor), floor if none_seen else max(point["observed"], floor)
        axes.plot([x, x], [max(point["low"], floor), point["high"]], color=BLUE, linewidth=1.3, alpha=0.75)
        face = "white" if none_seen else BLUE
        axes.plot(x, y, "o", markersize=6.5, color=BLUE, markerfacecolor=face, zorder=5, clip_on=False)
    for axis in (axes.xaxis, axes.yaxis):
        ticks = [tick for tick in (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1) if floor <= tick <= ceiling]
        axis.set_ticks(ticks, [percent(tick) for tick in ticks])
        axis.set_ticks([], minor=True)
    metrics = block["metrics"]
    hollow = "; hollow: none seen" if any(point["observed"] == 0 for point in bins) else ""
    set_title(
        axes,
        titled("Reliability", name),
        sample(block),
        f"Calibration error {interval(metrics['calibration_error'], 4)}",
        f"Brier score {interval(metrics['brier'], 4)}",
        f"{len(bins)} equally filled bins; dashed: perfect{hollow}",
    )
    label_axes(axes, "Predicted probability of melanoma", f"Observed share, at {percent(prevalence)} prevalence")
    return figure


def score_histogram(probabilities: np.ndarray, targets: np.ndarray, block: Block, *, name: str) -> Figure:
    """How the calibrated probabilities of melanomas and of others are spread, each class summing to 100 %."""
    figure, (axes,) = new_figure(width=6.4, height=4.2)
    set_title(axes, titled("Scores by diagnosis", name), sample(block), raised=True)
    low, high = threshold_range(probabilities)
    probability_axis(axes, low, high)
    edges = expit(np.linspace(logit(low), logit(high), 31))
    for label, value, colour, side in (("Other", 0, OTHER, "left"), ("Melanoma", 1, MELANOMA, "right")):
        scores = np.clip(probabilities[targets == value], low, high)
        if not len(scores):
            continue
        share = np.histogram(scores, edges)[0] / len(scores)
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.28)
        axes.stairs(share, edges, color=colour, linewidth=1.6, baseline=None)
        axes.text(
            0.015 if side == "left" else 0.985, 0.975, f"{label} ({len(scores):,})", transform=axes.transAxes, ha=side,
            va="top", color=colour, fontsize=TEXT_SIZE, fontweight="bold", bbox=_HALO,
        )  # fmt: skip
    axes.margins(y=0.15)  # room for the two names above the highest bar
    axes.set_ylim(bottom=0)
    mark_thresholds(axes, block)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share)))
    label_axes(axes, "Calibrated probability of melanoma", "Share of the class")
    return figure


def learning_curves(history: pd.DataFrame) -> Figure:
    """Loss, AUC and learning rate by epoch; `history` is the table that training writes as `history.csv`."""
    figure, (loss, auc, rate) = new_figure(3, 1, width=5.6, height=6.4, heights=(3, 3, 1.3))
    epochs = history["epoch"].to_numpy()
    best = history.iloc[int(history["validation_auc"].to_numpy().argmax())]
    set_title(loss, "Training", f"Best epoch {int(best['epoch'])}: validation AUC {best['validation_auc']:.4f}")
    style: dict[str, Any] = {"linewidth": 2, "marker": "o", "markersize": 4}
    for column, label, colour in (("train_loss", "training", BLUE), ("validation_loss", "validation", VERMILLION)):
        loss.plot(epochs, history[column], color=colour, **style)
        loss.annotate(
            label, (epochs[-1], history[column].iloc[-1]), (7, 0), textcoords="offset points", va="center",
            color=colour, fontsize=TEXT_SIZE, annotation_clip=False,
        )  # fmt: skip
    auc.plot(epochs, history["validation_auc"], color=VERMILLION, **style)
    auc.plot(best["epoch"], best["validation_auc"], "o", color=GREEN, markersize=9, markeredgecolor="white", zorder=5)
    rate.plot(epochs, history["learning_rate"], drawstyle="steps-mid", color=INK, marker="o", markersize=3.5)
    rate.set_yscale("log")
    for axes, label in ((loss, "Loss"), (auc, "Validation AUC"), (rate, "Learning rate")):
        axes.axvline(best["epoch"], color=GREEN, linewidth=1.2, alpha=0.7, zorder=0)
        label_axes(axes, "Epoch" if axes is rate else "", label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    figure.align_ylabels()
    return figure


def save_curves(history: pd.DataFrame, path: Path) -> None:
    """Draw the training curves into a PNG."""
    save(learning_curves(history), path)


def _confusion_panel(axes: Axes, point: Block) -> None:
    counts = point["confusion"]
    cells = (
        ("true_positives", "found", 0, 0, True),
        ("false_negatives", "missed", 0, 1, False),
        ("false_positives", "false alarms", 1, 0, False),
        ("true_negatives", "rightly cleared", 1, 1, True),
    )
    totals = (
        counts["true_positives"] + counts["false_negatives"],
        counts["false_positives"] + counts["true_negatives"],
    )
    for key, label, row, column, right in cells:
        share = counts[key] / totals[row]
        colour = BLUE if right else VERMILLION
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, alpha=0.06 + 0.5 * share, linewidth=0))
        axes.text(column + 0.5, row + 0.40, f"{counts[key]:,}", ha="center", va="center", fontsize=17, color=INK)
        axes.text(
            column + 0.5, row + 0.68, f"{label}\n{percent(share)}", ha="center", va="center", fontsize=SMALL_SIZE,
            color=INK, linespacing=1.4,
        )  # fmt: skip
    axes.axhline(1, color="white", linewidth=3)
    axes.axvline(1, color="white", linewidth=3)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set(xlim=(0, 2), ylim=(2, 0), aspect="equal")
    axes.set_xticks([0.5, 1.5], ["flagged", "not flagged"])
    axes.set_yticks([0.5, 1.5], [f"melanoma\n({totals[0]:,})", f"other\n({totals[1]:,})"])
    axes.tick_params(length=0, labelsize=TEXT_SIZE)
    threshold = percent(point["threshold"]) if point["scale"] == "probability" else f"{point['threshold']:g}"
    axes.set_title(f"{point['label']}\nthreshold {threshold}", loc="left", fontsize=TEXT_SIZE, color=INK, pad=8)


def _percent_axes(*every: Any) -> None:
    for axis in every:
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
