import numpy as np
import pytest
from PIL import Image, ImageEnhance

from benchmarks.same_lesion import MATCHES, _in_line, _keypoints


@pytest.fixture
def matches(tmp_path):
    """How many keypoints of two photos are in line."""
    saved = iter(range(10))

    def count(one: Image.Image, two: Image.Image) -> int:
        files = []
        for photo in (one, two):
            files.append(str(tmp_path / f"{next(saved)}.png"))
            photo.save(files[-1])
        return _in_line(_keypoints(files[0]), _keypoints(files[1]))

    return count


def _textured(seed: int) -> Image.Image:
    """Blotches of several sizes on skin."""
    random = np.random.default_rng(seed)
    grain = sum(
        np.asarray(Image.fromarray(random.uniform(0, 1, (side, side))).resize((256, 256), Image.Resampling.BICUBIC))
        for side in (12, 24, 48)
    )
    values = np.clip(120 + 40 * (grain - grain.mean()), 0, 255)[..., None] * [1.0, 0.8, 0.7]
    return Image.fromarray(values.astype(np.uint8))


def test_another_photo_of_a_lesion_is_known_again_turned_shifted_and_in_other_colours(matches):
    photo = _textured(0)
    again = ImageEnhance.Color(photo.rotate(20, translate=(15, -10), fillcolor=(120, 96, 84))).enhance(1.5)
    assert matches(photo, again) >= MATCHES


def test_other_lesions_and_blank_skin_are_not_taken_for_it(matches):
    assert matches(_textured(0), _textured(1)) < MATCHES
    assert matches(_textured(0), Image.new("RGB", (256, 256), (220, 180, 160))) == 0
