import json
from statistics import NormalDist

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from isic_screen.evaluation import intervals
from isic_screen.evaluation.counts import Counts, Ranking
from isic_screen.evaluation.intervals import bootstrap, group_weights, paired_difference, resample


def clustered(seed: int, *, groups: int = 40, images: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, targets and groups: all images of a patient share the diagnosis and much of the score (variance 1)."""
    random = np.random.default_rng(seed)
    targets = np.arange(groups) < groups // 2
    scores = targets + random.normal(0, 0.9, groups)
    members = np.repeat(np.arange(groups), images)
    return scores[members] + random.normal(0, 0.19**0.5, len(members)), targets[members].astype(int), members


TRUE_AUC = NormalDist().cdf(2**-0.5)
"""Of `clustered`: two unit normal distributions, 1 apart."""


def auc_of(scores: np.ndarray, targets: np.ndarray) -> intervals.Measure:
    ranking = Ranking.of(scores, targets)
    return lambda weights: {"auc": ranking.counts(weights).roc_auc()}


def auc_interval(scores, targets, groups, *, resamples: int = 200, seed: int = 0) -> intervals.Estimate:
    return bootstrap(auc_of(scores, targets), targets, groups, resamples=resamples, seed=seed)["auc"]


# Draws


def test_groups_are_drawn_whole_and_as_many_as_there_are():
    groups = np.array(["b", "a", "b", "c", "b", "a"])
    (weights,) = group_weights(groups, resamples=300, seed=1)
    assert weights.shape == (300, 6)
    for name in "abc":
        members = weights[:, groups == name]
        assert (members == members[:, :1]).all()
    per_group = weights[:, [1, 0, 3]]
    assert (per_group.sum(axis=1) == 3).all()
    # Each of three groups is drawn once on average, and left out with probability (2/3)^3.
    assert per_group.mean() == pytest.approx(1, abs=0.1)
    assert (per_group == 0).mean() == pytest.approx(8 / 27, abs=0.06)


def test_the_same_seed_gives_the_same_draws_and_another_others():
    groups = np.arange(30) // 2
    first, again, other = (np.concatenate(list(group_weights(groups, resamples=50, seed=seed))) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_draws_in_blocks_are_as_many_as_asked_for(monkeypatch):
    monkeypatch.setattr(intervals, "_CHUNK_NUMBERS", 70)
    blocks = list(group_weights(np.arange(10), resamples=23, seed=0))
    assert [len(block) for block in blocks] == [7, 7, 7, 2]
    assert all((block.sum(axis=1) == 10).all() for block in blocks)
    assert len({tuple(row) for block in blocks for row in block}) == 23
    scores, targets, members = clustered(0, groups=10, images=1)
    assert resample(auc_of(scores, targets), members, resamples=23)["auc"].shape == (23,)


@pytest.mark.parametrize("digits", [6, 1])
def test_weights_count_like_copies_of_the_image(digits):
    random = np.random.default_rng(digits)
    targets = random.integers(0, 2, 60)
    scores = (random.normal(targets, 1.5)).round(digits)
    weights = random.integers(0, 4, (5, 60)).astype(float)
    weighted = Ranking.of(scores, targets).counts(weights)
    for row, times in enumerate(weights.astype(int)):
        copied = np.repeat(scores, times), np.repeat(targets, times)
        expanded = Ranking.of(*copied).counts()
        assert weighted.roc_auc()[row] == pytest.approx(roc_auc_score(copied[1], copied[0]))
        for metric in (
            Counts.partial_auc,
            Counts.average_precision,
            lambda counts: counts.average_precision(0.02),
            lambda counts: counts.specificity_at(0.9),
        ):
            assert metric(weighted)[row] == pytest.approx(metric(expanded)[0])


# Intervals


def test_estimate_is_the_value_between_percentiles_of_the_resamples():
    scores, targets, groups = clustered(0)
    measure = auc_of(scores, targets)
    estimate = bootstrap(measure, targets, groups, resamples=150, seed=5)["auc"]
    draws = resample(measure, groups, resamples=150, seed=5)["auc"]
    assert estimate.value == pytest.approx(roc_auc_score(targets, scores))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.percentile(draws, (2.5, 97.5))))
    assert (estimate.n, estimate.positives, estimate.groups) == (200, 100, 40)
    assert (estimate.reason, estimate.undefined_resamples) == (None, 0)
    assert json.loads(json.dumps(estimate.to_dict(), allow_nan=False))["low"] == estimate.low


def test_the_same_seed_gives_the_same_interval():
    scores, targets, groups = clustered(0)
    assert auc_interval(scores, targets, groups, seed=7) == auc_interval(scores, targets, groups, seed=7)
    assert auc_interval(scores, targets, groups, seed=7).low != auc_interval(scores, targets, groups, seed=8).low


def test_images_of_one_patient_tell_less_than_as_many_patients():
    scores, targets, groups = clustered(0)
    by_patient = auc_interval(scores, targets, groups)
    by_image = auc_interval(scores, targets, np.arange(len(groups)))
    assert by_patient.value == by_image.value
    assert by_patient.high - by_patient.low > 1.5 * (by_image.high - by_image.low)


def test_copies_of_images_make_nothing_more_certain():
    scores, targets, groups = clustered(1, images=1)
    once = auc_interval(scores, targets, groups)
    copied = auc_interval(*(np.repeat(array, 10) for array in (scores, targets, groups)))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))


def test_intervals_over_patients_cover_the_truth_and_those_over_images_do_not():
    covered = {"patients": 0, "images": 0}
    runs = 150
    for seed in range(runs):
        scores, targets, groups = clustered(seed)
        for name, units in (("patients", groups), ("images", np.arange(len(groups)))):
            found = auc_interval(scores, targets, units, resamples=100, seed=seed)
            covered[name] += found.low <= TRUE_AUC <= found.high
    assert 0.87 <= covered["patients"] / runs <= 0.99
    assert covered["images"] / runs < 0.75


# No interval, and why


def test_one_class_has_neither_value_nor_interval():
    scores = np.linspace(0, 1, 6)
    found = auc_interval(scores, np.zeros(6, dtype=int), np.arange(6))
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.reason == "there is no melanoma among the 6 images"


def test_too_few_melanomas_give_a_value_without_interval():
    # A single patient with melanoma is left out of more than a third of the resamples.
    found = auc_interval(np.linspace(0, 1, 20), (np.arange(20) == 15).astype(int), np.arange(20))
    assert found.value == pytest.approx(15 / 19)
    assert (found.low, found.high) == (None, None)
    assert (
        found.reason
        == f"no interval: {found.undefined_resamples} of 200 resamples were undefined, the sample is too small"
    )
    assert found.undefined_resamples == pytest.approx(200 * (19 / 20) ** 20, abs=25)


def test_perfect_separation_gives_no_interval_of_no_width():
    targets = np.repeat([0, 1], 20)
    found = auc_interval(targets + np.linspace(0, 0.5, 40), targets, np.arange(40))
    assert found.value == 1
    assert (found.low, found.high) == (None, None)
    assert "every resample gave the same value" in found.reason


def test_a_reason_can_be_given_for_what_is_undefined_though_both_classes_are_there():
    def measure(weights):
        return {"known": weights.mean(axis=1) * np.nan, "other": weights.mean(axis=1) * np.nan}

    found = bootstrap(measure, [0, 1], ["a", "b"], undefined={"known": "nobody is flagged"}, resamples=10)
    assert found["known"].reason == "nobody is flagged"
    assert found["other"].reason == "it is not defined for these images"


@pytest.mark.parametrize(("targets", "groups"), [([], []), ([0, 1], ["a"])])
def test_targets_without_their_groups_are_refused(targets, groups):
    with pytest.raises(ValueError, match="groups"):
        bootstrap(lambda weights: {"n": weights.sum(axis=1)}, targets, groups, resamples=10)


# Differences


def test_a_score_does_not_differ_from_itself():
    scores, targets, groups = clustered(2)
    found = paired_difference(Counts.roc_auc, scores, 3 * scores - 1, targets, groups, resamples=50)
    assert found.value == 0
    assert (found.low, found.high) == (None, None)


def test_a_paired_difference_is_narrower_than_an_unpaired_one():
    scores, targets, groups = clustered(3)
    noisy = scores + np.random.default_rng(0).normal(0, 0.5, len(scores))
    paired = paired_difference(Counts.roc_auc, scores, noisy, targets, groups, resamples=200)
    assert paired.value == pytest.approx(roc_auc_score(targets, scores) - roc_auc_score(targets, noisy))
    assert paired.low < paired.value < paired.high
    first = resample(auc_of(scores, targets), groups, resamples=200, seed=1)["auc"]
    second = resample(auc_of(noisy, targets), groups, resamples=200, seed=2)["auc"]
    unpaired = np.percentile(first - second, (2.5, 97.5))
    assert paired.high - paired.low < 0.7 * (unpaired[1] - unpaired[0])


def test_swapping_the_scores_turns_the_difference_round():
    scores, targets, groups = clustered(4)
    noisy = scores + np.random.default_rng(1).normal(0, 0.7, len(scores))
    gain = paired_difference(Counts.partial_auc, scores, noisy, targets, groups, resamples=50)
    loss = paired_difference(Counts.partial_auc, noisy, scores, targets, groups, resamples=50)
    assert loss.value == pytest.approx(-gain.value)
    assert (loss.low, loss.high) == pytest.approx((-gain.high, -gain.low))


def test_the_interval_of_a_value_that_chance_inflates_holds_it_and_goes_down_to_the_truth():
    """A mean of absolute gaps is above 0 although every true gap is 0; the plain percentiles all lie above it too."""
    gaps = np.random.default_rng(8).normal(size=(400, 20))

    def measure(weights):
        mean_gaps = weights @ gaps / weights.sum(axis=1, keepdims=True)
        return {name: np.abs(mean_gaps).mean(axis=1) for name in ("plain", "inflated")}

    found = bootstrap(measure, np.arange(400) % 2, np.arange(400), inflated={"inflated"}, resamples=300)
    plain, inflated = found["plain"], found["inflated"]
    assert plain.low > plain.value
    assert inflated.low == pytest.approx(max(2 * plain.value - plain.high, 0))
    assert inflated.high == plain.high
    assert 0 <= inflated.low <= inflated.value < inflated.high


def test_resamples_that_differ_by_rounding_alone_give_no_interval():
    found = bootstrap(
        lambda weights: {"mean": (weights @ np.full(30, 0.1)) / weights.sum(axis=1)}, np.arange(30) % 2, np.arange(30)
    )["mean"]
    assert found.value == pytest.approx(0.1)
    assert found.low is None
