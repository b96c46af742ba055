import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isic_screen import Screener, load_model
from isic_screen.artifact import Model, save_model
from isic_screen.calibration import Calibration
from isic_screen.ensemble import Ensemble, _mean_heat_map
from isic_screen.errors import ModelFileError
from isic_screen.evaluation.model_evaluation import evaluate_model
from isic_screen.network import build_network
from isic_screen.quality import assess
from isic_screen.screener import Screening
from tests.conftest import example_facts, lesion


def _file(folder: Path, stem: str, seed: int, **changes: object) -> Path:
    """A small model file with random weights of its own."""
    torch.manual_seed(seed)
    network = build_network("resnet10t", weights=None, input_size=64)
    path = folder / f"{stem}.safetensors"
    save_model(path, network, example_facts(network, **changes))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory, lite0_file) -> list[Path]:
    """Three models that differ in weights, calibration, threshold, and one in architecture and input size."""
    folder = tmp_path_factory.mktemp("members")
    first = _file(
        folder,
        "first",
        1,
        calibration=Calibration(2.0, 0.5, 0.3),
        default_threshold=0.2,
        training={"table_sha256": {"labels.csv": "aa"}},
    )
    second = _file(folder, "second", 2, name="other", calibration=Calibration(0.7, -1.0, 0.1), default_threshold=0.01)
    return [first, second, lite0_file]


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_the_score_is_the_mean_of_the_calibrated_logits(files):
    photos = [lesion(0), lesion(1, dark=True)]
    alone = [Screener(load_model(file)).screen_many(photos) for file in files]
    together = Ensemble.from_files(files).screen_many(photos)
    assert len(together) == 2
    for number, screening in enumerate(together):
        probabilities = [answers[number].probability for answers in alone]
        assert len({round(probability, 6) for probability in probabilities}) == 3
        mean = sum(_logit(probability) for probability in probabilities) / 3
        assert screening.logit == pytest.approx(mean, abs=1e-6)
        assert screening.probability == pytest.approx(1 / (1 + math.exp(-mean)), abs=1e-9)
        assert screening.quality == alone[0][number].quality


def test_one_photo_is_one_of_many_and_none_is_none(files):
    ensemble = Ensemble.from_files(files)
    photos = [lesion(0), lesion(1, dark=True)]
    many = ensemble.screen_many(photos)
    for photo, screening in zip(photos, many, strict=True):
        assert ensemble.screen(photo).probability == pytest.approx(screening.probability, abs=1e-5)
    assert many[0].probability != many[1].probability
    assert ensemble.screen_many([]) == []


def test_two_copies_of_one_model_answer_as_it_does(files):
    photo, model = lesion(1, dark=True), load_model(files[0])
    alone = Screener(model).screen(photo)
    ensemble = Ensemble.from_files([files[0], files[0]])
    twice = ensemble.screen(photo)
    assert twice.probability == alone.probability
    assert ensemble.facts.default_threshold == pytest.approx(model.facts.default_threshold, rel=1e-12)
    assert ensemble.facts.prevalence == model.facts.prevalence
    np.testing.assert_array_equal(twice.heat_map, alone.heat_map)


def test_order_does_not_matter(files):
    photo = lesion(2)
    answers = [Ensemble.from_files(order) for order in itertools.permutations(files)]
    screenings = [ensemble.screen(photo) for ensemble in answers]
    assert len({screening.probability for screening in screenings}) == 1
    assert len({ensemble.facts.default_threshold for ensemble in answers}) == 1
    for screening in screenings[1:]:
        np.testing.assert_allclose(screening.heat_map, screenings[0].heat_map, atol=1e-6)


def test_a_sure_member_stays_finite(tmp_path):
    sure = _file(tmp_path, "sure", 1, calibration=Calibration(1.0, 100.0, 0.5))
    unsure = _file(tmp_path, "unsure", 2)
    assert Screener(load_model(sure)).screen(lesion(0)).probability == 1.0
    screening = Ensemble.from_files([sure, unsure]).screen(lesion(0))
    assert math.isfinite(screening.logit)
    assert 30 < screening.logit < 70


def test_the_threshold_is_the_mean_of_the_members_on_the_logit_scale(files):
    ensemble = Ensemble.from_files(files[:2])
    expected = (_logit(0.2) + _logit(0.01)) / 2
    assert _logit(ensemble.facts.default_threshold) == pytest.approx(expected)
    assert ensemble.facts.operating_points == {"members' mean": ensemble.facts.default_threshold}
    assert f"{ensemble.facts.default_threshold:.4g}" in ensemble.description


@pytest.mark.parametrize(("one", "other"), [(0.0, 1.0), (0.0, 0.5), (1.0, 1.0)])
def test_thresholds_without_a_logit_still_have_a_mean(one, other, tmp_path):
    files = [_file(tmp_path, "a", 1, default_threshold=one), _file(tmp_path, "b", 2, default_threshold=other)]
    assert 0 < Ensemble.from_files(files).facts.default_threshold < 1


