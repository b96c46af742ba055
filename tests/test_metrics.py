"""Metrics against scikit-learn, against counting by hand, and where they are undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from isic_screen.evaluation import metrics
from isic_screen.evaluation.counts import Counts, Ranking, predictive_value, ratio
from isic_screen.evaluation.metrics import Confusion, Measurement
from isic_screen.evaluation.reliability import bin_of, reliability_bins
from isic_screen.operating_point import ThresholdTable, wilson


def sample(seed: int, *, n: int = 200, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, and targets of both classes."""
    generator = np.random.default_rng(seed)
    targets = (np.arange(n) < n // 3).astype(int)
    return np.round(generator.normal(size=n) + targets, decimals), targets


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_ranking_metrics_equal_scikit_learn(seed: int, decimals: int) -> None:
    scores, targets = sample(seed, decimals=decimals)
    assert metrics.roc_auc(scores, targets).value == pytest.approx(reference.roc_auc_score(targets, scores))
    assert metrics.average_precision(scores, targets).value == pytest.approx(
        reference.average_precision_score(targets, scores)
    )
    # The ISIC 2024 recipe: mirrored labels and scores, and McClish's correction undone.
    corrected = reference.roc_auc_score(1 - targets, -scores, max_fpr=0.2)
    chance = 0.2**2 / 2
    expected = chance + (0.2 - chance) * (corrected - 0.5) / 0.5
    assert metrics.partial_auc(scores, targets).value == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_partial_auc_is_the_area_above_the_line(seed: int) -> None:
    scores, targets = sample(seed)
    alarms, sensitivity, _ = reference.roc_curve(targets, scores, drop_intermediate=False)
    fine = np.linspace(0, 1, 200_001)
    height = np.maximum(np.interp(fine, alarms, sensitivity) - 0.8, 0)
    assert metrics.partial_auc(scores, targets).value == pytest.approx(np.trapezoid(height, fine), abs=1e-4)


def test_partial_auc_of_perfect_and_useless_scores() -> None:
    assert metrics.partial_auc([0, 0, 1, 1], [0, 0, 1, 1]).value == pytest.approx(0.2)
    assert metrics.partial_auc([1, 1, 0, 0], [0, 0, 1, 1]).value == pytest.approx(0)
    assert metrics.partial_auc([3, 3, 3, 3], [0, 0, 1, 1]).value == pytest.approx(0.02)


def test_average_precision_at_a_prevalence_equals_that_of_a_sample_with_it() -> None:
    scores, targets = sample(1)
    # Every other image fifty times: the same ranking among more people.
    repeats = np.where(targets == 1, 1, 50)
    many_scores, many_targets = np.repeat(scores, repeats), np.repeat(targets, repeats)
    stated = metrics.average_precision(scores, targets, prevalence=many_targets.mean()).value
    assert stated == pytest.approx(reference.average_precision_score(many_targets, many_scores))


@pytest.mark.parametrize("sensitivity", [0.5, 0.9, 0.95, 1.0])
def test_specificity_at_sensitivity_is_that_of_the_threshold_table(sensitivity: float) -> None:
    scores, targets = sample(2)
    table = ThresholdTable.from_predictions(scores, targets, prevalence=0.018)
    point = table.at(table.threshold_for_sensitivity(sensitivity))
    measured = metrics.specificity_at_sensitivity(scores, targets, sensitivity).value
    assert measured == pytest.approx(point.specificity.value)


def test_specificity_at_nine_of_ten_is_nine_of_ten() -> None:
    scores = [10, 9, 8, 7, 6, 5, 4, 3, 2, 0, 1, 1]
    targets = [1] * 10 + [0, 0]
    assert metrics.specificity_at_sensitivity(scores, targets, 0.9).value == 1
    assert metrics.specificity_at_sensitivity(scores, targets, 0.91).value == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30))
