import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from isic_screen.errors import DataError
from isic_screen.evaluation.evaluation import evaluate
from isic_screen.evaluation.reliability import reliability_bins
from isic_screen.operating_point import ThresholdTable, wilson
from tests import one_sample
from tests.simulated import SHIPPED, every_value, simulated_predictions


def test_values_are_those_of_the_metric_functions(predictions, found):
    scores, targets = predictions["probability"], predictions["target"]
    values = {name: estimate["value"] for name, estimate in found["overall"]["metrics"].items()}
    assert values == {
        "roc_auc": pytest.approx(one_sample.roc_auc(scores, targets)),
        "partial_auc": pytest.approx(one_sample.partial_auc(scores, targets)),
        "average_precision": pytest.approx(one_sample.average_precision(scores, targets)),
        "average_precision_at_prevalence": pytest.approx(
            one_sample.average_precision(scores, targets, prevalence=0.018)
        ),
        **{
            f"specificity_at_{target:.2f}_sensitivity": pytest.approx(
                one_sample.specificity_at(target, scores, targets)
            )
            for target in (0.90, 0.95, 0.98)
        },
        "brier": pytest.approx(one_sample.brier(scores, targets, prevalence=0.018)),
        "calibration_error": pytest.approx(one_sample.calibration_error(scores, targets, prevalence=0.018)),
        "mean_probability": pytest.approx(0.018 * scores[targets == 1].mean() + 0.982 * scores[targets == 0].mean()),
    }


def test_the_auc_without_the_camera_shortcut_is_that_of_the_other_sizes(predictions):
    shortcut = np.arange(len(predictions)) % 3 == 0
    sized = predictions.assign(width=np.where(shortcut, 4000, 1024), height=np.where(shortcut, 6000, 768))
    found = evaluate(sized, resamples=50)["overall"]["camera_shortcut"]
    others = predictions[~shortcut]
    assert found["roc_auc"]["value"] == pytest.approx(one_sample.roc_auc(others["probability"], others["target"]))
    assert found["roc_auc"]["n"] == len(others)
    assert found["images"] == shortcut.sum()
    assert found["melanomas"] == predictions.loc[shortcut, "target"].sum()
    assert evaluate(sized.astype(str), resamples=50)["overall"]["camera_shortcut"] == found


def test_without_known_camera_sizes_nothing_is_said_about_the_shortcut(predictions, found):
    assert found["overall"]["camera_shortcut"] is None
    unknown = predictions.assign(width=np.nan, height=np.nan)
    assert evaluate(unknown, resamples=20)["overall"]["camera_shortcut"] is None
    all_of_it = evaluate(predictions.assign(width=6000, height=4000), resamples=20)["overall"]["camera_shortcut"]
    assert all_of_it["roc_auc"] is None


def test_counts_of_the_sample(predictions, found):
    block = found["overall"]
    assert (block["n"], block["positives"]) == (240, int(predictions["target"].sum()))
    assert block["negatives"] == 240 - block["positives"]
    assert block["groups"] == predictions["group"].nunique() < 240
    assert block["sample_prevalence"] == pytest.approx(predictions["target"].mean())
    assert found["prevalence"] == 0.018
    assert found["brier_reference"] == pytest.approx(0.018 * 0.982)


def test_every_value_lies_in_its_interval_or_says_why_it_has_none(found):
    values = every_value(found)
    assert len(values) > 60
    for value in values:
        if value["low"] is None:
            assert value["reason"]
        else:
            assert value["low"] <= value["value"] <= value["high"]


def test_calibration_error_has_the_interval_of_a_value_that_chance_inflates():
    # Calibrated on the sample itself: the truth is near 0, and an interval that leaves it out would be wrong.
    found = evaluate(simulated_predictions(100, patients=100), resamples=200)
    assert found["overall"]["metrics"]["calibration_error"]["low"] < 1e-3


def test_intervals_are_of_patients_not_of_images(predictions):
    sizes = np.arange(len(predictions)) % 3 == 0
    once = predictions.assign(width=np.where(sizes, 6000, 1024), height=np.where(sizes, 4000, 768))
    copies = [once.assign(image_id=f"{copy}-" + once["image_id"]) for copy in range(4)]
    # Four photos of everyone tell no more than one.
    one, four = (evaluate(rows, resamples=100)["overall"] for rows in (once, pd.concat(copies, ignore_index=True)))
    of_one, of_four = one["operating_points"]["0.5"], four["operating_points"]["0.5"]
    for found, expected in (
        (four["metrics"]["roc_auc"], one["metrics"]["roc_auc"]),
        (four["camera_shortcut"]["roc_auc"], one["camera_shortcut"]["roc_auc"]),
        (of_four["sensitivity"]["bootstrap"], of_one["sensitivity"]["bootstrap"]),
    ):
        assert (found["low"], found["high"]) == pytest.approx((expected["low"], expected["high"]))


