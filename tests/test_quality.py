from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from isic_screen.photo import open_photo
from isic_screen.quality import (
    UNLIKE_TRAINING,
    WORKING_SIDE,
    _doubtful,
    _unfit,
    _working_length,
    assess,
    unlike_training,
)
from tests.conftest import ROOT, lesion

EXAMPLES = ROOT / "assets" / "examples"


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return open_photo(EXAMPLES / "synthetic-naevus.jpg")


def _dimmed(photo: Image.Image, factor: float) -> Image.Image:
    return photo.point(lambda level: min(255, round(level * factor)))


def _burnt(photo: Image.Image) -> Image.Image:
    """A photo with a white patch of glare over a good third of it, and skin around it."""
    glare = photo.copy()
    glare.paste((255, 255, 255), (0, 0, round(0.4 * photo.width), photo.height))
    return glare


def _page_of_text() -> Image.Image:
    page = Image.new("RGB", (600, 600), "white")
    for line in range(20):
        ImageDraw.Draw(page).text((30, 20 + 28 * line), "Screening report, second page, nothing to see", fill="black")
    return page


def _noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))


def _gravel() -> Image.Image:
    """Skin-coloured stones: too coarse for noise, too many edges for skin."""
    tones = np.random.default_rng(0).integers(0, 230, (26, 26, 1)) * np.array([1.1, 1, 0.8])
    return Image.fromarray(tones.clip(0, 255).astype(np.uint8)).resize((400, 400), Image.Resampling.BILINEAR)


def test_a_good_photo_is_fit(photo):
    quality = assess(photo)
    assert (quality.verdict, quality.reasons, quality.summary) == ("fit", (), "fit")


@pytest.mark.parametrize(
    ("spoil", "verdict", "reason"),
    [
        (lambda p: p.filter(ImageFilter.GaussianBlur(14)), "doubtful", "blurred"),
        (lambda p: _dimmed(p, 0.35), "doubtful", "too dark"),
        (lambda p: _burnt(p), "doubtful", "burnt out"),
        (lambda p: p.resize((160, 120)), "doubtful", "small"),
        (lambda p: _gravel(), "doubtful", "does not look like dermoscopy"),
        (lambda p: p.resize((90, 90)), "unfit", "too small"),
        (lambda p: p.convert("L").convert("RGB"), "unfit", "without colours"),
        (lambda p: Image.new("RGB", p.size, (200, 160, 140)), "unfit", "blank"),
        (lambda p: _page_of_text(), "unfit", "drawing, document or screenshot"),
        (lambda p: _noise(), "unfit", "no lesion on skin"),
    ],
)
def test_what_is_wrong_is_named(photo, spoil, verdict, reason):
    quality = assess(spoil(photo))
    assert quality.verdict == verdict
    assert any(reason in sentence for sentence in quality.reasons)
    assert quality.summary.startswith(f"{verdict}: ")
    assert all(sentence in quality.summary for sentence in quality.reasons)


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        ({"side": 99}, "unfit"),
        ({"side": 100}, "doubtful"),
        ({"side": 139}, "doubtful"),
        ({"side": 140}, "fit"),
        ({"contrast": 0.0149}, "unfit"),
        ({"contrast": 0.0151}, "fit"),
        ({"flat": 0.601}, "unfit"),
        ({"flat": 0.599}, "fit"),
        ({"colour_spread": 0.0079}, "unfit"),
        ({"colour_spread": 0.0081}, "fit"),
        ({"colour_spread": 0.199}, "fit"),
        ({"colour_spread": 0.201}, "doubtful"),
        ({"coarseness": 0.249}, "unfit"),
        ({"coarseness": 0.251}, "fit"),
        ({"sharpness": 0.79}, "doubtful"),
        ({"sharpness": 0.81}, "fit"),
        ({"brightness": 0.219}, "doubtful"),
        ({"brightness": 0.221}, "fit"),
        ({"burnt": 0.301}, "doubtful"),
        ({"burnt": 0.299}, "fit"),
        ({"edges": 0.061, "coarseness": 0.719}, "doubtful"),
        ({"edges": 0.059, "coarseness": 0.719}, "fit"),
        ({"edges": 0.061, "coarseness": 0.721}, "fit"),
    ],
)
def test_the_limits_are_those_that_the_rates_were_measured_with(photo, measured, verdict):
    """By benchmarks.quality_rates: whoever moves one measures them anew."""
    quality = replace(assess(photo), **measured)
    assert (["unfit"] if any(_unfit(quality)) else ["doubtful"] if any(_doubtful(quality)) else ["fit"]) == [verdict]


