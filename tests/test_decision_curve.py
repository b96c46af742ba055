"""The decision curve against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from isic_screen.evaluation.decision_curve import THRESHOLDS, decision_band, net_benefit
from isic_screen.evaluation.decision_figure import decision_figure
from isic_screen.evaluation.evaluation import evaluate
from tests.simulated import simulated_predictions

# 4 melanomas and 5 others. At 0.05 or above: 3 melanomas, 2 others; at 0.1 or above: 2 and 1.
ROWS = pd.DataFrame(
    {
        "probability": [0.30, 0.10, 0.05, 0.01, 0.10, 0.05, 0.04, 0.01, 0.003],
        "target": [1, 1, 1, 1, 0, 0, 0, 0, 0],
        "group": list("abcdefghi"),
    }
)


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return simulated_predictions()


def test_net_benefit_is_melanomas_found_less_the_price_of_false_alarms():
    # 0.9 * 0.02 - 0.3 * 0.98 * (0.1 / 0.9) = 0.018 - 0.0326667
    assert net_benefit(0.9, 0.7, 0.1, 0.02) == pytest.approx(-0.01466667, abs=1e-8)
    # At a threshold of 0 false alarms cost nothing; without false alarms the threshold does not matter.
    assert net_benefit(0.9, 0.7, 0.0, 0.02) == pytest.approx(0.018)
    assert net_benefit(0.5, 1.0, [0.01, 0.2], 0.02) == pytest.approx([0.01, 0.01])


@pytest.mark.parametrize("threshold", [-0.01, 1.0, np.nan])
def test_a_threshold_without_a_price_is_refused(threshold):
    with pytest.raises(ValueError, match="below 1"):
        net_benefit(0.9, 0.7, [0.1, threshold], 0.02)


def test_the_model_flags_everyone_at_or_above_each_threshold():
    band = decision_band(ROWS, 0.02, resamples=2, seed=0, thresholds=np.array([0.002, 0.05, 0.1, 0.5]))
    assert band.y == pytest.approx(
        [
            0.02 - 0.98 * 0.002 / 0.998,
            0.75 * 0.02 - 0.4 * 0.98 * 0.05 / 0.95,
            0.5 * 0.02 - 0.2 * 0.98 * 0.1 / 0.9,
            0,
        ]
    )


def test_referring_everyone_is_worth_nothing_at_the_prevalence_and_no_one_nowhere():
    thresholds = [0.01, 0.02, 0.1]
    assert net_benefit(1, 0, thresholds, 0.02) == pytest.approx([0.02 - 0.98 * 0.01 / 0.99, 0, 0.02 - 0.98 / 9])
    assert net_benefit(0, 1, thresholds, 0.02) == pytest.approx([0, 0, 0])


def test_thresholds_are_spaced_evenly_in_their_logarithm():
    assert (THRESHOLDS[0], THRESHOLDS[-1]) == (pytest.approx(0.002), pytest.approx(0.2))
    assert np.diff(np.log(THRESHOLDS)) == pytest.approx(np.log(100) / (len(THRESHOLDS) - 1))


@pytest.mark.parametrize("target", [0, 1])
def test_one_class_leaves_the_model_undefined(target):
    rows = pd.DataFrame({"probability": [0.1, 0.2], "target": target, "group": ["a", "b"]})
    assert np.isnan(decision_band(rows, 0.02, resamples=2, seed=0).y).all()


def test_the_band_holds_the_curve_and_narrows_with_more_patients(predictions):
    band = decision_band(predictions, 0.018, resamples=300, seed=0)
    assert (band.low <= band.y + 1e-12).all()
    assert (band.high >= band.y - 1e-12).all()
    many = decision_band(simulated_predictions(2400, patients=1200), 0.018, resamples=300, seed=0)
    assert (many.high - many.low).mean() < 0.5 * (band.high - band.low).mean()


def test_the_band_is_of_patients_not_of_images(predictions):
    copies = pd.concat([predictions] * 4, ignore_index=True)  # four photos of everyone tell no more than one
    once, four = (decision_band(rows, 0.018, resamples=300, seed=0) for rows in (predictions, copies))
    assert (four.high - four.low) == pytest.approx(once.high - once.low)


def test_the_figure_draws_all_three_per_1000_people(predictions):
    block = evaluate(predictions, operating_points={"0.95": 0.007}, resamples=20)["overall"]
    band = decision_band(predictions, 0.018, resamples=20, seed=0)
    figure = decision_figure(band, block, name="isic2020", prevalence=0.018)
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["Model"].get_ydata() == pytest.approx(1000 * band.y)
    assert lines["Refer everyone"].get_ydata()[0] == pytest.approx(18 - 982 * 0.002 / 0.998)
    assert not lines["Refer no one"].get_ydata().any()
    figure.canvas.draw()
    words = [text.get_text() for text in figure.findobj(Text)]
    assert "Decision curve: isic2020" in words
    assert "1 %\n99" in words  # the threshold, and the false alarms that a melanoma is worth there
    assert "95 %" in words  # the operating point


@pytest.mark.parametrize("prevalence", [0.001, 0.018, 0.4])
def test_nothing_of_the_figure_is_cut_off(predictions, prevalence):
    block = evaluate(predictions, prevalence=prevalence, resamples=20)["overall"]
    band = decision_band(predictions, prevalence, resamples=20, seed=0)
    figure = decision_figure(band, block, name="a-folder-with-an-exceedingly-long-name", prevalence=prevalence)
    figure.canvas.draw()
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent()
            page = figure.bbox
            assert box.x0 >= page.x0 - 1, text
            assert box.x1 <= page.x1 + 1, text
            assert box.y0 >= page.y0 - 1, text
            assert box.y1 <= page.y1 + 1, text
