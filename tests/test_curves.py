"""The ROC curve and the confusion matrix say what scikit-learn and the table say."""

import re

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

from isic_screen.operating_point import ThresholdTable
from isic_screen.ui.confusion import confusion
from isic_screen.ui.numbers import People
from isic_screen.ui.roc import RocPlot, auc, curve
from isic_screen.ui.texts import German, Texts

texts = Texts()


@pytest.fixture(scope="module")
def scores() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    targets = (random.random(300) < 0.4).astype(int)
    return np.round(random.normal(targets, 1), 1), targets  # rounded, so that there are ties


def _table(scores: np.ndarray, targets: np.ndarray) -> ThresholdTable:
    return ThresholdTable.from_predictions(1 / (1 + np.exp(-scores)), targets, 0.018)


def test_the_curve_and_its_area_are_scikit_learns(scores):
    false_alarms, found = curve(_table(*scores))
    assert auc(false_alarms, found) == pytest.approx(roc_auc_score(scores[1], scores[0]))
    across, up, _ = roc_curve(scores[1], scores[0], drop_intermediate=False)
    assert np.allclose(np.unique(false_alarms), np.unique(across))
    assert set(zip(np.round(across, 9), np.round(up, 9), strict=True)) <= set(
        zip(np.round(false_alarms, 9), np.round(found, 9), strict=True)
    )
    assert (np.diff(false_alarms) >= 0).all()
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.6, 1.0])
def test_the_mark_stands_at_the_points_rates(scores, threshold):
    table = _table(*scores)
    point = table.at(threshold)
    svg = RocPlot(table, texts).svg(point)
    x, y = (float(re.search(rf'<circle class="roc" .*?c{axis}="([\d.]+)"', svg).group(1)) for axis in "xy")
    assert (x - 52) / 352 == pytest.approx(1 - point.specificity.value, abs=0.001)
    assert 1 - (y - 16) / 352 == pytest.approx(point.sensitivity.value, abs=0.001)
    assert "nan" not in svg
    assert f"{roc_auc_score(scores[1], scores[0]):.3f}" in svg


def test_without_one_of_the_classes_nothing_is_claimed(scores):
    for target in (0, 1):
        table = _table(scores[0], np.full(300, target))
        svg = RocPlot(table, texts).svg(table.at(0.5))
        assert "<circle" not in svg
        assert texts.UNKNOWN in svg
        assert "of 1,000" not in re.sub("<caption>.*?</caption>", "", confusion(table.at(0.5), table, texts))


@pytest.mark.parametrize("threshold", [0.0, 0.55, 1.0])
def test_the_counts_are_scikit_learns_and_add_up(scores, threshold):
    table = _table(*scores)
    point = table.at(threshold).restated(0.05)
    html = confusion(point, table, texts)
    counts = [int(count) for count in re.findall(r'class="count">([\d,]+)<', html)]
    flagged = 1 / (1 + np.exp(-scores[0])) >= threshold
    (cleared, false_alarms), (missed, found) = confusion_matrix(scores[1], flagged, labels=[0, 1])
    assert counts == [found, missed, false_alarms, cleared]
    totals = [int(total) for total in re.findall(r'class="total">([\d,]+)<', html)]
    assert totals == [found + missed, false_alarms + cleared, found + false_alarms, missed + cleared, 300]
    people = People.of(point.per_1000, texts)
    expected = [people.found, people.missed, people.recalled, people.cleared]
    assert re.findall(r'class="note">(.*?) of 1,000<', html) == expected


def test_german_numbers_are_german(scores):
    table = _table(*scores)
    assert re.search(r"Fläche 0,\d{3}", RocPlot(table, German()).svg(table.at(0.5)))
