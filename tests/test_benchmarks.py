"""What the benchmarks say where something is missing, as in a plain clone, which has no photos."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from benchmarks import dark_corners, gpu_training, kill_training, measure, novelty, quality_rates
from benchmarks.measure import RESULTS, run, write_result
from benchmarks.without_camera import compared
from isic_screen.training.about import load_about
from isic_screen.training.earlier_runs import EarlierRun
from isic_screen.training.run import train
from isic_screen.training.setting import Setting
from tests.conftest import ROOT
from tests.small_recipe import small_recipe


@pytest.mark.parametrize("benchmark", [quality_rates, dark_corners])
def test_without_photos_it_ends_with_a_sentence_and_leaves_the_results_alone(benchmark, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", [benchmark.__name__, "--data", str(tmp_path / "nothing")])
    with pytest.raises(SystemExit) as ended:
        run(benchmark.main)
    assert ended.value.code == 2
    assert "nothing" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_predictions_that_are_not_there_are_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["novelty", "--predictions", str(tmp_path / "predictions.csv")])
    with pytest.raises(SystemExit) as ended:
        run(novelty.main)
    assert ended.value.code == 2
    assert "there is no file" in capsys.readouterr().err


def test_without_a_gpu_its_benchmark_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu_training"])
    with pytest.raises(SystemExit) as ended:
        gpu_training.main()
    assert ended.value.code == 2
    assert "no GPU" in capsys.readouterr().err


def test_a_kill_is_counted_where_it_fell(lesion_folder, tmp_path, monkeypatch, capsys):
    """By what a real run says: of the runs that a run starts from, every network is trained before its own first."""
    trained = []

    def killed(*_: object, **__: object) -> list[dict[str, float]]:
        trained.append(kill_training._stage(tmp_path))
        return []

    def said(line: str, **_: object) -> None:
        with (tmp_path / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")

    (tmp_path / "log.txt").touch()
    monkeypatch.setattr("isic_screen.training.run.say", said)
    monkeypatch.setattr("isic_screen.training.whole_network.say", said)
    monkeypatch.setattr("isic_screen.training.whole_network.fine_tune", killed)
    monkeypatch.setattr("isic_screen.training.run.finish", lambda *_: None)
    monkeypatch.setattr(EarlierRun, "weights", lambda run, name: {})
    monkeypatch.setattr(EarlierRun, "sha256", lambda run, name: "")
    recipe = small_recipe(folds=2, teaching=0.0, stem_uses=0)
    setting = Setting(tmp_path / "run", tmp_path, torch.device("cpu"), 1, starts=(replace(recipe, from_teacher=False),))
    train([lesion_folder], recipe, load_about(ROOT / "train" / "about.toml"), setting)
    start = kill_training.STAGES["First a run to start from"]
    assert trained == [start, start, start, "first fold", "second fold", "last training"]


def test_a_figure_that_is_no_number_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        write_result("anything", {"ratio": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_the_document_tells_how_many_photos_the_memory_was_measured_over():
    runs = json.loads((RESULTS / "batch.json").read_text(encoding="utf-8"))
    told = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8").split("## Many photos")[1].split("##")[0]
    bundled, stand_in = (each["photos"] for each in runs["memory"])
    assert f"{bundled:,} real photos" in told
    assert f"{stand_in:,} files" in told


def test_photos_of_the_camera_count_in_one_of_two_figures_at_the_same_threshold():
    camera, other = {"width": 4000.0, "height": 6000.0}, {"width": 640.0, "height": 480.0}
    blocks = [
        (4, 1, 3.0, camera),
        (11, 0, -2.0, {**camera, "skin_tone": "Light"}),
        (10, 0, 2.0, {**other, "skin_tone": "Light"}),
        (9, 0, -2.0, {**other, "skin_tone": "Tan"}),
        (5, 0, 2.0, {**other, "source": "elsewhere"}),
    ]
    rows = pd.DataFrame(
        {"source": "here", "skin_tone": "", "target": target, "logit": logit, "fold": each % 2, **sort}
        for count, target, logit, sort in blocks
        for each in range(count)
    )
    facts = SimpleNamespace(training={"calibrated_on": ["here"]}, prevalence=0.018, default_threshold=0.018)
    found = compared(rows, facts)
    assert list(found["skin_tones"]) == ["light"]  # of the other tone fewer than ten are left
    assert found["skin_tones"]["light"]["all"]["specificity"]["count"] == 11
    assert found["skin_tones"]["light"]["without"]["specificity"]["count"] == 0