def test_weights_are_repetitions(images: list[tuple[int, bool, int]]) -> None:
    scores, targets, weights = (np.array(column) for column in zip(*images, strict=True))
    weighted = Ranking.of(scores, targets).counts(weights[None].astype(float))
    repeated = Ranking.of(np.repeat(scores, weights), np.repeat(targets, weights)).counts()
    for metric in (
        Counts.roc_auc,
        Counts.partial_auc,
        Counts.average_precision,
        lambda counts: counts.average_precision(0.018),
        lambda counts: counts.specificity_at(0.9),
    ):
        np.testing.assert_allclose(metric(weighted), metric(repeated), atol=1e-12)


def test_brier_score_in_the_sample_and_at_a_prevalence() -> None:
    probabilities, targets = np.array([0.1, 0.4, 0.8, 0.3]), np.array([0, 0, 1, 1])
    assert metrics.brier(probabilities, targets).value == pytest.approx(
        reference.brier_score_loss(targets, probabilities)
    )
    # By hand: (0.01 + 0.16) / 2 over others, (0.04 + 0.49) / 2 over melanomas.
    expected = 0.98 * 0.085 + 0.02 * 0.265
    assert metrics.brier(probabilities, targets, prevalence=0.02).value == pytest.approx(expected)


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([0.1, 0.1, 0.1, 0.1, 0.6, 0.6, 0.6, 0.6])
    targets = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    # Two bins: 0.1 said and 1/4 seen, 0.6 said and 3/4 seen.
    assert metrics.expected_calibration_error(probabilities, targets, bins=2).value == pytest.approx(0.15)
    # At 20 %: of 1 person 0.2 * 1/4 + 0.8 * 3/4 in the first bin with 0.2 * 1/4 melanomas, and the rest in the second.
    first, second = 0.2 * 0.25 + 0.8 * 0.75, 0.2 * 0.75 + 0.8 * 0.25
    expected = abs(0.1 * first - 0.2 * 0.25) + abs(0.6 * second - 0.2 * 0.75)
    stated = metrics.expected_calibration_error(probabilities, targets, bins=2, prevalence=0.2).value
    assert stated == pytest.approx(expected)


def test_calibration_error_tells_honest_probabilities_from_inflated_ones() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.beta(0.5, 5, size=20_000)
    targets = (generator.random(20_000) < probabilities).astype(int)
    share = targets.mean()
    honest = metrics.expected_calibration_error(probabilities, targets, prevalence=share).value
    inflated = metrics.expected_calibration_error(probabilities**0.5, targets, prevalence=share).value
    assert honest is not None
    assert honest < 0.01
    assert inflated is not None
    assert inflated > 0.1


def test_bins_hold_equally_many_images_and_never_part_equal_scores() -> None:
    assert np.bincount(bin_of(np.linspace(0, 1, 100))).tolist() == [10] * 10
    tied = bin_of(np.array([0.1] * 50 + [0.2] * 50))
    assert tied.tolist() == [0] * 50 + [1] * 50
    assert bin_of(np.full(7, 0.3)).tolist() == [0] * 7


def test_reliability_bins_at_the_samples_own_prevalence_are_its_counts() -> None:
    scores, targets = sample(3)
    probabilities = 1 / (1 + np.exp(-scores))
    bins = reliability_bins(probabilities, targets == 1, prevalence=float(targets.mean()), bins=5)
    assert sum(point.images for point in bins) == 200
    assert sum(point.melanomas for point in bins) == targets.sum()
    membership = bin_of(probabilities, 5)
    for index, point in enumerate(bins):
        counted = wilson(point.melanomas, point.images)
        assert (point.observed, point.low, point.high) == pytest.approx((counted.value, counted.low, counted.high))
        assert point.predicted == pytest.approx(probabilities[membership == index].mean())


def test_reliability_bins_move_with_the_prevalence() -> None:
    # One bin, half melanomas, stated at 2 %: 2 % is what must be seen.
    (point,) = reliability_bins(np.full(10, 0.02), np.arange(10) < 5, prevalence=0.02)
    assert point.observed == pytest.approx(0.02)
    assert point.predicted == pytest.approx(0.02)
    assert point.low < 0.02 < point.high
    assert reliability_bins(np.full(3, 0.5), np.ones(3, dtype=bool), prevalence=0.02) == []


