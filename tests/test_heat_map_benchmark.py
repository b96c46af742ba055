"""What `python -m benchmarks.heat_map_sanity` samples, reads and concludes; the measurement is isic_screen's own."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import heat_map_sanity as command
from benchmarks.measure import RESULTS
from isic_screen.evaluation.heat_map_sanity import ENERGY_BASELINES, FALL_BASELINES


def _result(energy_low: float, fall_low: float) -> dict:
    """A made-up result whose differences from every baseline have these lower ends, and 0.2 for their upper ones."""

    def block(low, baselines):
        means = {name: {"value": 0.5, "n": 200} for name in ("map", *baselines)}
        return {**means, "map_minus": {name: {"value": 0.12, "low": low, "high": 0.2} for name in baselines}}

    return {
        "empty_maps": {"all": 76, "melanoma": 3, "other": 73},
        "energy_inside": {"all": block(energy_low, ENERGY_BASELINES)},
        "perturbation": {"mean_fall": block(fall_low, FALL_BASELINES)},
        "similarity": {name: {"value": -0.001} for name in ("random_head", "random_network")},
    }


def test_the_conclusion_is_read_from_the_intervals():
    assert "centred disc in neither test" in command.conclusion(_result(-0.1, -0.1))
    assert "centred disc in the heat inside the lesion. It" in command.conclusion(_result(0.1, -0.1))
    assert "centred disc in the effect of removing its hottest pixels. It" in command.conclusion(_result(-0.1, 0.1))
    text = command.conclusion(_result(0.1, -0.1))
    assert "empty for 76 of 200 photos, 3 of them melanomas" in text
    assert "lesion is 50 %: more than a uniform map (+12 points)" in text
    assert "not measurably different from random pixels (0.50)" in text
    assert "randomised head is 0.00" in text


def test_the_sample_takes_outlined_photos_of_both_classes(tmp_path, monkeypatch):
    (tmp_path / "masks").mkdir()
    ids = [f"ISIC_{number:07}" for number in range(40)]
    table = pd.DataFrame({"image_id": ids, "target": [number % 4 == 0 for number in range(40)], "group": ids})
    monkeypatch.setattr(command, "read_source", lambda folder: SimpleNamespace(rows=table.copy()))
    with pytest.raises(SystemExit, match="holds no mask"):
        command.sample(tmp_path, 8)
    outlined = set(ids[:20])
    for image_id in outlined:
        Image.new("L", (4, 3), 255).save(tmp_path / "masks" / f"{image_id}_segmentation.png")
    rows = command.sample(tmp_path, 8)
    assert (len(rows), rows["target"].sum()) == (8, 4)
    assert set(rows["image_id"]) <= outlined


def test_a_mask_with_a_palette_reads_as_a_grey_one_does(tmp_path):
    grey = Image.fromarray(np.array([[0, 100, 200, 255]], dtype=np.uint8))
    palette = Image.fromarray(np.array([[0, 1, 2, 3]], dtype=np.uint8)).convert("P")
    palette.putpalette([level for level in (0, 100, 200, 255) for _ in range(3)])
    for name, mask in (("grey", grey), ("palette", palette)):
        mask.save(tmp_path / f"{name}.png")
        assert command.read_outline(tmp_path / f"{name}.png").tolist() == [[False, False, True, True]]


def test_what_the_map_is_compared_with_is_of_the_same_photos():
    """Means over all photos would be set beside that of the photos with a map, and their order could be another."""
    result = json.loads((RESULTS / "heat_map_sanity.json").read_text(encoding="utf-8"))
    energy = result["energy_inside"]["all"]
    assert energy["map"]["value"] > energy["disc"]["value"]
    assert energy["map_minus"]["disc"]["n"] == energy["map"]["n"] < energy["disc"]["n"]
    assert energy["map_minus"]["disc"]["value"] < 0
    assert "not measurably different from a centred disc (-2 points)" in result["conclusion"]
    assert command.conclusion(result) == result["conclusion"]
