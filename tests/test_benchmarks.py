"""What the benchmarks say where something is missing, as in a plain clone, which has no photos."""

import json
import sys

import pytest

from benchmarks import dark_corners, gpu_training, measure, novelty, quality_rates
from benchmarks.measure import RESULTS, run, write_result
from tests.conftest import ROOT


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
