"""What a running page answers to programs, without a page."""

import json

import pytest

from isic_screen import Screener, load_model
from isic_screen.operating_point import out_of_range
from isic_screen.ui.api import Api
from tests.conftest import lesion


@pytest.fixture
def screener(lite0_file) -> Screener:
    return Screener(load_model(lite0_file))


@pytest.fixture
def api(screener) -> Api:
    return Api(screener)


def test_the_api_answers_with_the_meaning_of_its_number(api, screener, tmp_path):
    lesion(1, dark=True, size=(400, 300)).save(tmp_path / "a.jpg")
    result = api.screen(str(tmp_path / "a.jpg"))
    assert 0 < result["probability"] < 1
    assert result["threshold"] == screener.facts.default_threshold
    assert result["flagged"] == (result["probability"] >= result["threshold"])
    assert result["prevalence"] == 0.018
    assert result["error"] is None
    (tmp_path / "b.jpg").write_text("no photo")
    broken = api.screen(str(tmp_path / "b.jpg"), 0.5)
    assert broken["probability"] is None
    assert "b.jpg" in broken["error"]


@pytest.mark.parametrize("threshold", [5, -1, 1.0001, float("nan"), float("inf"), True, False])
def test_the_api_answers_an_impossible_threshold_with_one_sentence_and_no_flag(api, tmp_path, threshold):
    lesion(1, dark=True, size=(400, 300)).save(tmp_path / "a.jpg")
    sentence = api.operating_point(threshold)["error"]
    assert sentence == out_of_range(threshold)
    assert "between 0 and 1" in sentence
    one, many = api.screen(str(tmp_path / "a.jpg"), threshold), api.batch([str(tmp_path / "a.jpg")], threshold)
    assert one["error"] == many["error"] == sentence
    assert (one["probability"], one["flagged"], one["threshold"], many["threshold"]) == (None,) * 4
    assert many["photos"] == []
    json.dumps([one, many], allow_nan=False)


def test_the_ends_of_the_threshold_are_possible(api, tmp_path):
    lesion(1, dark=True, size=(400, 300)).save(tmp_path / "a.jpg")
    assert [api.screen(str(tmp_path / "a.jpg"), threshold)["flagged"] for threshold in (0, 1)] == [True, False]
    assert api.batch([str(tmp_path / "a.jpg")], 0)["error"] is None


def test_the_apis_thresholds_stay_on_the_model_files_scale_whatever_the_prevalence(api, screener):
    usual, rare = (api.operating_point(0.01, prevalence) for prevalence in (None, 0.005))
    for same in ("threshold", "threshold_prevalence", "sensitivity", "specificity"):
        assert usual[same] == rare[same]
    assert rare["threshold_prevalence"] == screener.facts.prevalence == 0.018
    assert rare["prevalence"] == 0.005
    assert rare["per_1000"]["found"] + rare["per_1000"]["missed"] == pytest.approx(5)
    assert api.operating_point(0.01, 0)["error"]