def test_an_ordinary_picture_is_not_fit():
    """Not every one is caught (scikit-learn's china.jpg is not): these checks know colours and texture, no objects."""
    picture = open_photo(str(resources.files("sklearn.datasets") / "images" / "flower.jpg"))
    assert "does not look like dermoscopy" in assess(picture).summary


def test_the_summary_lists_every_reason():
    quality = assess(open_photo(EXAMPLES / "synthetic-poor-photo.jpg"))
    assert len(quality.reasons) == 2
    assert quality.summary == f"doubtful: {quality.reasons[0]}; {quality.reasons[1]}"


def test_the_smallest_photos_of_ham10000_are_large_enough(photo):
    assert assess(photo.resize((200, 150))).verdict == "fit"


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000), (2, 2)])
def test_any_size_can_be_assessed(size):
    assert assess(Image.new("RGB", size, (200, 150, 120))).verdict == "unfit"


def test_a_long_and_thin_picture_takes_no_more_memory_than_another():
    assert _working_length(1e9) == 4 * WORKING_SIDE


def test_what_the_model_says_of_a_strange_photo_stands_in_place_of_what_its_colours_say():
    found = unlike_training(assess(_gravel()), refused=False)
    assert found.verdict == "doubtful"
    assert found.reasons == (UNLIKE_TRAINING,)


def test_assessing_changes_nothing_and_always_says_the_same(photo):
    before = photo.tobytes()
    assert assess(photo) == assess(photo)
    assert photo.tobytes() == before


def test_sharpness_falls_with_blur_and_not_with_noise(photo):
    sharpness = [assess(photo.filter(ImageFilter.GaussianBlur(radius))).sharpness for radius in (0, 3, 6, 12)]
    assert sharpness == sorted(sharpness, reverse=True)
    grain = np.random.default_rng(0).normal(0, 4, (photo.height, photo.width, 3))
    blurred = np.asarray(photo.filter(ImageFilter.GaussianBlur(20)), dtype=float)
    grainy = Image.fromarray((blurred + grain).clip(0, 255).astype(np.uint8))
    assert "blurred" in assess(grainy).summary


def test_brightness_and_burnt_share_are_what_they_say():
    quality = assess(lesion(0, size=(400, 300)))
    assert 0.5 < quality.brightness < 0.8
    assert quality.burnt == 0
    assert assess(Image.new("RGB", (300, 300), "white")).burnt == 1
    assert assess(Image.new("RGB", (300, 300), "yellow")).burnt == 0  # a strong colour is no glare


@pytest.mark.parametrize(("colour", "share"), [("red", 0.299), ("lime", 0.587), ("blue", 0.114)])
def test_brightness_weighs_colours_as_the_eye_does(colour, share):
    assert assess(Image.new("RGB", (300, 300), colour)).brightness == pytest.approx(share, abs=1e-3)


def test_sharpness_is_measured_at_one_size_of_the_shorter_side(photo):
    """The same photo twice, side by side, is as sharp as once."""
    twice = Image.new("RGB", (2 * photo.width, photo.height))
    for left in (0, photo.width):
        twice.paste(photo, (left, 0))
    once = assess(photo).sharpness
    assert assess(twice).sharpness == pytest.approx(once, rel=0.1)
    assert assess(twice.transpose(Image.Transpose.ROTATE_90)).sharpness == pytest.approx(once, rel=0.1)


def test_coarseness_is_the_share_of_the_variance():
    """Of independent pixels a 64th is left in the mean of 64, and somewhat more of those that resizing has mixed."""
    assert 1 / 64 < assess(_noise()).coarseness < 1 / 16


@pytest.mark.parametrize("folder", ["isic2020/train", "ham10000/images", "isic2017/images"])
def test_real_photos_are_rarely_stopped(shared_data, folder):
    files = sorted((shared_data / folder).iterdir())
    verdicts = [assess(open_photo(file)).verdict for file in files[:: len(files) // 80]]
    assert verdicts.count("unfit") <= 0.02 * len(verdicts)
    assert verdicts.count("doubtful") <= 0.1 * len(verdicts)
