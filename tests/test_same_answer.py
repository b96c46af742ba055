"""One photo has one answer, whichever way it is asked for, and the same as yesterday.

Between ways: probabilities within 1e-5 and heat maps within 1e-3, as batches of other sizes round otherwise. Against
golden.json: logits within 0.002, probabilities within 0.001, heat maps within 0.01, distances within 0.5 %.
"""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from isic_screen.__main__ import main
from isic_screen.artifact import load_model
from isic_screen.batch import screen_files
from isic_screen.photo import open_photo
from isic_screen.screener import Screener
from isic_screen.ui import batch
from isic_screen.ui.api import Api
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.texts import LANGUAGES
from tests.conftest import lesion
from tests.golden import FILE, photo_files, told

GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def screener(bundled_model) -> Screener:
    return Screener(bundled_model)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    for name, data in photo_files():
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())


def _misses(found: dict, expected: dict) -> list[str]:
    """What of an answer is further from the golden one than stated above."""
    missed = [
        name for name, within in (("logit", 2e-3), ("probability", 1e-3)) if abs(found[name] - expected[name]) > within
    ]
    if abs(found["novelty"] - expected["novelty"]) > 0.005 * expected["novelty"]:
        missed.append("novelty")
    if np.abs(np.array(found["heat_map"]) - expected["heat_map"]).max() > 0.01:
        missed.append("heat_map")
    return missed + [name for name in ("quality",) if found[name] != expected[name]]


def test_the_bundled_model_answers_as_it_did(screener):
    assert screener.model.sha256 == GOLDEN["model_sha256"], "another model: run python -m tests.golden if it is meant"
    for name, data in photo_files():
        assert _misses(told(screener.screen(open_photo(data))), GOLDEN["photos"][name]) == [], name


def test_the_golden_answers_differ_from_each_other():
    answers = list(GOLDEN["photos"].values())
    assert len(answers) == 5
    assert len({answer["probability"] for answer in answers}) == 5
    assert sum(bool(np.any(answer["heat_map"])) for answer in answers) >= 2
    assert len({answer["probability"] > 0.02 for answer in answers}) == 2


def _bilinear(model):
    spec = replace(model.network.input_spec, interpolation="bilinear")
    model.network.input_spec = spec
    return model


def _other_mean(model):
    spec = model.network.input_spec
    model.network.input_spec = replace(spec, mean=tuple(value + 0.01 for value in spec.mean))
    return model


def _other_bias(model):
    model.network.head.out.bias.data += 0.005
    return model


def _other_weights(model):
    model.network.backbone.conv_stem.weight.data *= 1.01
    return model


@pytest.mark.parametrize("change", [_bilinear, _other_mean, _other_bias, _other_weights])
def test_a_small_change_of_the_model_or_its_input_is_seen(change):
    changed = Screener(change(load_model()))
    assert any(_misses(told(changed.screen(open_photo(data))), GOLDEN["photos"][name]) for name, data in photo_files())


def test_every_way_of_asking_gives_one_answer(screener, files, tmp_path):
    expected = [screener.screen(open_photo(file)) for file in files]
    callbacks, api = Callbacks(screener, LANGUAGES[0]), Api(screener)
    others = [lesion(seed, dark=seed % 2 == 0, size=(300, 200)) for seed in range(11)]
    many = screener.screen_many([*others[:3], *map(open_photo, files), *others[3:]])[3 : 3 + len(files)]
    assert len(others) + len(files) == 16
    streamed = list(screen_files(screener, files, workers=2, batch_size=2))
    on_page = [row.result for rows in batch.screen(screener, [(f.name, f) for f in files]) for row in rows]
    out = tmp_path / "out.csv"
    assert main(["screen", *map(str, files), "--csv", str(out)]) == 0
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    for number, (file, one) in enumerate(zip(files, expected, strict=True)):
        case, _, _ = callbacks.screen(str(file), 0.03, 0.018, "Grad-CAM")
        for way in (case.screening, many[number], streamed[number], on_page[number]):
            assert way.probability == pytest.approx(one.probability, abs=1e-5)
            np.testing.assert_allclose(way.heat_map, one.heat_map, atol=1e-3)
            assert way.quality == one.quality
        assert float(rows[number]["probability"]) == pytest.approx(one.probability, abs=1e-5)
        answer = api.screen(str(file))
        if one.quality.verdict == "unfit":
            assert answer["probability"] is None
        else:
            assert answer["probability"] == pytest.approx(one.probability, abs=1e-5)
            assert answer["flagged"] == (rows[number]["flagged"] == "1")
    assert any(one.quality.verdict != "unfit" for one in expected)


def test_a_file_and_its_bytes_are_one_photo(screener, files):
    for file in files:
        assert screener.screen(open_photo(file)).logit == screener.screen(open_photo(file.read_bytes())).logit
    with Image.open(next(file for file in files if file.name == "turned.png")) as image:
        assert image.getexif()[0x0112] == 6  # the turned one is turned
