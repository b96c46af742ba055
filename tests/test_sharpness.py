"""Sharpness belongs to a photo, not to the size of its copy."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from isic_screen.errors import DataError
from isic_screen.evaluation.sharpness import sharpness, with_sharpness
from tests.conftest import lesion


def test_sharpness_is_that_of_the_photo_not_of_its_copy():
    original = lesion(3, size=(1500, 1000)).filter(ImageFilter.GaussianBlur(2))
    sharp = sharpness(original)
    for size in ((750, 500), (600, 600)):  # a smaller copy, and one that was squashed
        assert sharpness(original.resize(size, Image.Resampling.LANCZOS)) == pytest.approx(sharp, rel=0.05)
    assert sharpness(original.filter(ImageFilter.GaussianBlur(12))) < 0.6 * sharp


def test_sharpness_is_added_in_the_order_of_the_rows_and_unreadable_photos_have_none(tmp_path):
    photos = [lesion(seed, dark=dark, size=(300, 240)) for seed, dark in ((1, True), (2, False))]
    for number, photo in enumerate(photos):
        photo.save(tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no photo")
    names = ("1.png", "broken.png", "0.png")
    rows = pd.DataFrame({"path": [str(tmp_path / name) for name in names], "target": [0, 1, 1]}, index=[7, 3, 5])
    found = with_sharpness(rows, 2)
    assert list(found.index) == [7, 3, 5]
    assert found["sharpness"].tolist() == pytest.approx(
        [sharpness(photos[1]), np.nan, sharpness(photos[0])], nan_ok=True
    )
    assert "sharpness" not in rows
    with pytest.raises(DataError, match="no column path"):
        with_sharpness(rows.drop(columns="path"), 2)
