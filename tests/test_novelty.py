from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from isic_screen import Screener, load_model
from isic_screen.artifact import save_model
from isic_screen.errors import ModelFileError
from isic_screen.novelty import REFUSED_FROM, Novelty, cut_off_of
from isic_screen.screener import _quality
from tests.conftest import example_facts, lesion


def _features(count: int = 400, channels: int = 40, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    scales = np.linspace(3, 0.5, channels)
    return (5 + random.normal(size=(count, channels)) * scales).astype(np.float32)


def test_the_distance_is_mahalanobis_when_every_axis_is_kept():
    features = _features()
    novelty = Novelty.fit(features, axes=38)
    scaled = features / features.std(0)
    covariance = np.cov(scaled.T) + 0.1 * np.eye(40)
    centred = scaled[:20] - scaled.mean(0)
    exact = np.sqrt(np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred) / 40)
    # The last two axes share one variance.
    assert novelty.distance(torch.from_numpy(features[:20])).numpy() == pytest.approx(exact, rel=0.05)


def test_training_photos_are_near_1_and_others_far():
    novelty = Novelty.fit(_features(), axes=10)
    known = novelty.distance(torch.from_numpy(_features(seed=1)))
    assert float(known.mean()) == pytest.approx(1, abs=0.1)
    along = torch.from_numpy(_features(seed=1)) + 60 * novelty.axes[0] * novelty.scale
    assert (novelty.distance(along) > known.max()).all()
    beside = torch.zeros(40)
    beside[39] = 60.0  # a direction that no axis holds alone
    assert (novelty.distance(torch.from_numpy(_features(seed=1)) + beside) > known.max()).all()


def test_axes_that_rounding_made_too_long_give_a_distance_all_the_same():
    """They are stored in half precision, so that more can seem to lie along them than there is."""
    novelty = Novelty.fit(_features(), axes=10)
    longer = replace(novelty, axes=1.01 * novelty.axes, variances=1e6 * novelty.variances)
    along = (novelty.mean + 50 * novelty.axes[:1]) * novelty.scale
    assert 0 <= float(longer.distance(along)) < 1


def test_the_cut_off_lets_through_98_percent_of_every_source():
    distances = np.r_[np.arange(1000.0), np.arange(100.0) * 30]
    sources = np.r_[["large"] * 1000, ["small"] * 100]
    found = cut_off_of(distances, sources)
    for source in ("large", "small"):
        assert (distances[sources == source] < found).mean() >= 0.98
    assert found == np.quantile(distances[sources == "small"], 0.98)


def test_too_few_photos_or_broken_features_are_refused():
    with pytest.raises(ValueError, match="need more than"):
        Novelty.fit(_features(count=30), axes=35)
    broken = _features()
    broken[3, 3] = np.nan
    with pytest.raises(ValueError, match="not numbers"):
        Novelty.fit(broken, axes=10)


def test_it_travels_in_the_model_file_and_stops_a_strange_photo(lite0, tmp_path):
    photos = [lesion(seed) for seed in range(12)]
    with torch.inference_mode():
        known = lite0.forward_whole(torch.stack([lite0.input_spec(photo) for photo in photos])).style.numpy()
    repeated = np.concatenate([known + np.random.default_rng(k).normal(0, 0.01, known.shape) for k in range(8)])
    novelty = Novelty.fit(repeated.astype(np.float32), axes=8)
    distances = novelty.distance(torch.from_numpy(known))
    file = tmp_path / "model.safetensors"
    save_model(file, lite0, example_facts(lite0), novelty.with_cut_off(2 * float(distances.max())))

    screener = Screener(load_model(file))
    own = screener.screen(photos[0])
    assert own.novelty is not None
    assert own.novelty == pytest.approx(float(distances[0] / (2 * distances.max())), rel=0.05)
    assert "trained on" not in own.quality.summary
    random = np.random.default_rng(0)
    strange = Image.fromarray(random.integers(0, 255, (12, 16, 3), dtype=np.uint8)).resize((320, 240), Image.NEAREST)
    found = screener.screen(strange)
    assert found.novelty > REFUSED_FROM
    assert found.quality.verdict == "unfit"
    assert "photos the model was trained on" in found.quality.summary


@pytest.mark.parametrize(
    ("distance", "verdict"),
    [(None, "fit"), (0.99, "fit"), (1.0, "doubtful"), (REFUSED_FROM - 0.01, "doubtful"), (REFUSED_FROM, "unfit")],
)
def test_a_photo_is_doubted_before_it_is_refused(distance, verdict):
    quality = _quality(lesion(0, size=(400, 300)), distance)
    assert quality.verdict == verdict
    assert ("trained on" in quality.summary) == (verdict != "fit")
    tiny = _quality(lesion(0, size=(60, 60)), 1.0)  # unfit for another reason, and stays so
    assert tiny.verdict == "unfit"


def test_a_model_file_without_novelty_still_loads(lite0_file):
    screening = Screener(load_model(lite0_file)).screen(lesion(0))
    assert screening.novelty is None


def test_a_file_of_version_2_measures_the_pooled_features_as_it_did(lite0, tmp_path):
    photos = [lesion(seed) for seed in range(12)]
    with torch.inference_mode():
        pooled = lite0.features(torch.stack([lite0.input_spec(photo) for photo in photos]))
    novelty = Novelty.fit(np.repeat(pooled.numpy(), 8, 0), axes=8, cut_off=5)
    novelty = replace(novelty, scale=torch.ones_like(novelty.scale))
    tensors = novelty.tensors()
    del tensors["scale"]
    assert torch.equal(Novelty.from_tensors(tensors).scale, novelty.scale)
    save_model(tmp_path / "model.safetensors", lite0, example_facts(lite0), novelty)
    screening = Screener(load_model(tmp_path / "model.safetensors")).screen(photos[0])
    assert screening.novelty == pytest.approx(float(novelty.distance(pooled[:1])[0]) / 5, rel=0.05)


def test_novelty_tensors_that_do_not_fit_are_refused(lite0, tmp_path):
    file = tmp_path / "model.safetensors"
    save_model(file, lite0, example_facts(lite0), Novelty.fit(_features(), axes=10))
    with pytest.raises(ModelFileError, match="novelty"):
        load_model(file)
    good = Novelty.fit(_features(channels=1280, count=200), axes=10, cut_off=2)
    save_model(file, lite0, example_facts(lite0), replace(good, variances=good.variances[:3]))
    with pytest.raises(ModelFileError, match="do not fit each other"):
        load_model(file)