def test_different_prevalences_are_refused_with_both_files(files, tmp_path):
    common = _file(tmp_path, "common", 3, calibration=Calibration(1.0, 0.0, 0.5, prevalence=0.05))
    with pytest.raises(ModelFileError, match=r"second\.safetensors.* 1\.8 %.*common\.safetensors.* 5 %"):
        Ensemble.from_files([files[1], files[1], common])


def test_a_member_that_is_missing_is_named(files, tmp_path):
    with pytest.raises(ModelFileError, match="gone"):
        Ensemble.from_files([files[0], tmp_path / "gone.safetensors"])


@pytest.mark.parametrize("names", [[], ["one"]])
def test_models_and_file_names_come_in_pairs(names, files):
    models = [load_model(files[0])] * 2 if names else []
    with pytest.raises(ValueError, match="file name"):
        Ensemble(models, names)


def test_it_says_what_it_is_made_of(files):
    ensemble = Ensemble.from_files(files[:2])
    hashes = [load_model(file).sha256 for file in files[:2]]
    assert ensemble.sha256 == " + ".join(hashes)
    assert ensemble.facts.backbone == "resnet10t + resnet10t"
    assert ensemble.facts.version == "(test 0, other 0)"
    assert all(str(file) in ensemble.description for file in files[:2])
    assert set(ensemble.facts.training["table_sha256"].values()) == {"aa"}


def test_maps_of_one_size_are_averaged_point_by_point():
    one, other = np.float32([[0, 1], [0.5, 0]]), np.float32([[1, 0], [0.5, 0]])
    np.testing.assert_array_equal(_mean_heat_map([one, other]), np.float32([[0.5, 0.5], [0.5, 0]]))


def test_maps_of_different_sizes_come_to_the_largest():
    coarse, fine = np.float32([[1, 0], [0, 0]]), np.zeros((6, 6), np.float32)
    fine[5, 5] = 1
    for order in ([coarse, fine], [fine, coarse]):
        mean = _mean_heat_map(order)
        assert mean.shape == (6, 6)
        assert mean.dtype == np.float32
        assert mean[0, 0] == pytest.approx(0.5)
        assert mean[5, 5] == pytest.approx(0.5)
        assert mean[0, 5] == mean[5, 0] == 0
        assert 0 <= mean.min() <= mean.max() <= 1


def test_the_heat_map_is_that_mean(files):
    photo = lesion(1, dark=True)
    maps = [Screener(load_model(file)).screen(photo).heat_map for file in files]
    assert {heat_map.shape for heat_map in maps} == {(2, 2), (7, 7)}
    together = Ensemble.from_files(files).screen(photo)
    np.testing.assert_allclose(together.heat_map, _mean_heat_map(maps), atol=1e-6)
    assert together.heat_map_empty == all(not heat_map.any() for heat_map in maps)


@pytest.mark.parametrize("order", [(0.4, 1.5, None), (None, 1.5, 0.4), (1.5, None, 0.4)])
def test_what_one_member_has_never_seen_is_unfit_for_all(order, files, monkeypatch):
    """Members' novelty is given here, as fitting it needs training photos."""
    photo = lesion(0)
    novelties = iter(order)

    def told(self, photos):
        novelty = next(novelties)
        quality = assess(photo)
        if novelty == 1.5:
            quality = replace(quality, verdict="unfit", reasons=("strange",))
        return [Screening(0.5, 0.0, quality, np.zeros((7, 7), np.float32), novelty)]

    monkeypatch.setattr(Screener, "screen_many", told)
    screening = Ensemble.from_files(files).screen(photo)
    assert screening.novelty == 1.5
    assert screening.quality.reasons == ("strange",)


def test_evaluating_measures_the_ensembles_own_threshold(files, lesion_folder, tmp_path):
    ensemble = Ensemble.from_files(files[:2])
    metrics = evaluate_model(ensemble, [lesion_folder], tmp_path)
    point = metrics["overall"]["operating_points"]["shipped_members' mean"]
    assert point["threshold"] == ensemble.facts.default_threshold
    assert point["sensitivity"]["total"] == metrics["overall"]["positives"] == 16
    report = (tmp_path / "report.md").read_text()
    assert ensemble.sha256 in report
    assert ensemble.description in report
    assert "(test 0, other 0)" in report


def test_evaluating_on_a_members_training_table_is_told(files, lesion_folder, tmp_path, capsys):
    from isic_screen.hashing import sha256_file

    table = sha256_file(lesion_folder / "labels.csv")
    knows = load_model(files[1])
    facts = replace(knows.facts, training={"table_sha256": {"labels.csv": table}})
    members = [load_model(files[0]), Model(knows.network, facts, knows.sha256)]
    evaluate_model(Ensemble(members, ["a", "b"]), [lesion_folder], tmp_path)
    assert "flatter it" in capsys.readouterr().err
