"""The figures of an evaluation. Each takes one source's block of `metrics.json`, and curves or predictions.

Numbers written into a figure come from that block. Bands and bars are 95 %.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter
from scipy.special import expit, logit

from isic_screen.evaluation.bands import Band, Bands, threshold_range
from isic_screen.evaluation.figure_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    MELANOMA,
    OTHER,
    SMALL_SIZE,
    TEXT_SIZE,
    VERMILLION,
    label_axes,
    new_figure,
    percent,
    probability_axis,
    save,
    set_title,
)

Block = Mapping[str, Any]
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
    return {
        "roc": roc(bands.roc, block, name=name),
        "precision_recall_threshold": precision_recall_threshold(bands, block, name=name, prevalence=prevalence),
        "confusion_matrix": confusion_matrix(block, name=name),
        "reliability": reliability(block, name=name, prevalence=prevalence),
        "score_histogram": histogram,
    }


def roc(band: Band, block: Block, *, name: str) -> Figure:
    """Sensitivity over false positive rate, with the operating points marked."""
    figure, (axes,) = new_figure(width=5.2, height=5.4)
    set_title(figure, "ROC curve", _sample(block, name))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(0.30, 0.285, "chance", color=GREY, fontsize=SMALL_SIZE, rotation=45, ha="center", va="top")
    axes.fill_between(band.x, band.low, band.high, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(np.r_[0, band.x], np.r_[0, band.y], color=BLUE, linewidth=2, solid_joinstyle="round")
    for target, point in _marked(block):
        x, y = 1 - point["specificity"]["value"], point["sensitivity"]["value"]
        axes.plot(x, y, "o", color=VERMILLION, markersize=7, markeredgecolor="white", zorder=5, clip_on=False)
        axes.annotate(
            percent(target), (x, y), (5, -7), textcoords="offset points", va="top", color=VERMILLION,
            fontsize=SMALL_SIZE, bbox=_HALO, zorder=4,
        )  # fmt: skip
    axes.text(
        0.985, 0.03, "\n".join(_roc_key(block)), transform=axes.transAxes, ha="right", va="bottom", fontsize=TEXT_SIZE,
        color=INK, linespacing=1.5, bbox=_HALO,
    )  # fmt: skip
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    _percent_axes(axes.xaxis, axes.yaxis)
    label_axes(axes, "False positive rate (1 − specificity)", "Sensitivity")
    return figure


def precision_recall_threshold(bands: Bands, block: Block, *, name: str, prevalence: float) -> Figure:
    """Precision and recall over the threshold, the paper's plot; precision at the stated prevalence."""
    figure, (axes,) = new_figure(width=6.4, height=4.6)
    set_title(figure, "Precision and recall by threshold", _sample(block, name) + "\n")
    probability_axis(axes, float(bands.recall.x[0]), float(bands.recall.x[-1]))
    for band, colour in ((bands.recall, BLUE), (bands.precision, VERMILLION)):
        axes.fill_between(band.x, band.low, band.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(band.x, band.y, color=colour, linewidth=2)
    _mark_thresholds(axes, block)
    middle = int(np.argmin(np.abs(bands.recall.y - 0.55)))
    axes.annotate(
        "Recall\n(sensitivity)", (bands.recall.x[middle], bands.recall.y[middle]), (16, 4), textcoords="offset points",
        color=BLUE, fontsize=TEXT_SIZE, fontweight="bold", va="bottom", bbox=_HALO,
    )  # fmt: skip
    start = len(bands.precision.x) // 25
    height = np.nanmax(np.r_[bands.precision.high[: len(bands.precision.x) // 3], 0])
    axes.text(
        bands.precision.x[start], height + 0.03, f"Precision at {percent(prevalence)} prevalence",
        color=VERMILLION, fontsize=TEXT_SIZE, fontweight="bold", va="bottom", bbox=_HALO,
    )  # fmt: skip
    axes.set_ylim(-0.015, 1.015)
    _percent_axes(axes.yaxis)
    label_axes(axes, f"Threshold: calibrated probability at {percent(prevalence)} prevalence", "")
    return figure


def confusion_matrix(block: Block, *, name: str) -> Figure:
    """Counts at the threshold for 95 % sensitivity, beside those at the paper's 0.5."""
    points = block["operating_points"]
    chosen = points.get("shipped_0.95", points["sample_0.95"])
    figure, panels = new_figure(1, 2, width=7.6, height=4.3)
    figure.suptitle("Confusion matrix", x=0.02, ha="left", fontsize=12, fontweight="bold", color=INK)
    figure.supxlabel(
        f"{_sample(block, name)}. Percentages are of the row.", x=0.02, ha="left", fontsize=SMALL_SIZE, color=GREY
    )
    for axes, point in zip(panels, (chosen, points["paper_0.5"]), strict=True):
        _confusion_panel(axes, point)
    panels[1].set_yticklabels([])
    return figure


def reliability(block: Block, *, name: str, prevalence: float) -> Figure:
    """Observed share of melanomas against the predicted probability, re-weighted to the prevalence; both axes log."""
    figure, (axes,) = new_figure(width=5.2, height=5.4)
    set_title(figure, "Reliability of the probability", _sample(block, name))
    bins = block["reliability"]
    positive = [
        value for point in bins for value in (point["predicted"], point["observed"], point["high"]) if value > 0
    ]
    floor, ceiling = max(min([*positive, prevalence]) / 1.8, 1e-5), min(max([*positive, prevalence]) * 1.6, 1.0)
    axes.set(xscale="log", yscale="log", xlim=(floor, ceiling), ylim=(floor, ceiling), aspect="equal")
    axes.plot([floor, ceiling], [floor, ceiling], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    for point in bins:
        none_seen = point["observed"] == 0
        x, y = point["predicted"], floor if none_seen else point["observed"]
        axes.plot([x, x], [max(point["low"], floor), point["high"]], color=BLUE, linewidth=1.3, alpha=0.75)
        face = "white" if none_seen else BLUE
        axes.plot(x, y, "o", markersize=6.5, color=BLUE, markerfacecolor=face, zorder=5, clip_on=False)
    for axis in (axes.xaxis, axes.yaxis):
        ticks = [tick for tick in (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1) if floor <= tick <= ceiling]
        axis.set_ticks(ticks, [percent(tick) for tick in ticks])
        axis.set_ticks([], minor=True)
    metrics = block["metrics"]
    lines = [
        f"Calibration error {_interval(metrics['calibration_error'], 4)}",
        f"Brier score {_interval(metrics['brier'], 4)}",
        f"{len(bins)} bins of equally many images",
    ]
    if any(point["observed"] == 0 for point in bins):
        lines.append("hollow: no melanoma in the bin")
    axes.text(
        0.03, 0.97, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=SMALL_SIZE, color=INK,
        linespacing=1.5, bbox=_HALO,
    )  # fmt: skip
    axes.text(
        0.97,
        0.885,
        "perfect",
        transform=axes.transAxes,
        rotation=45,
        ha="right",
        va="top",
        color=GREY,
        fontsize=SMALL_SIZE,
    )
    label_axes(axes, "Predicted probability of melanoma", f"Observed share, at {percent(prevalence)} prevalence")
    return figure


def score_histogram(probabilities: np.ndarray, targets: np.ndarray, block: Block, *, name: str) -> Figure:
    """How the calibrated probabilities of melanomas and of others are spread, each class summing to 100 %."""
    figure, (axes,) = new_figure(width=6.4, height=4.2)
    set_title(figure, "Scores by diagnosis", _sample(block, name) + "\n")
    low, high = threshold_range(probabilities)
    probability_axis(axes, low, high)
    edges = expit(np.linspace(logit(low), logit(high), 31))
    for label, value, colour in (("Other", 0, OTHER), ("Melanoma", 1, MELANOMA)):
        scores = np.clip(probabilities[targets == value], low, high)
        if not len(scores):
            continue
        share = np.histogram(scores, edges)[0] / len(scores)
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.28)
        axes.stairs(share, edges, color=colour, linewidth=1.6, baseline=None)
        peak = int(share.argmax())
        axes.annotate(
            f"{label} ({len(scores):,})", (float(np.sqrt(edges[peak] * edges[peak + 1])), share[peak]), (0, 5),
            textcoords="offset points", ha="center", color=colour, fontsize=TEXT_SIZE, fontweight="bold", bbox=_HALO,
        )  # fmt: skip
    axes.margins(y=0.14)
    axes.set_ylim(bottom=0)
    _mark_thresholds(axes, block)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    label_axes(axes, "Calibrated probability of melanoma", "Share of the class")
    return figure


def learning_curves(history: pd.DataFrame) -> Figure:
    """Loss, AUC and learning rate by epoch; `history` is the table that training writes as `history.csv`."""
    figure, (loss, auc, rate) = new_figure(3, 1, width=5.6, height=6.4, heights=(3, 3, 1.3))
    epochs = history["epoch"].to_numpy()
    best = history.iloc[int(history["validation_auc"].to_numpy().argmax())]
    set_title(figure, "Training", f"Best epoch {int(best['epoch'])}: validation AUC {best['validation_auc']:.4f}")
    style: dict[str, Any] = {"linewidth": 2, "marker": "o", "markersize": 4}
    for column, label, colour in (("train_loss", "training", BLUE), ("validation_loss", "validation", VERMILLION)):
        loss.plot(epochs, history[column], color=colour, **style)
        loss.annotate(
            label, (epochs[-1], history[column].iloc[-1]), (7, 0), textcoords="offset points", va="center",
            color=colour, fontsize=TEXT_SIZE, annotation_clip=False,
        )  # fmt: skip
    auc.plot(epochs, history["validation_auc"], color=VERMILLION, **style)
    auc.plot(best["epoch"], best["validation_auc"], "o", color=GREEN, markersize=9, markeredgecolor="white", zorder=5)
    rate.step(epochs, history["learning_rate"], where="mid", color=INK, linewidth=1.6)
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


def _sample(block: Block, name: str) -> str:
    return f"{name}: {block['n']:,} images of {block['groups']:,} patients or lesions, {block['positives']:,} melanomas"


def _interval(estimate: Mapping[str, Any], digits: int) -> str:
    if estimate["low"] is None:
        return f"{estimate['value']:.{digits}f}"
    return f"{estimate['value']:.{digits}f} ({estimate['low']:.{digits}f} to {estimate['high']:.{digits}f})"


def _marked(block: Block) -> Iterator[tuple[float, Block]]:
    """The operating points that figures mark, with the sensitivity aimed at: as shipped where there are any."""
    points = block["operating_points"].values()
    for origin in ("model file", "this sample"):
        marked = [point for point in points if point["chosen_on"] == origin and point["target_sensitivity"]]
        marked = [point for point in marked if point["threshold"] is not None]
        if marked:
            yield from ((point["target_sensitivity"], point) for point in marked)
            return


def _roc_key(block: Block) -> Iterator[str]:
    yield f"AUC {_interval(block['metrics']['roc_auc'], 3)}"
    for target, point in _marked(block):
        origin = "as shipped" if point["chosen_on"] == "model file" else "on this sample"
        sensitivity, specificity = point["sensitivity"]["value"], point["specificity"]["value"]
        yield f"{percent(target)} {origin}: sens. {sensitivity:.2f}, spec. {specificity:.2f}"


def _mark_thresholds(axes: Axes, block: Block) -> None:
    """Vertical lines at the operating points, their aim written above the frame; labels are kept apart."""
    points = sorted(((point["threshold"], target) for target, point in _marked(block)), key=lambda pair: pair[0])
    if not points:
        return
    low, high = axes.get_xlim()
    span = logit(high) - logit(low)
    places: list[float] = []
    for threshold, target in points:
        if not low < threshold < high:
            continue
        axes.axvline(threshold, color=GREEN, linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
        place = (logit(threshold) - logit(low)) / span
        place = max(place, places[-1] + 0.075) if places else place
        places.append(place)
        axes.text(
            place,
            1.015,
            percent(target),
            transform=axes.transAxes,
            ha="center",
            va="bottom",
            color=GREEN,
            fontsize=SMALL_SIZE,
        )
    if places:
        axes.text(
            places[-1] + 0.045,
            1.015,
            "sensitivity aimed at",
            transform=axes.transAxes,
            va="bottom",
            color=GREEN,
            fontsize=SMALL_SIZE,
        )


def _percent_axes(*every: Any) -> None:
    for axis in every:
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
