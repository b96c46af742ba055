"""Figures say what the evaluation says, fit on the page, and are drawn without pyplot's global state."""

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from sklearn.metrics import roc_auc_score

from isic_screen.evaluation.bands import MIN_FLAGGED, Bands, percentiles
from isic_screen.evaluation.evaluation import evaluate
from isic_screen.evaluation.figure_labels import sample
from isic_screen.evaluation.figure_style import save
from isic_screen.evaluation.figures import evaluation_figures, learning_curves, save_curves
from isic_screen.wording import percent
from tests.simulated import SHIPPED, simulated_predictions

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4],
        "train_loss": [0.7, 0.6, 0.55, 0.5],
        "validation_loss": [0.68, 0.6, 0.58, 0.6],
        "validation_auc": [0.7, 0.76, 0.78, 0.77],
        "learning_rate": [1e-3, 1e-3, 1e-3, 1e-4],
        "seconds": [1.0, 1.0, 1.0, 1.0],
    }
)


def drawn(
    predictions: pd.DataFrame, shipped: dict[str, float] | None = None
) -> tuple[dict[str, Figure], dict[str, Any]]:
    block = evaluate(predictions, operating_points=shipped, resamples=50)["overall"]
    figures = evaluation_figures(predictions, block, name="isic2020", prevalence=0.018, resamples=50)
    return figures, block


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return simulated_predictions()


@pytest.fixture(scope="module")
def figures_and_block(predictions: pd.DataFrame) -> tuple[dict[str, Figure], dict[str, Any]]:
    return drawn(predictions, SHIPPED)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def said(figure: Figure) -> str:
    return "\n".join(texts(figure))


def assert_fits(figure: Figure) -> None:
    """No text is cut off by the edge of the figure."""
    figure.canvas.draw()
    page = figure.bbox
    for text in figure.findobj(Text):
        if not text.get_visible() or not text.get_text().strip():
            continue
        box = text.get_window_extent()
        if box.width == 0 or text.get_clip_on():
            continue
        outside = box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1 or box.y0 < page.y0 - 1 or box.y1 > page.y1 + 1
        assert not outside, f"{text.get_text()!r} is cut off"


def test_all_figures_are_drawn_and_name_the_sample(figures_and_block):
    figures, block = figures_and_block
    assert list(figures) == [
        "roc",
        "decision_curve",
        "precision_recall_threshold",
        "confusion_matrix",
        "reliability",
        "score_histogram",
    ]
    for figure in figures.values():
        assert "isic2020" in said(figure)
        assert f"{block['n']} images of {block['groups']} patients or lesions, {block['positives']} melanomas" in said(
            figure
        )


def test_images_that_nothing_groups_are_not_called_patients(figures_and_block):
    block = figures_and_block[1] | {"n": 2146, "groups": 2146, "positives": 400}
    assert sample(block) == "2,146 images, each its own group, 400 melanomas"


def test_roc_tells_the_auc_and_the_shipped_operating_points(figures_and_block):
    figures, block = figures_and_block
    auc = block["metrics"]["roc_auc"]
    words = said(figures["roc"])
    assert f"AUC {auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})" in words
    point = block["operating_points"]["shipped_0.95"]
    sensitivity, specificity = point["sensitivity"]["value"], point["specificity"]["value"]
    assert f"95 % as shipped: sens. {sensitivity:.2f}, spec. {specificity:.2f}" in words
    markers = [line.get_xydata()[0] for line in figures["roc"].axes[0].lines if line.get_marker() == "o"]
    assert any(np.allclose(marker, (1 - specificity, sensitivity)) for marker in markers)


def test_without_shipped_thresholds_those_of_the_sample_are_marked(predictions):
    figures, _ = drawn(predictions)
    assert "95 % on this sample" in said(figures["roc"])
    assert "chosen on this sample" in said(figures["confusion_matrix"])


def test_confusion_matrix_shows_counts_of_both_thresholds(figures_and_block):
    figures, block = figures_and_block
    shown = texts(figures["confusion_matrix"])
    for name in ("shipped_0.95", "paper_0.5"):
        for count in block["operating_points"][name]["confusion"].values():
            assert f"{count:,}" in shown
    assert "threshold 0.7 %" in said(figures["confusion_matrix"])


def test_precision_and_recall_are_named_and_precision_is_at_the_prevalence(figures_and_block):
    figures, _ = figures_and_block
    words = said(figures["precision_recall_threshold"])
    assert "Recall" in words
    assert "Precision\nat 1.8 % prevalence" in words
    axes = figures["precision_recall_threshold"].axes[0]
    assert axes.get_xscale() == "logit"
    recall, precision = (line.get_ydata() for line in axes.lines[:2])
    assert recall[0] == 1
    assert precision[0] == pytest.approx(0.018)


def test_reliability_diagram_shows_every_bin(figures_and_block):
    figures, block = figures_and_block
    axes = figures["reliability"].axes[0]
    markers = np.array([line.get_xydata()[0] for line in axes.lines if line.get_marker() == "o"])
    assert len(markers) == len(block["reliability"])
    floor = axes.get_ylim()[0]
    for (x, y), point in zip(markers, block["reliability"], strict=True):
        assert x == pytest.approx(point["predicted"])
        assert y == pytest.approx(point["observed"] or floor)
    error = block["metrics"]["calibration_error"]
    assert f"Calibration error {error['value']:.4f} ({error['low']:.4f} to {error['high']:.4f})" in said(
        figures["reliability"]
    )


