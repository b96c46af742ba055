from functools import partial

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from isic_screen.evaluation.counts import Counts, Ranking, predictive_value
from isic_screen.evaluation.metrics import Confusion, classification_report, confusion_matrix, missing_class
from isic_screen.evaluation.reliability import bin_of, reliability_bins
from isic_screen.operating_point import wilson
from tests.one_sample import average_precision, brier, calibration_error, partial_auc, roc_auc, specificity_at

RANKED = [roc_auc, average_precision, partial_auc, partial(specificity_at, 0.9)]


def sample(seed: int, *, digits: int = 6, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of which few are alike, or many with few `digits`, and targets; about a fifth are melanomas."""
    random = np.random.default_rng(seed)
    targets = (random.random(n) < 0.2).astype(int)
    scores = 1 / (1 + np.exp(-random.normal(-2 + 1.2 * targets, 1.2)))
    return scores.round(digits), targets


SAMPLES = [pytest.param(*sample(seed, digits=digits), id=f"{seed}-{digits}") for seed in range(4) for digits in (6, 1)]


def weights_at(prevalence: float, targets: np.ndarray) -> np.ndarray:
    """Image weights with which melanomas make up the stated share."""
    return np.where(targets == 1, prevalence / (targets == 1).sum(), (1 - prevalence) / (targets == 0).sum())


# Areas under the ROC curve


def test_roc_auc_of_a_case_done_by_hand():
    # Pairs won by the melanoma: 0.7 beats all 3 others; 0.4 beats one, ties with one (half), loses to one.
    assert roc_auc([0.7, 0.4, 0.1, 0.4, 0.6], [1, 1, 0, 0, 0]) == pytest.approx(4.5 / 6)


@pytest.mark.parametrize(("scores", "targets"), SAMPLES)
def test_roc_auc_is_scikit_learns_with_and_without_ties(scores, targets):
    assert roc_auc(scores, targets) == pytest.approx(sklearn_metrics.roc_auc_score(targets, scores))


@pytest.mark.parametrize("score", [0.0, 0.3, 1.0])
def test_the_same_score_for_all_is_chance(score):
    assert roc_auc([score] * 5, [1, 0, 0, 1, 0]) == pytest.approx(0.5)
    assert partial_auc([score] * 5, [1, 0, 0, 1, 0]) == pytest.approx(0.02)
    assert average_precision([score] * 5, [1, 0, 0, 1, 0]) == pytest.approx(0.4)


def test_only_the_order_of_scores_counts():
    scores, targets = sample(0)
    for metric in RANKED:
        assert metric(np.log(scores) - 7, targets) == metric(scores, targets)


@pytest.mark.parametrize(("scores", "targets"), SAMPLES)
@pytest.mark.parametrize("min_sensitivity", [0.8, 0.5])
def test_partial_auc_is_that_of_isic_2024(scores, targets, min_sensitivity):
    # Labels and scores mirrored, the strip above a sensitivity becomes one below a false positive rate, which
    # scikit-learn integrates; its McClish scaling to 0.5..1 is undone.
    strip = 1 - min_sensitivity
    scaled = sklearn_metrics.roc_auc_score(1 - targets, -scores, max_fpr=strip)
    chance = strip**2 / 2
    expected = chance + (strip - chance) * (scaled - 0.5) / 0.5
    assert partial_auc(scores, targets, min_sensitivity=min_sensitivity) == pytest.approx(expected)


@pytest.mark.parametrize(("scores", "targets"), SAMPLES)
def test_partial_auc_is_the_area_between_the_curve_and_its_line(scores, targets):
    alarms, sensitivity, _ = sklearn_metrics.roc_curve(targets, scores)
    grid = np.linspace(0, 1, 200_001)
    above = np.maximum(np.interp(grid, alarms, sensitivity) - 0.8, 0)
    assert partial_auc(scores, targets) == pytest.approx(np.trapezoid(above, grid), abs=1e-5)


def test_partial_auc_runs_from_0_to_0_2():
    assert partial_auc([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]) == pytest.approx(0.2)
    assert partial_auc([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0]) == pytest.approx(0.0)


# Average precision


def test_average_precision_of_a_case_done_by_hand():
    # In order of score: melanoma, other, melanoma. Precision at the melanomas: 1 and 2/3.
    assert average_precision([0.9, 0.5, 0.2], [1, 0, 1]) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(("scores", "targets"), SAMPLES)
def test_average_precision_is_scikit_learns(scores, targets):
    assert average_precision(scores, targets) == pytest.approx(sklearn_metrics.average_precision_score(targets, scores))
    assert average_precision(scores, targets, prevalence=0.018) == pytest.approx(
        sklearn_metrics.average_precision_score(targets, scores, sample_weight=weights_at(0.018, targets))
    )


# One threshold


def test_specificity_is_that_of_the_highest_threshold_that_finds_enough():
    others = [0.05, 0.2, 0.5, 0.99]
    targets = [1] * 10 + [0] * 4
    scores = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5, 0.1, *others]
    assert specificity_at(0.9, scores, targets) == pytest.approx(2 / 4)  # from 0.5; its tie is flagged
    assert specificity_at(0.8, scores, targets) == pytest.approx(3 / 4)  # from 0.6
    assert specificity_at(0.91, scores, targets) == pytest.approx(1 / 4)  # from 0.1


@pytest.mark.parametrize(
    ("sensitivity", "specificity", "prevalence", "expected"),
    # 0.9 of 10 and 0.2 of 990 in 1,000: 9 / (9 + 198)
    [(0.9, 0.8, 0.01, 9 / 207), (1.0, 1.0, 0.3, 1.0), (0.0, 0.9, 0.5, 0.0), (0.7, 0.3, 0.2, 0.2)],
)
def test_precision_at_a_prevalence_follows_from_bayes(sensitivity, specificity, prevalence, expected):
    assert predictive_value(sensitivity, 1 - specificity, prevalence) == pytest.approx(expected)


def test_bayes_gives_the_sample_precision_at_the_samples_prevalence():
    scores, targets = sample(3, digits=1)
    counts = Ranking.of(scores, targets).counts()
    np.testing.assert_allclose(counts.precision(targets.mean()), counts.precision())
    assert np.isnan(counts.precision()[0, 0])  # nobody flagged
    assert np.isnan(predictive_value(0.0, 0.0, 0.1))


def test_confusion_matrix_counts_each_kind():
    flagged = np.array([1, 1, 1, 0, 0, 0, 0, 1, 0, 0], dtype=bool)
    targets = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0])
    counted = confusion_matrix(flagged, targets)
    assert counted == Confusion(true_positives=2, false_negatives=1, false_positives=2, true_negatives=5)
    assert confusion_matrix(flagged.astype(int), targets) == counted


# Calibration


def test_brier_of_a_case_done_by_hand():
    assert brier([0.8, 0.4, 0.1], [1, 1, 0]) == pytest.approx((0.04 + 0.36 + 0.01) / 3)
    # At 10 %: melanomas count 0.1 of the mean, others 0.9.
    assert brier([0.8, 0.4, 0.1], [1, 1, 0], prevalence=0.1) == pytest.approx(0.1 * 0.2 + 0.9 * 0.01)


@pytest.mark.parametrize(("scores", "targets"), SAMPLES)
def test_brier_is_scikit_learns(scores, targets):
    assert brier(scores, targets) == pytest.approx(sklearn_metrics.brier_score_loss(targets, scores))
    assert brier(scores, targets, prevalence=0.018) == pytest.approx(
        sklearn_metrics.brier_score_loss(targets, scores, sample_weight=weights_at(0.018, targets))
    )


def test_calibration_error_of_a_case_done_by_hand():
    # Two bins of two: said 0.15 and saw 0; said 0.7 and saw 0.5.
    assert calibration_error([0.1, 0.2, 0.6, 0.8], [0, 0, 1, 0], bins=2) == pytest.approx(0.5 * 0.15 + 0.5 * 0.2)


@pytest.mark.parametrize("prevalence", [None, 0.018, 0.5])
def test_calibration_error_sums_the_gaps_of_all_bins(prevalence):
    scores, targets = sample(5)
    weights = np.full(len(targets), 1 / len(targets)) if prevalence is None else weights_at(prevalence, targets)
    gaps = []
    for inside in np.array_split(np.argsort(scores, kind="stable"), 10):
        share = weights[inside].sum()
        said, seen = np.average(scores[inside], weights=weights[inside]), weights[inside] @ targets[inside] / share
        gaps.append(share * abs(said - seen))
    found = calibration_error(scores, targets, prevalence=prevalence)
    assert found == pytest.approx(sum(gaps))


def test_perfect_and_opposite_probabilities():
    assert calibration_error([0, 0, 1, 1], [0, 0, 1, 1], bins=2) == 0
    assert calibration_error([1, 1, 0, 0], [0, 0, 1, 1], bins=2) == 1


def test_bins_hold_equally_many_and_never_part_equal_scores():
    random = np.random.default_rng(0)
    sizes = np.bincount(bin_of(random.random(103)))
    assert sorted(sizes) == [10] * 7 + [11] * 3
    tied = np.array([0.1] * 50 + [0.2] * 3 + [0.9] * 7)
    bins = bin_of(tied)
    for score in np.unique(tied):
        assert len(set(bins[tied == score])) == 1
    assert set(bins) == set(range(bins.max() + 1))
    assert bin_of(np.full(5, 0.3)).tolist() == [0] * 5


def test_reliability_bins_are_moved_to_the_prevalence():
    probabilities, targets = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.8]), np.array([0, 1, 0, 1, 1, 0])
    points = reliability_bins(probabilities, targets == 1, prevalence=0.1, bins=2)
    # 3 melanomas share weight 0.1, 3 others 0.9, so an other weighs nine melanomas.
    assert [point.observed for point in points] == pytest.approx([1 / 19, 2 / 11])
    assert points[0].predicted == pytest.approx((9 * 0.1 + 0.2 + 9 * 0.3) / 19)
    assert [(point.images, point.melanomas) for point in points] == [(3, 1), (3, 2)]
    low = wilson(1, 3).low
    assert points[0].low == pytest.approx(low / (low + 9 * (1 - low)))
    assert all(point.low < point.observed < point.high for point in points)


def test_reliability_bins_at_the_samples_own_prevalence_are_wilsons():
    scores, targets = sample(6)
    for point in reliability_bins(scores, targets == 1, prevalence=targets.mean()):
        counted = wilson(point.melanomas, point.images)
        assert (point.observed, point.low, point.high) == pytest.approx((counted.value, counted.low, counted.high))


def test_one_class_has_no_reliability():
    assert reliability_bins(np.array([0.1, 0.2]), np.array([True, True]), prevalence=0.02) == []


# Classification report


def test_classification_report_is_scikit_learns():
    scores, targets = sample(7)
    flagged = scores >= 0.25
    expected = sklearn_metrics.classification_report(
        targets, flagged, target_names=["other", "melanoma"], output_dict=True
    )
    report = classification_report(flagged, targets)
    assert report.pop("undefined") == {}
    assert report.pop("accuracy") == pytest.approx(expected.pop("accuracy"))
    assert report.keys() == expected.keys()
    for row, columns in report.items():
        assert columns == pytest.approx(expected[row]), row


@pytest.mark.parametrize(
    ("flagged", "targets", "undefined", "reason"),
    [
        ([0, 0, 0], [1, 0, 0], "melanoma precision", "nobody is flagged"),
        ([1, 1, 1], [1, 0, 0], "other precision", "everybody is flagged"),
        ([1, 0, 0], [0, 0, 0], "melanoma recall", "there is no melanoma"),
        ([1, 0, 1], [1, 1, 1], "other recall", "all images are melanomas"),
        ([0, 0, 0], [0, 0, 0], "melanoma f1-score", "there is no melanoma"),
        ([1, 0, 0], [0, 0, 0], "other precision", "there is no melanoma"),
    ],
)
def test_classification_report_leaves_out_what_is_undefined(flagged, targets, undefined, reason):
    report = classification_report(flagged, targets)
    row, column = undefined.split(" ")
    assert report[row][column] is None
    assert report["undefined"][undefined] == reason
    # An average over classes of which one is unknown is unknown.
    assert report["macro avg"][column] is None
    assert report["weighted avg"][column] is None
    assert report["undefined"][f"macro avg {column}"] == reason
    numbers = [value for columns in report.values() if isinstance(columns, dict) for value in columns.values()]
    assert not [value for value in numbers if isinstance(value, float) and np.isnan(value)]


def test_finding_no_melanoma_is_a_recall_of_0_not_undefined():
    report = classification_report([0, 1, 0], [1, 0, 0])
    assert report["melanoma"] == {"support": 1, "precision": 0.0, "recall": 0.0, "f1-score": 0.0}


def test_classification_report_of_nothing():
    assert classification_report([], []) == {"undefined": {"all": "there are no images"}}


# What is undefined or wrong


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        ([], "there are no images"),
        ([0, 0, 0], "there is no melanoma among the 3 images"),
        ([1, 1], "all 2 images are melanomas"),
        ([1, 0], None),
    ],
)
def test_what_class_is_missing(targets, reason):
    assert missing_class(targets) == reason


@pytest.mark.parametrize("targets", [[0, 0, 0], [1, 1, 1]])
def test_counts_of_one_class_are_nan_throughout(targets):
    counts = Ranking.of([0.1, 0.5, 0.9], targets).counts()
    for metric in (Counts.roc_auc, Counts.partial_auc, Counts.average_precision):
        assert np.isnan(metric(counts)).all()
    assert np.isnan(counts.specificity_at(0.9)).all()
    assert np.isnan(counts.average_precision(0.02)).all()


@pytest.mark.parametrize(
    ("scores", "targets", "complaint"),
    [
        ([0.1, 0.2], [1], "alike"),
        ([[0.1, 0.2]], [[1, 0]], "alike"),
        ([0.1, 0.2], [2, 0], "0 or 1"),
        ([0.1, np.nan], [1, 0], "finite"),
        ([0.1, np.inf], [1, 0], "finite"),
    ],
)
@pytest.mark.parametrize("metric", RANKED)
def test_wrong_arrays_are_refused(metric, scores, targets, complaint):
    with pytest.raises(ValueError, match=complaint):
        metric(scores, targets)


def test_who_is_at_the_threshold_is_flagged_as_well():
    ranking = Ranking.of([0.1, 0.2, 0.2, 0.3], [0, 1, 0, 1])
    column = ranking.columns_at(np.array([0.2, 0.25, 0.3, 0.31]))
    assert ranking.counts().true_positives[0, column].tolist() == [2, 1, 1, 0]


def test_what_a_bin_predicts_is_weighed_for_the_prevalence_as_what_is_observed():
    (one,) = reliability_bins(np.array([0.1, 0.3]), np.array([False, True]), prevalence=0.1, bins=1)
    assert one.predicted == pytest.approx(0.9 * 0.1 + 0.1 * 0.3)
    assert one.observed == pytest.approx(0.1)
