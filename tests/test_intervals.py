"""Bootstrap intervals: they draw whole groups, cover what they should, and say when they cannot."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from isic_screen.evaluation.counts import Counts, Floats, Ranking
from isic_screen.evaluation.intervals import Estimate, bootstrap, group_weights, paired_difference, resample


def auc_estimate(
    scores: np.ndarray, targets: np.ndarray, groups: np.ndarray, *, resamples: int = 300, seed: int = 0
) -> Estimate:
    ranking = Ranking.of(scores, targets)
    return bootstrap(
        lambda weights: {"auc": ranking.counts(weights).roc_auc()}, targets, groups, resamples=resamples, seed=seed
    )["auc"]


def clustered(generator: np.random.Generator, patients: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Flags (patients * images,) and patients: half of the patients are always flagged, the others hardly ever."""
    often = generator.random(patients) < 0.5
    groups = np.repeat(np.arange(patients), images)
    return generator.random(patients * images) < np.where(often, 0.95, 0.05)[groups], groups


def test_whole_groups_are_drawn_as_many_as_there_are() -> None:
    groups = np.array(["b", "a", "b", "c", "a", "b"])
    weights = np.concatenate(list(group_weights(groups, resamples=50, seed=1)))
    assert weights.shape == (50, 6)
    a, b, c = weights[:, 1], weights[:, 0], weights[:, 3]
    np.testing.assert_array_equal(weights, np.stack([b, a, b, c, a, b], axis=1))
    np.testing.assert_array_equal(a + b + c, np.full(50, 3))
    assert len(np.unique(weights, axis=0)) > 3


def test_draws_depend_on_the_seed_alone() -> None:
    groups = np.arange(20) % 7
    first, again, other = (np.concatenate(list(group_weights(groups, seed=seed))) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_blocks_add_up_to_the_resamples() -> None:
    groups = np.arange(90_000)  # large enough for several blocks
    shapes = [weights.shape for weights in group_weights(groups, resamples=50)]
    assert len(shapes) > 1
    assert sum(rows for rows, _ in shapes) == 50


def test_a_resample_is_what_scikit_learn_says_of_the_drawn_images() -> None:
    generator = np.random.default_rng(0)
    targets, groups = generator.integers(0, 2, 60), generator.integers(0, 25, 60)
    scores = np.round(generator.normal(size=60) + targets, 1)
    ranking = Ranking.of(scores, targets)
    drawn = resample(lambda weights: {"auc": ranking.counts(weights).roc_auc()}, groups, resamples=20)["auc"]
    for weights, value in zip(np.concatenate(list(group_weights(groups, resamples=20))), drawn, strict=True):
        assert value == pytest.approx(roc_auc_score(targets, scores, sample_weight=weights))


def test_interval_covers_the_truth_where_images_of_a_patient_are_alike() -> None:
    """Nominal 95 % on clustered data; drawing single images would cover far less."""
    generator = np.random.default_rng(7)
    covered = {"patients": 0, "images": 0}
    for seed in range(120):
        flags, patients = clustered(generator, patients=60, images=8)

        def mean(weights: Floats, flags: np.ndarray = flags) -> dict[str, Floats]:
            return {"mean": weights @ flags / weights.sum(axis=1)}

        targets = np.arange(len(flags)) % 2
        for name, groups in (("patients", patients), ("images", np.arange(len(flags)))):
            found = bootstrap(mean, targets, groups, resamples=200, seed=seed)["mean"]
            assert found.low is not None
            assert found.high is not None
            covered[name] += found.low <= 0.5 <= found.high
    assert covered["patients"] >= 0.88 * 120
    assert covered["images"] <= 0.75 * 120


def test_auc_interval_is_as_wide_as_the_spread_over_samples() -> None:
    generator = np.random.default_rng(11)
    targets = np.arange(200) % 2
    samples = [generator.normal(size=200) + 1.2 * targets for _ in range(200)]
    spread = np.subtract(*np.percentile([roc_auc_score(targets, scores) for scores in samples], (97.5, 2.5)))
    found = [auc_estimate(scores, targets, np.arange(200)) for scores in samples[:10]]
    widths = [
        estimate.high - estimate.low for estimate in found if estimate.high is not None and estimate.low is not None
    ]
    assert np.mean(widths) == pytest.approx(spread, rel=0.25)


def test_one_class_is_undefined_with_a_reason() -> None:
    found = auc_estimate(np.arange(4.0), np.zeros(4, dtype=int), np.arange(4))
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.reason == "there is no melanoma among the 4 images"


def test_a_value_whose_resamples_are_often_undefined_has_no_interval() -> None:
    # One melanoma: a third of the resamples draws none.
    found = auc_estimate(np.array([0.9, 0.1, 0.95, 0.3]), np.array([1, 0, 0, 0]), np.arange(4))
    assert found.value == pytest.approx(2 / 3)
    assert found.low is None
    assert found.undefined_resamples > 50
    assert "too small" in (found.reason or "")


def test_resamples_that_all_agree_give_no_interval() -> None:
    found = auc_estimate(np.arange(40.0), (np.arange(40) >= 20).astype(int), np.arange(40))
    assert found.value == 1
    assert found.low is None
    assert "same value" in (found.reason or "")


def test_a_few_undefined_resamples_are_left_out_and_counted() -> None:
    generator = np.random.default_rng(2)
    targets = np.r_[np.ones(4, dtype=int), np.zeros(96, dtype=int)]
    found = auc_estimate(generator.normal(size=100) + targets, targets, np.arange(100), resamples=1000)
    assert 0 < found.undefined_resamples < 50
    assert found.low is not None


def test_estimate_counts_what_it_rests_on_and_is_strict_json() -> None:
    found = auc_estimate(np.array([0.1, 0.4, 0.3, 0.9] * 5), np.array([0, 1, 1, 1] * 5), np.arange(20) // 2)
    assert (found.n, found.positives, found.groups) == (20, 15, 10)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["n"] == 20


def test_paired_difference_is_narrower_than_the_two_apart() -> None:
    generator = np.random.default_rng(5)
    targets = np.arange(300) % 2
    baseline = generator.normal(size=300) + targets
    scores = baseline + 0.3 * generator.normal(size=300) + 0.4 * targets
    groups = np.arange(300) // 3
    found = paired_difference(Counts.roc_auc, scores, baseline, targets, groups, resamples=300)
    expected = roc_auc_score(targets, scores) - roc_auc_score(targets, baseline)
    assert found.value == pytest.approx(expected)
    single = auc_estimate(scores, targets, groups)
    assert found.low is not None
    assert found.high is not None
    assert single.low is not None
    assert single.high is not None
    assert found.high - found.low < 0.8 * (single.high - single.low)
    assert found.low > 0


def test_a_score_is_no_better_than_itself() -> None:
    scores, targets = np.array([0.1, 0.9, 0.4, 0.6] * 10), np.array([0, 1, 1, 0] * 10)
    found = paired_difference(Counts.roc_auc, scores, scores, targets, np.arange(40))
    assert found.value == 0
    assert found.low is None


def test_groups_must_fit_the_images() -> None:
    with pytest.raises(ValueError, match="alike"):
        auc_estimate(np.arange(3.0), np.array([0, 1, 0]), np.arange(2))
