import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from isic_screen.calibration import Calibration, cross_fitted, fit_platt
from isic_screen.operating_point import restate


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray]:
    """Logits and targets whose true calibration is slope 0.5, intercept -1."""
    random = np.random.default_rng(0)
    logits = random.normal(1, 3, 4000)
    return logits, (random.random(4000) < expit(0.5 * logits - 1)).astype(int)


def test_platt_finds_the_slope_and_intercept_that_made_the_sample(sample):
    calibration = fit_platt(*sample)
    assert calibration.slope == pytest.approx(0.5, abs=0.03)
    assert calibration.intercept == pytest.approx(-1, abs=0.08)
    assert calibration.fitted_prevalence == sample[1].mean()


def test_platt_agrees_with_scikit_learn_at_the_fitted_prevalence(sample):
    logits, targets = sample
    ours = fit_platt(logits, targets, prevalence=float(targets.mean())).probability(logits)
    theirs = LogisticRegression(C=np.inf).fit(logits[:, None], targets).predict_proba(logits[:, None])[:, 1]
    np.testing.assert_allclose(ours, theirs, atol=1e-3)  # the softened targets weigh as one more image of each class


def test_a_fit_is_the_maximum_of_platts_likelihood():
    """Its gradient is nothing there. With few and unlike numbers of each class, as then the soft targets matter."""
    logits = np.array([2.0, 0.5, 1.0, -1.0, -2.0, 0.0, 0.7, -3.0, -0.5, 1.2])
    targets = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    calibration = fit_platt(logits, targets)
    wanted = np.where(targets == 1, 4 / 5, 1 / 9)
    residuals = expit(calibration.slope * logits + calibration.intercept) - wanted
    np.testing.assert_allclose([residuals.sum(), (residuals * logits).sum()], 0, atol=2e-3)


def test_a_small_separable_sample_gives_a_finite_slope():
    calibration = fit_platt([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1], prevalence=0.5)
    assert 0 < calibration.slope < 10
    # Platt's soft targets for two of each class: nobody is more certain than 3 in 4, give or take the slope.
    assert 0.6 < calibration.probability(2.0) < 0.95


def test_at_the_stated_prevalence_the_mean_probability_of_such_people_is_that_prevalence(sample):
    logits, targets = sample
    probabilities = fit_platt(logits, targets, prevalence=0.018).probability(logits)
    weights = np.where(targets == 1, 0.018 / targets.mean(), (1 - 0.018) / (1 - targets.mean()))
    assert np.average(probabilities, weights=weights) == pytest.approx(0.018, abs=0.001)


def test_moving_prevalence_is_bayes_rule():
    # Likelihood ratio 3: at even odds 0.75; at 1 in 50 it is 3/49 to 1.
    assert restate(0.75, 0.5, 0.02) == pytest.approx((3 / 49) / (1 + 3 / 49))
    assert restate(restate(0.3, 0.5, 0.02), 0.02, 0.5) == pytest.approx(0.3)


def test_stating_another_prevalence_moves_probabilities_and_keeps_their_order():
    calibration = Calibration(1.3, -0.4, fitted_prevalence=0.5, prevalence=0.018)
    logits = np.linspace(-5, 5, 11)
    elsewhere = calibration.at(0.1).probability(logits)
    np.testing.assert_allclose(elsewhere, [restate(p, 0.018, 0.1) for p in calibration.probability(logits)])
    assert (np.diff(elsewhere) > 0).all()


def test_logit_is_the_inverse_of_probability():
    calibration = Calibration(0.7, 2.0, 0.4, 0.018)
    np.testing.assert_allclose(calibration.logit(calibration.probability([-3.0, 0.0, 4.0])), [-3, 0, 4])


def test_a_loss_weighted_by_w_is_undone_by_the_intercept():
    """`pos_weight = w` shifts a perfect logit by ln w; the fit takes that back."""
    random = np.random.default_rng(3)
    truth = random.normal(-3, 2, 20000)
    targets = (random.random(20000) < expit(truth)).astype(int)
    calibration = fit_platt(truth + np.log(55.7), targets)
    assert calibration.intercept == pytest.approx(-np.log(55.7), abs=0.15)


def test_one_class_cannot_be_calibrated():
    with pytest.raises(ValueError, match="one class"):
        fit_platt([0.1, 0.2], [1, 1])


def test_scores_that_point_the_wrong_way_are_refused():
    with pytest.raises(ValueError, match="slope"):
        fit_platt([3.0, 2.0, -2.0, -3.0, 1.0, -1.0], [0, 0, 1, 1, 1, 0])


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan")])
def test_a_slope_that_tells_nobody_apart_is_refused(slope):
    with pytest.raises(ValueError, match="slope"):
        Calibration(slope, 0, 0.5)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, float("nan")])
def test_a_prevalence_of_nobody_or_everybody_is_refused(prevalence):
    with pytest.raises(ValueError, match="prevalence"):
        Calibration(1, 0, 0.5, prevalence)


def test_cross_fitted_probabilities_come_from_the_other_folds(sample):
    logits, targets = sample[0][:600], sample[1][:600]
    folds = np.arange(600) % 3
    probabilities = cross_fitted(logits, targets, folds, prevalence=0.05)
    others = fit_platt(logits[folds != 1], targets[folds != 1], prevalence=0.05)
    np.testing.assert_allclose(probabilities[folds == 1], others.probability(logits[folds == 1]))
    # Targets of the held-out fold must not matter to its own probabilities.
    flipped = np.where(folds == 1, 1 - targets, targets)
    again = cross_fitted(logits, flipped, folds, prevalence=0.05)
    np.testing.assert_allclose(again[folds == 1], probabilities[folds == 1])
    assert logit(probabilities).std() > 0
