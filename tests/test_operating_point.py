import math

import numpy as np
import pytest

from isic_screen.operating_point import OperatingPoint, Proportion, ThresholdTable, out_of_range, restate, wilson


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score without continuity correction)
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_newcombes_table(count, total, low, high):
    interval = wilson(count, total)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


def test_wilson_stays_inside_0_and_1_at_the_ends():
    for total in range(1, 60):  # in some, as 9 and 21, rounding would go past the end
        assert wilson(0, total).low == 0.0
        assert wilson(total, total).high == 1.0
    assert wilson(7, 7).low == pytest.approx(1 - wilson(0, 7).high)


def test_a_proportion_of_nothing_is_unknown():
    assert wilson(0, 0) == Proportion(None, None, None, 0, 0)


def test_wilson_refuses_more_than_all():
    with pytest.raises(ValueError, match="5 of 4"):
        wilson(5, 4)


@pytest.fixture
def table() -> ThresholdTable:
    #                                         others: 0.1 0.2 0.4   melanomas: 0.2 0.3 0.4 0.5
    return ThresholdTable.from_predictions([0.1, 0.2, 0.4, 0.2, 0.3, 0.4, 0.5], [0, 0, 0, 1, 1, 1, 1], 0.02)


def test_counts_are_of_scores_at_or_above_the_threshold(table):
    assert table.thresholds == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert table.true_positives == (4, 4, 3, 2, 1)
    assert table.false_positives == (3, 2, 1, 1, 0)
    assert (table.positives, table.negatives) == (4, 3)


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.15, 0.2, 0.25, 0.4, 0.45, 0.5, 0.500001, 1.0])
def test_any_threshold_counts_as_brute_force_does(table, threshold):
    point = table.at(threshold)
    assert point.sensitivity.count == sum(score >= threshold for score in (0.2, 0.3, 0.4, 0.5))
    assert point.specificity.count == sum(score < threshold for score in (0.1, 0.2, 0.4))


@pytest.mark.parametrize(
    ("sensitivity", "threshold"), [(1.0, 0.2), (0.76, 0.2), (0.75, 0.3), (0.5, 0.4), (0.26, 0.4), (0.25, 0.5)]
)
def test_the_highest_threshold_that_reaches_a_sensitivity(table, sensitivity, threshold):
    assert table.threshold_for_sensitivity(sensitivity) == threshold


@pytest.mark.parametrize(("melanomas", "sensitivity"), [(10, 0.9), (20, 0.95), (50, 0.98), (100, 0.29)])
def test_a_share_that_a_whole_number_of_melanomas_is_does_not_ask_for_one_more(melanomas, sensitivity):
    """10 * (1 - 0.9) is 0.9999999999999998 in floating point."""
    table = ThresholdTable.from_predictions(np.arange(1, melanomas + 1) / 1000, np.ones(melanomas), 0.02)
    found = table.at(table.threshold_for_sensitivity(sensitivity)).sensitivity
    assert found.count == round(sensitivity * melanomas)


def test_a_sensitivity_is_reached_and_the_next_threshold_would_miss_it():
    random = np.random.default_rng(1)
    targets = (random.random(500) < 0.4).astype(int)
    table = ThresholdTable.from_predictions(random.random(500) * 0.5 + targets * 0.3, targets, 0.018)
    for sensitivity in (0.9, 0.95, 0.98, 1.0):
        threshold = table.threshold_for_sensitivity(sensitivity)
        assert table.at(threshold).sensitivity.value >= sensitivity
        assert table.at(math.nextafter(threshold, 1)).sensitivity.value < sensitivity


def test_without_melanomas_no_threshold_has_a_sensitivity():
    table = ThresholdTable.from_predictions([0.1, 0.2], [0, 0], 0.018)
    assert table.at(0.1).sensitivity.value is None
    assert table.at(0.1).per_1000 is None
    assert table.at(0.1).ppv is None
    with pytest.raises(ValueError, match="no melanoma"):
        table.threshold_for_sensitivity(0.9)


def test_what_a_point_means_for_1000_people():
    point = OperatingPoint(0.3, wilson(9, 10), wilson(80, 100), prevalence=0.02)
    people = point.per_1000
    assert people.melanomas == pytest.approx(20)
    assert (people.found, people.missed) == (pytest.approx(18), pytest.approx(2))
    assert people.recalled_healthy == pytest.approx(196)
    assert people.flagged == pytest.approx(214)
    assert people.flagged + people.missed + people.cleared_healthy == pytest.approx(1000)
    assert point.ppv == pytest.approx(18 / 214)
    assert point.npv == pytest.approx(784 / 786)
    assert point.number_needed_to_refer == pytest.approx(214 / 18)


def test_predictive_values_are_unknown_where_nobody_is_left():
    nobody_referred = OperatingPoint(1.0, wilson(0, 10), wilson(10, 10), 0.02)
    assert nobody_referred.ppv is None
    assert nobody_referred.number_needed_to_refer is None
    in_vain = OperatingPoint(0.5, wilson(0, 10), wilson(9, 10), 0.02)
    assert in_vain.ppv == 0
    assert in_vain.number_needed_to_refer is None
    everybody_referred = OperatingPoint(0.0, wilson(10, 10), wilson(0, 10), 0.02)
    assert everybody_referred.npv is None


@pytest.mark.parametrize(
    "broken",
    [
        {"thresholds": (0.2, 0.1)},
        {"thresholds": (0.1, 0.1)},
        {"thresholds": (0.1,)},
        {"true_positives": (1, 2)},
        {"false_positives": (9, 1)},
    ],
)
def test_a_table_that_cannot_be_counts_is_refused(broken):
    whole = {"thresholds": (0.1, 0.2), "true_positives": (2, 1), "false_positives": (2, 1)}
    with pytest.raises(ValueError, match=r"thresholds|counts"):
        ThresholdTable(**{**whole, **broken}, positives=2, negatives=2, prevalence=0.02)


@pytest.mark.parametrize("threshold", [0, 0.0, 0.5, 1, 1.0])
def test_both_ends_are_thresholds(threshold):
    assert out_of_range(threshold) is None


@pytest.mark.parametrize("threshold", [-1e-9, 1.0000001, math.nan, math.inf, True, False])
def test_what_is_no_probability_is_no_threshold(threshold):
    assert "between 0 and 1" in out_of_range(threshold)


def test_restating_is_bayes_rule():
    # Of 1,000 with 18 melanomas, 20 share a score: 5 of them melanomas. Where melanoma is twice as common in odds...
    odds = 5 / 15 * (36 / 964) / (18 / 982)
    assert restate(5 / 20, 0.018, 0.036) == pytest.approx(odds / (1 + odds))
    for probability in (0.0, 1e-9, 0.3, 1.0):
        assert restate(restate(probability, 0.018, 0.2), 0.2, 0.018) == pytest.approx(probability)
        for same in (0.018, 0.031, 0.201):  # of the last two, the ratio of the odds rounds to another number than 1
            assert restate(probability, same, same) == probability
    assert restate(0.3, 0.018, 0.2) > 0.3


def test_a_restated_point_flags_the_same_and_keeps_its_rates(table):
    point = table.at(table.thresholds[1])
    other = point.restated(0.3)
    assert (other.sensitivity, other.specificity) == (point.sensitivity, point.specificity)
    assert other.threshold == restate(point.threshold, point.prevalence, 0.3)
    assert other.per_1000.melanomas == pytest.approx(300)