@pytest.mark.parametrize(
    ("scores", "targets", "reason"),
    [
        ([], [], "there are no images"),
        ([0.2, 0.3], [0, 0], "there is no melanoma among the 2 images"),
        ([0.2, 0.3], [1, 1], "all 2 images are melanomas"),
    ],
)
def test_undefined_is_none_with_a_reason(scores: list[float], targets: list[int], reason: str) -> None:
    for measured in (
        metrics.roc_auc(scores, targets),
        metrics.partial_auc(scores, targets),
        metrics.average_precision(scores, targets),
        metrics.specificity_at_sensitivity(scores, targets, 0.9),
        metrics.brier(scores, targets, prevalence=0.018),
        metrics.expected_calibration_error(scores, targets, prevalence=0.018),
    ):
        assert measured == Measurement(None, reason)


def test_brier_score_in_the_sample_needs_one_class_only() -> None:
    assert metrics.brier([0.2, 0.4], [0, 0]).value == pytest.approx(0.1)
    assert metrics.brier([], []) == Measurement(None, "there are no images")


@pytest.mark.parametrize(
    ("scores", "targets"), [([0.1, 0.2], [0]), ([0.1, 0.2], [0, 2]), ([0.1, np.nan], [0, 1]), ([[0.1], [0.2]], [0, 1])]
)
def test_bad_input_is_refused(scores: list[float], targets: list[int]) -> None:
    with pytest.raises(ValueError, match="scores|targets"):
        metrics.roc_auc(scores, targets)


def test_probabilities_beyond_one_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        metrics.brier([0.1, 1.2], [0, 1])


def test_precision_at_prevalence_is_bayes_rule() -> None:
    # 1,000 people, 20 melanomas, 18 found; 98 of 980 others flagged.
    assert metrics.precision_at_prevalence(0.9, 0.9, 0.02).value == pytest.approx(18 / 116)
    assert metrics.precision_at_prevalence(0, 1, 0.02) == Measurement(None, "nobody is flagged")
    np.testing.assert_array_equal(predictive_value([0, 1], [0, 0], 0.5), [np.nan, 1])
    np.testing.assert_array_equal(ratio([1, 0], 0), [np.nan, np.nan])


def test_confusion_matrix_counts() -> None:
    flagged, targets = [1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0]
    assert metrics.confusion_matrix(flagged, targets) == Confusion(2, 1, 1, 3)


def test_classification_report_equals_scikit_learn() -> None:
    scores, targets = sample(4)
    flagged = scores > 0.5
    ours = metrics.classification_report(flagged, targets)
    theirs = reference.classification_report(targets, flagged, output_dict=True, target_names=["other", "melanoma"])
    assert ours.pop("undefined") == {}
    assert ours.pop("accuracy") == pytest.approx(theirs["accuracy"])
    for row, values in ours.items():
        assert values == pytest.approx(theirs[row])


def test_classification_report_without_flags_has_no_precision_and_no_average_of_the_rest() -> None:
    report = metrics.classification_report([0, 0, 0], [1, 0, 0])
    assert report["melanoma"] == {"support": 1, "precision": None, "recall": 0.0, "f1-score": 0.0}
    assert report["macro avg"]["precision"] is None
    assert report["undefined"]["melanoma precision"] == "nobody is flagged"
    assert report["undefined"]["macro avg precision"] == "nobody is flagged"
    assert report["other"]["precision"] == pytest.approx(2 / 3)


def test_classification_report_of_one_class_or_none() -> None:
    report = metrics.classification_report([0, 0], [0, 0])
    assert report["melanoma"]["recall"] is None
    assert report["melanoma"]["f1-score"] is None
    assert report["undefined"]["melanoma recall"] == "there is no melanoma"
    assert metrics.classification_report([], []) == {"undefined": {"all": "there are no images"}}
