"""The subgroups of people and photos: who is in them, and when there are too few to say."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from isic_screen.evaluation.evaluation import evaluate
from isic_screen.evaluation.subgroups import MIN_OF_CLASS, TOO_FEW, subgroups
from isic_screen.operating_point import wilson
from tests.one_sample import roc_auc
from tests.simulated import SHIPPED, every_value


def grouped(found: dict[str, Any], characteristic: str) -> dict[str, dict[str, Any]]:
    return {group["label"]: group for group in found["overall"]["subgroups"]["by"][characteristic]}


def test_subgroups_have_the_figures_of_their_own_images(predictions):
    women = np.arange(len(predictions)) % 3 == 0
    rows = predictions.assign(sex=np.where(women, "female", "male"))
    found = evaluate(rows, operating_points=SHIPPED, resamples=50)
    assert found["overall"]["subgroups"]["threshold"] == SHIPPED["0.95"]
    groups = grouped(found, "sex")
    assert list(groups) == ["male", "female"]  # from the largest down
    for name, chosen in (("female", women), ("male", ~women)):
        mine, group = predictions[chosen], groups[name]
        flagged, melanomas = mine["probability"] >= 0.007, mine["target"] == 1
        assert (group["n"], group["positives"], group["negatives"]) == (len(mine), melanomas.sum(), (~melanomas).sum())
        assert group["groups"] == mine["group"].nunique()
        assert group["roc_auc"]["value"] == pytest.approx(roc_auc(mine["probability"], mine["target"]))
        for rate, count, total in (
            ("sensitivity", flagged & melanomas, melanomas),
            ("specificity", ~flagged & ~melanomas, ~melanomas),
        ):
            counted = wilson(int(count.sum()), int(total.sum()))
            shown = group[rate]
            assert (shown["value"], shown["low"], shown["high"]) == (counted.value, counted.low, counted.high)
            assert (shown["count"], shown["total"]) == (counted.count, counted.total)
    for value in every_value(found["overall"]["subgroups"]):
        assert value["low"] <= value["value"] <= value["high"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_intervals_of_a_subgroup_are_of_patients_and_not_of_their_photos(predictions):
    """Four alike photos of each patient say no more than one."""
    once = predictions.assign(sex=["female", "male"] * 120, group=predictions["image_id"])
    four = pd.concat([once.assign(image_id=once["image_id"] + f" {number}") for number in range(4)])
    one, same = (grouped(evaluate(rows, operating_points=SHIPPED, resamples=50), "sex") for rows in (once, four))
    for sex in ("female", "male"):
        expected, found = one[sex]["roc_auc"], same[sex]["roc_auc"]
        assert expected["low"] < expected["high"]
        assert (found["low"], found["high"]) == pytest.approx((expected["low"], expected["high"]))


def test_a_photo_at_the_threshold_is_flagged_in_its_subgroup_too(predictions):
    rows = predictions.assign(sex=["female", "male"] * 120, probability=0.01)
    for group in grouped(evaluate(rows, operating_points={"0.95": 0.01}, resamples=10), "sex").values():
        assert (group["sensitivity"]["value"], group["specificity"]["value"]) == (1, 0)


def test_a_subgroup_with_too_few_of_a_class_has_no_figure_that_needs_it(predictions):
    melanomas, others = (predictions[predictions["target"] == target] for target in (1, 0))

    def groups_with(few: int) -> dict[str, dict[str, Any]]:
        small = pd.concat([melanomas[:few], others[:MIN_OF_CLASS]]).assign(site="toe")
        large = pd.concat([melanomas[few:], others[MIN_OF_CLASS:]]).assign(site="torso")
        return grouped(evaluate(pd.concat([small, large]), resamples=20), "body site")

    toe = groups_with(MIN_OF_CLASS - 1)["toe"]
    for rate in ("roc_auc", "sensitivity"):
        assert toe[rate] == {"value": None, "low": None, "high": None, "reason": TOO_FEW}
    assert toe["specificity"]["value"] is not None
    assert all(groups_with(MIN_OF_CLASS)["toe"][rate]["value"] is not None for rate in ("roc_auc", "sensitivity"))
    assert groups_with(0)["toe"]["sensitivity"]["reason"] == TOO_FEW


@pytest.mark.parametrize(
    ("shipped", "label"),
    [
        ({"members' mean": 0.01}, "members' mean, as shipped"),  # an ensemble's
        ({"0.90": 0.02, "0.95": 0.01}, "95 % sensitivity, as shipped"),
        ({"0.90": 0.02, "0.98": 0.01}, "95 % sensitivity, chosen on this sample"),  # which of the two is not told
    ],
)
def test_subgroups_are_measured_at_the_threshold_that_the_model_ships_with(predictions, shipped, label):
    rows = predictions.assign(sex=["female", "male"] * 120)
    found = evaluate(rows, operating_points=shipped, resamples=20)["overall"]["subgroups"]
    assert found["label"] == label
    assert (found["threshold"] == 0.01) == label.endswith("as shipped")


def test_a_size_that_is_infinite_is_not_known(predictions):
    rows = predictions.assign(width=[6000.0, 640.0, np.inf] * 80, height=4000.0)
    found = subgroups(rows)["original size"]
    assert {label: int(mask.sum()) for label, mask in found.items()} == {
        "6000 x 4000": 80,
        "4000 x 640": 80,
        "not known": 80,
    }


def test_without_a_shipped_threshold_subgroups_take_the_samples(predictions):
    rows = predictions.assign(sex=["female", "male"] * 120)
    found = evaluate(rows, resamples=20)["overall"]
    assert found["subgroups"]["threshold"] == found["operating_points"]["sample_0.95"]["threshold"]
    assert "chosen on this sample" in found["subgroups"]["label"]


def test_subgroups_need_a_threshold_and_two_known_groups(predictions, found):
    assert found["overall"]["subgroups"] is None
    for alike in ({"sex": "female"}, {"sex": ["female", ""] * 120}, {"age": np.nan}, {"sharpness": 2.0}):
        assert evaluate(predictions.assign(**alike), resamples=10)["overall"]["subgroups"] is None
    sexes = predictions.assign(sex=["female", "male"] * 120)
    assert evaluate(sexes[sexes["target"] == 0], resamples=10)["overall"]["subgroups"] is None
    shipped = evaluate(sexes[sexes["target"] == 0], operating_points=SHIPPED, resamples=10)["overall"]["subgroups"]
    assert shipped["by"]["sex"][0]["sensitivity"]["reason"] == TOO_FEW
    assert shipped["by"]["sex"][0]["specificity"]["value"] is not None


def members(masks: dict[str, Any]) -> dict[str, list[int]]:
    return {label: np.flatnonzero(mask).tolist() for label, mask in masks.items()}


def test_subgroups_of_people():
    rows = pd.DataFrame(
        {
            "sex": ["Female", "male", "", None, "unknown", "male"],
            "age": [29.9, "30", 59, 60, None, 90],
            "site": ["torso", "Torso ", "head/neck", "", "head/neck", "torso"],
            "skin_tone": ["Tan", "Light", "Very light", "Light", "", "sallow"],
        }
    )
    found = {name: members(masks) for name, masks in subgroups(rows).items()}
    assert found == {
        "sex": {"male": [1, 5], "female": [0], "not known": [2, 3, 4]},
        "age": {
            "under 30": [0],
            "30 to 44": [1],
            "45 to 59": [2],
            "60 to 74": [3],
            "75 and over": [5],
            "not known": [4],
        },
        "body site": {"torso": [0, 1, 5], "head/neck": [2, 4], "not known": [3]},
        "skin tone": {"very light": [2], "light": [1, 3], "tan": [0], "sallow": [5], "not known": [4]},
    }
    assert list(found["skin tone"]) == ["very light", "light", "tan", "sallow", "not known"]
    assert list(found["age"]) == ["under 30", "30 to 44", "45 to 59", "60 to 74", "75 and over", "not known"]
    assert list(found["sex"]) == ["male", "female", "not known"]


def test_subgroups_of_photos():
    sizes = [
        (6000, 4000),
        (4000, 6000),
        (640, 480),
        (640, 480),
        (640, 480),
        (7, 1),
        (7, 2),
        (7, 3),
        (7, 4),
        (np.nan, 4),
    ]
    rows = pd.DataFrame(sizes, columns=["width", "height"])
    rows["sharpness"] = [9, 1, 8, 2, 7, 3, np.nan, 4, 5, 6]
    found = {name: members(masks) for name, masks in subgroups(rows).items()}
    assert found["camera"] == {"not 6000 x 4000": list(range(2, 9)), "6000 x 4000": [0, 1], "not known": [9]}
    assert found["original size"] == {
        "640 x 480": [2, 3, 4],
        "6000 x 4000": [0, 1],
        "7 x 1": [5],
        "7 x 2": [6],
        "7 x 3": [7],
        "other sizes": [8],
        "not known": [9],
    }
    assert found["sharpness"] == {
        "least sharp third": [1, 3, 5],
        "middle third": [7, 8, 9],
        "sharpest third": [0, 2, 4],
        "not known": [6],
    }
    assert list(found["sharpness"]) == ["least sharp third", "middle third", "sharpest third", "not known"]


def test_a_value_at_the_border_of_two_thirds_is_of_the_lower_one():
    rows = pd.DataFrame({"sharpness": [1, 2, 2, 2, 3, 4, 4, 4, 5, 6]})  # the borders are 2 and 4
    assert members(subgroups(rows)["sharpness"]) == {
        "least sharp third": [0, 1, 2, 3],
        "middle third": [4, 5, 6, 7],
        "sharpest third": [8, 9],
    }


def test_free_text_cannot_make_hundreds_of_subgroups():
    rows = pd.DataFrame({"site": [f"site {number}" for number in range(100)] + ["torso", "torso"]})
    sites = members(subgroups(rows)["body site"])
    assert len(sites) == 13
    assert sites["torso"] == [100, 101]
    assert len(sites["other sites"]) == 89
    assert next(iter(sites)) == "torso"
    assert list(sites)[-1] == "other sites"  # the largest, but no site


def test_what_is_not_known_takes_no_place_among_the_commonest():
    named = [f"site {number:02}" for number in range(12)]
    sites = members(subgroups(pd.DataFrame({"site": [*named, None, None]}))["body site"])
    assert sites == {**{site: [number] for number, site in enumerate(named)}, "not known": [12, 13]}