def test_the_reliability_is_that_at_the_stated_prevalence(predictions):
    found = evaluate(predictions, prevalence=0.2, resamples=10)["overall"]["reliability"]
    expected = reliability_bins(predictions["probability"].to_numpy(), predictions["target"] == 1, prevalence=0.2)
    assert found == [vars(point) for point in expected]


def test_operating_points_are_counted_with_wilsons_interval_and_the_bootstrap_beside_it(predictions, found):
    point = found["overall"]["operating_points"]["shipped_0.95"]
    flagged = predictions["probability"] >= 0.007
    melanomas = predictions["target"] == 1
    for rate, count, total in (
        ("sensitivity", flagged & melanomas, melanomas),
        ("specificity", ~flagged & ~melanomas, ~melanomas),
        ("precision", flagged & melanomas, flagged),
        ("npv", ~flagged & ~melanomas, ~flagged),
    ):
        counted = wilson(int(count.sum()), int(total.sum()))
        shown = point[rate]
        assert (shown["count"], shown["total"]) == (counted.count, counted.total)
        assert (shown["value"], shown["low"], shown["high"]) == (counted.value, counted.low, counted.high)
        assert shown["bootstrap"]["low"] < counted.value < shown["bootstrap"]["high"]
    assert point["confusion"] == {
        "true_positives": int((flagged & melanomas).sum()),
        "false_negatives": int((~flagged & melanomas).sum()),
        "false_positives": int((flagged & ~melanomas).sum()),
        "true_negatives": int((~flagged & ~melanomas).sum()),
    }


def test_what_depends_on_prevalence_is_that_of_the_operating_point(predictions, found):
    table = ThresholdTable.from_predictions(predictions["probability"], predictions["target"], 0.018)
    expected, point = table.at(0.007), found["overall"]["operating_points"]["shipped_0.95"]
    assert point["precision_at_prevalence"]["value"] == pytest.approx(expected.ppv)
    assert point["npv_at_prevalence"]["value"] == pytest.approx(expected.npv)
    assert expected.per_1000 is not None
    assert point["flagged_per_1000"]["value"] == pytest.approx(expected.per_1000.flagged)
    assert point["missed_per_1000"]["value"] == pytest.approx(expected.per_1000.missed)


def test_thresholds_chosen_on_the_sample_reach_their_sensitivity_and_say_so(found):
    for target in (0.90, 0.95, 0.98):
        point = found["overall"]["operating_points"][f"sample_{target:.2f}"]
        assert point["chosen_on"] == "this sample"
        assert "chosen on this sample" in point["label"]
        assert target <= point["sensitivity"]["value"] < target + 0.02


def test_the_papers_half_is_of_the_uncalibrated_sigmoid(predictions, found):
    points = found["overall"]["operating_points"]
    flagged = expit(predictions["logit"]) >= 0.5
    assert points["paper_0.5"]["scale"] == "sigmoid"
    assert points["paper_0.5"]["sensitivity"]["count"] == int((flagged & (predictions["target"] == 1)).sum())
    assert points["0.5"]["sensitivity"]["count"] < points["paper_0.5"]["sensitivity"]["count"]


def test_names_that_are_no_sensitivity_are_kept(predictions):
    found = evaluate(predictions, operating_points={"clinic": 0.02}, resamples=20)
    point = found["overall"]["operating_points"]["shipped_clinic"]
    assert (point["label"], point["target_sensitivity"]) == ("clinic, as shipped", None)