def test_histograms_of_each_class_sum_to_one(figures_and_block):
    figures, block = figures_and_block
    axes = figures["score_histogram"].axes[0]
    sums = [patch.get_data().values.sum() for patch in axes.patches]
    assert sums == pytest.approx([1] * len(sums))
    assert f"Melanoma ({block['positives']})" in said(figures["score_histogram"])


@pytest.mark.parametrize(
    "rows",
    [
        simulated_predictions(),
        simulated_predictions(40, patients=30, share=0.3, seed=4),
        simulated_predictions(600, share=0.03, seed=2),
        simulated_predictions().assign(probability=0.02),
        simulated_predictions().assign(probability=lambda rows: rows["target"].astype(float)),
    ],
    ids=["usual", "few", "rare", "one score", "perfect"],
)
def test_nothing_is_cut_off_whatever_the_sample(rows):
    figures, _ = drawn(rows, SHIPPED)
    assert len(figures) == 6
    for figure in figures.values():
        assert_fits(figure)


def test_a_long_source_name_is_shortened(predictions, figures_and_block):
    figures = evaluation_figures(
        predictions, figures_and_block[1], name="a-folder-with-an-exceedingly-long-name", prevalence=0.018, resamples=10
    )
    assert "ROC curve: a-folder-with-an-exceedingly-…" in said(figures["roc"])
    for figure in figures.values():
        assert_fits(figure)


@pytest.mark.parametrize("target", [0, 1])
def test_one_class_leaves_the_scores(predictions, target):
    figures, _ = drawn(predictions[predictions["target"] == target], SHIPPED)
    assert list(figures) == ["score_histogram"]
    assert ("Melanoma (" in said(figures["score_histogram"])) == (target == 1)


def test_bands_hold_their_curves(predictions):
    bands = Bands.of(predictions, 0.018, resamples=200, seed=0)
    for band in (bands.roc, bands.recall):
        assert (band.low <= band.y + 0.02).all()
        assert (band.high >= band.y - 0.02).all()
    assert np.trapezoid(bands.roc.y, bands.roc.x) == pytest.approx(
        roc_auc_score(predictions["target"], predictions["probability"]), abs=2e-3
    )
    assert (np.diff(bands.recall.y) <= 0).all()


def test_bands_are_of_patients_not_of_images(predictions):
    copies = pd.concat([predictions] * 4, ignore_index=True)  # four photos of everyone tell no more than one
    once, four = (Bands.of(rows, 0.018, resamples=100, seed=0) for rows in (predictions, copies))
    assert (four.roc.high - four.roc.low) == pytest.approx(once.roc.high - once.roc.low)
    assert (four.recall.high - four.recall.low) == pytest.approx(once.recall.high - once.recall.low)


def test_a_band_ends_at_the_95_percent_of_the_resamples_in_the_middle_where_enough_are_defined():
    draws = np.tile(np.linspace(0, 1, 1001)[:, None], (1, 3))
    draws[:50, 1], draws[:60, 2] = np.nan, np.nan
    low, high = percentiles(draws)
    assert low == pytest.approx([0.025, 0.05 + 0.025 * 0.95, np.nan], nan_ok=True)
    assert high == pytest.approx([0.975, 1 - 0.025 * 0.95, np.nan], nan_ok=True)


def test_recall_and_precision_are_counted_at_and_above_each_threshold(predictions):
    bands = Bands.of(predictions, 0.018, resamples=2, seed=0)
    melanomas = predictions["target"] == 1
    few = int(np.searchsorted(bands.recall.x, np.sort(predictions["probability"])[-MIN_FLAGGED // 2]))
    for place in (0, 300, 600, few, 1000):
        flagged = predictions["probability"] >= bands.recall.x[place]
        assert bands.recall.y[place] == pytest.approx(flagged[melanomas].mean())
        if flagged.sum() < MIN_FLAGGED:
            assert np.isnan(bands.precision.y[place])
            assert np.isnan(bands.precision.low[place])
        else:
            found, alarms = 0.018 * flagged[melanomas].mean(), 0.982 * flagged[~melanomas].mean()
            assert bands.precision.y[place] == pytest.approx(found / (found + alarms))


def test_learning_curves_mark_the_first_best_epoch():
    figure = learning_curves(HISTORY)
    assert "Best epoch 3: validation AUC 0.7800" in said(figure)
    loss, auc, rate = figure.axes
    assert [axes.get_ylabel() for axes in (loss, auc, rate)] == ["Loss", "Validation AUC", "Learning rate"]
    assert {"training", "validation"} <= set(texts(figure))
    assert_fits(figure)


@pytest.mark.parametrize("epochs", [1, 4])
def test_saved_curves_are_a_picture_with_something_on_it(tmp_path, epochs):
    save_curves(HISTORY[:epochs], tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
        assert np.asarray(picture.convert("L")).std() > 10
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_a_figure_that_cannot_be_drawn_leaves_no_file(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    figure = learning_curves(HISTORY)
    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save(figure, tmp_path / "curves.png")
    assert list(tmp_path.iterdir()) == []


def test_no_global_state(figures_and_block):
    assert figures_and_block
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_percentages_are_short():
    assert [percent(share) for share in (0.018, 0.95, 1, 0.00031)] == ["1.8 %", "95 %", "100 %", "0.031 %"]
