"""The page's example pictures are the ones our script draws, and say that they are drawn."""

import runpy

import numpy as np
import pytest

from isic_screen.photo import open_photo
from isic_screen.quality import assess
from tests.conftest import ROOT

FOLDER = ROOT / "assets" / "examples"
FILES = sorted(FOLDER.glob("*.jpg"))


def test_the_script_draws_the_committed_pictures():
    drawn = runpy.run_path(str(FOLDER / "draw.py"))["draw_all"]()
    assert set(drawn) == {file.name for file in FILES}
    for file in FILES:
        committed, again = (np.asarray(picture, dtype=float) for picture in (open_photo(file), drawn[file.name]))
        # JPEG's own loss, and what another build of numpy or Pillow may round otherwise.
        assert np.abs(committed - again).mean() < 3, file.name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_is_small_and_named_for_what_it_is(file):
    assert file.name.startswith("synthetic-")
    assert file.stat().st_size < 150_000


def test_the_poor_photo_shows_the_quality_checks_and_the_others_pass_them():
    verdicts = {file.stem: assess(open_photo(file)).verdict for file in FILES}
    assert verdicts.pop("synthetic-poor-photo") == "doubtful"
    assert set(verdicts.values()) == {"fit"}
