from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from isic_screen import Screener, load_model, open_photo
from isic_screen.artifact import Model
from isic_screen.errors import ModelFileError
from tests.conftest import lesion


@pytest.fixture(scope="module")
def screener(lite0_file) -> Screener:
    return Screener(load_model(lite0_file))


def test_a_screening_is_the_calibrated_logit_of_the_whole_photo(screener, lite0):
    photo = lesion(0)
    screening = screener.screen(photo)
    with torch.inference_mode():
        logit = lite0(lite0.input_spec(photo).unsqueeze(0)).item()
    assert screening.logit == pytest.approx(logit, abs=2e-3)
    assert screening.probability == pytest.approx(float(screener.facts.calibration.probability(screening.logit)))
    assert 0 < screening.probability < 1
    assert screening.heat_map.shape == (7, 7)
    assert screening.heat_map.dtype == np.float32
    assert screening.heat_map_empty == (not screening.heat_map.any())


def test_flagged_means_at_or_above_the_threshold(screener):
    screening = screener.screen(lesion(0))
    assert screening.flagged(screening.probability)
    assert screening.flagged(0.0)
    assert not screening.flagged(np.nextafter(screening.probability, 1))


def test_screenings_can_be_compared_and_kept_in_sets(screener):
    same = [screener.screen(lesion(0)) for _ in range(2)]
    other = screener.screen(lesion(1, dark=True))
    assert same[0] == same[1] != other
    assert len({*same, other}) == 2


def test_many_at_once_is_the_same_as_one_by_one(screener):
    photos = [lesion(seed, dark=seed % 2 == 0, size=(100 + 20 * seed, 120)) for seed in range(5)]
    for alone, together in zip([screener.screen(p) for p in photos], screener.screen_many(photos), strict=True):
        assert together.probability == pytest.approx(alone.probability, abs=1e-5)
        np.testing.assert_allclose(together.heat_map, alone.heat_map, atol=1e-3)
        assert together.quality == alone.quality
    assert screener.screen_many([]) == []


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "HSV", "YCbCr"])
def test_a_photo_of_another_mode_than_rgb_is_refused_and_not_scored(screener, mode):
    photo = lesion(0).convert(mode)
    for ask in (screener.screen, screener.spread):
        with pytest.raises(ValueError, match=f"as open_photo returns it, not {mode}"):
            ask(photo)


def test_threads_get_the_answers_to_their_own_photos(screener):
    photos = [lesion(seed, dark=seed % 2 == 0) for seed in range(8)]
    alone = [screener.screen(photo).probability for photo in photos]
    with ThreadPoolExecutor(8) as pool:
        together = [screening.probability for screening in pool.map(screener.screen, photos * 3)]
    assert together == pytest.approx(alone * 3, abs=1e-5)


def test_without_a_model_it_is_the_bundled_one(bundled_model):
    assert Screener().model.sha256 == bundled_model.sha256


def test_a_missing_model_is_a_sentence(tmp_path):
    with pytest.raises(ModelFileError, match="no model file"):
        Screener(load_model(tmp_path / "none.safetensors"))


def test_real_photos_are_scored(bundled_model: Model, shared_data):
    screener = Screener(bundled_model)
    files = sorted((shared_data / "photos").glob("*.jpg"))
    screenings = [screener.screen(open_photo(file)) for file in files]
    assert len({round(screening.probability, 6) for screening in screenings}) == len(files) == 8
    assert all(screening.quality.verdict != "unfit" for screening in screenings)


def test_the_spread_is_that_of_the_eight_views(lite0_file):
    screener = Screener(load_model(lite0_file))
    photo = lesion(5, dark=True, size=(224, 224))  # the input size: resizing, then turning, would round otherwise
    low, high = screener.spread(photo)
    pixels = np.asarray(photo)
    views = [np.rot90(side, turns) for side in (pixels, pixels[:, ::-1]) for turns in range(4)]
    expected = [screener.screen(Image.fromarray(view.copy())).probability for view in views]
    assert low == pytest.approx(min(expected), rel=1e-4)
    assert high == pytest.approx(max(expected), rel=1e-4)
    assert low <= screener.screen(photo).probability <= high
    assert high > low


def test_a_network_that_gives_no_number_gives_no_answer(lite0_file):
    """Compared with a threshold, a nan would mean "not referred"."""
    model = load_model(lite0_file)
    with torch.no_grad():
        model.network.head.out.weight.fill_(float("inf"))
    with pytest.raises(ModelFileError, match="no number"):
        Screener(model).screen(lesion(0))
