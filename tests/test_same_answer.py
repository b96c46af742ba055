"""The same photo has the same answer on every path, and the answer that it had when the model was bundled.

Tolerances: 1e-5 of a probability between the paths of one machine, where only the size of a batch differs; 1e-3, and
1e-2 of a heat map, between machines.
"""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from isic_screen import Screener
from isic_screen.__main__ import main
from isic_screen.batch import screen_files
from isic_screen.ui import batch
from isic_screen.ui.api import Api
from isic_screen.ui.callbacks import METHODS, Callbacks
from isic_screen.ui.texts import Texts
from tests.golden import FILE, drawn

BETWEEN_PATHS, BETWEEN_MACHINES, OF_A_HEAT_MAP = 1e-5, 1e-3, 1e-2
GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def screener(bundled_model) -> Screener:
    return Screener(bundled_model)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("drawn")
    for name, photo in drawn().items():
        photo.save(folder / f"{name}.png")
    return {path.stem: path for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def alone(screener, files) -> dict[str, float]:
    """The probability of each photo, screened by itself."""
    photos = drawn()
    return {name: screener.screen(photos[name]).probability for name in files}


def test_the_golden_answers_are_of_the_bundled_model_and_cover_all_photos(bundled_model):
    assert GOLDEN["model"] == bundled_model.sha256, "a new model? then: python -m tests.golden"
    assert GOLDEN["photos"].keys() == drawn().keys()
    assert len({photo["probability"] for photo in GOLDEN["photos"].values()}) == 5


@pytest.mark.parametrize("name", GOLDEN["photos"])
def test_the_answer_is_the_golden_one(name, screener):
    golden, found = GOLDEN["photos"][name], screener.screen(drawn()[name])
    assert found.probability == pytest.approx(golden["probability"], abs=BETWEEN_MACHINES)
    assert found.logit == pytest.approx(golden["logit"], abs=0.02)
    assert found.novelty == pytest.approx(golden["novelty"], abs=0.01)
    assert found.quality.verdict == golden["verdict"]
    np.testing.assert_allclose(found.heat_map, golden["heat_map"], atol=OF_A_HEAT_MAP)


def _page(screener, files):
    callbacks = Callbacks(screener, Texts())
    cases = {name: callbacks.screen(str(path), 0.01, 0.018, METHODS[0])[0] for name, path in files.items()}
    return {name: case.screening.probability for name, case in cases.items()}


def _api(screener, files):
    return {name: Api(screener).screen(str(path))["probability"] for name, path in files.items()}


def _api_batch(screener, files):
    found = Api(screener).batch([str(path) for path in files.values()])
    return {Path(photo["file"]).stem: photo["probability"] for photo in found["photos"]}


def _batch_tab(screener, files):
    rows = [row for rows in batch.screen(screener, batch.Uploads([str(p) for p in files.values()])) for row in rows]
    return {Path(row.name).stem: row.result.probability for row in rows}


def _batch_of_sixteen(screener, files):
    found = screen_files(screener, [*files.values()] * 4, batch_size=16)
    return {path.stem: screening.probability for path, screening in zip([*files.values()] * 4, found, strict=True)}


def _many_at_once(screener, files):
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda item: _api(screener, dict([item])), files.items())
        return {name: value for one in found for name, value in one.items()}


@pytest.mark.parametrize("path", [_page, _api, _api_batch, _batch_tab, _batch_of_sixteen, _many_at_once])
def test_every_path_says_what_a_photo_alone_says(path, screener, files, alone):
    found = path(screener, files)
    assert found.keys() == alone.keys()
    for name, probability in found.items():
        if probability is None:  # the endpoints give none of a photo that is not fit
            assert GOLDEN["photos"][name]["verdict"] == "unfit"
        else:
            assert probability == pytest.approx(alone[name], abs=BETWEEN_PATHS), name


def test_the_command_line_says_it_too(files, alone, tmp_path):
    assert main(["screen", *map(str, files.values()), "--csv", str(tmp_path / "out.csv")]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert [Path(row["file"]).stem for row in rows] == list(files)
    for row in rows:
        # Six digits are written.
        assert float(row["probability"]) == pytest.approx(alone[Path(row["file"]).stem], rel=1e-5)