def test_the_same_seed_gives_the_same_figures_and_another_does_not(predictions):
    first, again, other = (evaluate(predictions, resamples=50, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["overall"]["metrics"]["roc_auc"]["low"] != other["overall"]["metrics"]["roc_auc"]["low"]


def test_sources_are_never_pooled(predictions):
    easy = simulated_predictions(seed=5, source="ham10000")
    both = pd.concat([predictions, easy])
    found = evaluate(both, resamples=50)
    assert list(found["sources"]) == ["ham10000", "isic2020"]
    overall = found["overall"]
    assert overall["n"] == 480
    assert overall["metrics"]["roc_auc"]["value"] is None
    assert "not pooled over 2 sources" in overall["metrics"]["roc_auc"]["reason"]
    assert overall["metrics"]["roc_auc"]["by_source"] == {
        "ham10000": pytest.approx(one_sample.roc_auc(easy["probability"], easy["target"])),
        "isic2020": pytest.approx(one_sample.roc_auc(predictions["probability"], predictions["target"])),
    }
    assert found["sources"]["isic2020"] == evaluate(predictions, resamples=50)["overall"]


@pytest.mark.parametrize(("target", "reason"), [(0, "there is no melanoma among the"), (1, "images are melanomas")])
def test_one_class_is_no_error_but_gives_reasons(predictions, target, reason):
    rows = predictions[predictions["target"] == target]
    found = evaluate(rows, operating_points=SHIPPED, resamples=50)
    for estimate in found["overall"]["metrics"].values():
        assert (estimate["value"], estimate["low"], estimate["high"]) == (None, None, None)
        assert reason in estimate["reason"]
    point = found["overall"]["operating_points"]["shipped_0.95"]
    known, unknown = ("specificity", "sensitivity") if target == 0 else ("sensitivity", "specificity")
    assert point[known]["value"] is not None
    for rate in (unknown, "precision", "npv", "precision_at_prevalence", "flagged_per_1000"):
        assert point[rate]["value"] is None
        assert reason in point[rate]["reason"]
    assert found["overall"]["reliability"] == []
    json.dumps(found, allow_nan=False)


def test_thresholds_that_flag_nobody_or_everybody_leave_predictive_values_undefined(predictions):
    found = evaluate(predictions, operating_points={"none": 1.0, "all": 0.0}, resamples=50)
    points = found["overall"]["operating_points"]
    for rate in ("precision", "precision_at_prevalence"):
        assert (points["shipped_none"][rate]["value"], points["shipped_none"][rate]["reason"]) == (
            None,
            "nobody is flagged",
        )
    for rate in ("npv", "npv_at_prevalence"):
        assert (points["shipped_all"][rate]["value"], points["shipped_all"][rate]["reason"]) == (
            None,
            "everybody is flagged",
        )
    assert points["shipped_none"]["missed_per_1000"]["value"] == pytest.approx(18)
    assert points["shipped_all"]["missed_per_1000"]["value"] == 0


def test_two_sources_may_have_an_image_of_one_name_and_patients_that_only_some_of_them_number(predictions):
    other = predictions.assign(source="clinic")
    other["group"] = [number if number % 2 else f"p{number}" for number in pd.factorize(other["group"])[0]]
    found = evaluate(pd.concat([predictions, other]), resamples=20)["sources"]
    assert found["clinic"]["groups"] == found["isic2020"]["groups"]
    assert found["clinic"]["metrics"]["roc_auc"]["value"] == found["isic2020"]["metrics"]["roc_auc"]["value"]


def test_the_result_is_strict_json(found):
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_other_columns_and_their_order_do_not_matter(predictions, found):
    wider = predictions.assign(lens="A", fold=50)[[*reversed(predictions.columns), "fold", "lens"]]
    assert evaluate(wider, operating_points=SHIPPED, resamples=200) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": 2}, "a target other than 0 and 1"),
        ({"logit": np.inf}, "a logit that is not a finite number"),
        ({"logit": None}, "a logit that is not a finite number"),
        ({"probability": 1.5}, "a probability outside 0 to 1"),
        ({"probability": np.nan}, "a probability outside 0 to 1"),
        ({"group": ""}, "no group"),
        ({"source": None}, "no source"),
        ({"image_id": "isic2020_0"}, "an image id that occurs twice"),
    ],
)
def test_rows_that_cannot_be_evaluated_are_named(predictions, change, message):
    rows = predictions.astype(object)
    for column, value in change.items():
        rows.loc[3, column] = value
    with pytest.raises(DataError, match=message) as caught:
        evaluate(rows, resamples=10)
    assert "isic2020_" in str(caught.value)


def test_missing_columns_and_empty_tables_are_refused(predictions):
    with pytest.raises(DataError, match="no column group, logit"):
        evaluate(predictions.drop(columns=["group", "logit"]))
    with pytest.raises(DataError, match="no predictions to evaluate"):
        evaluate(predictions[:0])
    with pytest.raises(ValueError, match="prevalence"):
        evaluate(predictions, prevalence=0)
