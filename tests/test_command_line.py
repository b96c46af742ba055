"""`python -m isic_screen` by exit status, standard output and error."""

import csv
import errno
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from isic_screen.__main__ import main
from isic_screen.artifact import save_model
from isic_screen.batch import find_photos
from isic_screen.calibration import Calibration
from isic_screen.data.images import read_photo
from isic_screen.errors import PhotoError
from isic_screen.formats.photo_file import PROFILE_IGNORED
from isic_screen.network import build_network
from tests.conftest import ROOT, example_facts, lesion
from tests.forks import run

COLUMNS = ["file", "probability", "threshold", "flagged", "quality", "error"]


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run("isic_screen", *arguments)


def _rows(file: Path) -> list[dict[str, str]]:
    with open(file, newline="", encoding="utf-8") as text:
        reader = csv.DictReader(text)
        assert reader.fieldnames == COLUMNS
        return list(reader)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    lesion(0).save(folder / "b.jpg")
    lesion(1, dark=True).save(folder / "deep" / "er" / "a.PNG")
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / "notes.txt").write_text("not a photo, and not called one")
    return folder


@pytest.fixture(scope="module")
def other_file(tmp_path_factory) -> Path:
    """A model file beside `lite0_file`: other weights, architecture, calibration and threshold."""
    torch.manual_seed(1)
    network = build_network("resnet10t", weights=None, input_size=64)
    path = tmp_path_factory.mktemp("other") / "other.safetensors"
    facts = example_facts(network, calibration=Calibration(2.0, 0.5, 0.3), default_threshold=0.3)
    save_model(path, network, facts)
    return path


def test_screening_a_folder_writes_a_row_a_photo_and_says_which_failed(photos, tmp_path, lite0_file):
    out = tmp_path / "out.csv"
    done = _run("screen", photos, "--csv", out, "--model", lite0_file)
    rows = _rows(out)
    assert [row["file"] for row in rows] == ["b.jpg", "broken.jpg", "deep/er/a.PNG"]
    good, broken, deep = rows
    for row in (good, deep):
        assert 0 < float(row["probability"]) < 1
        assert float(row["threshold"]) == 0.03
        assert row["flagged"] == str(int(float(row["probability"]) >= 0.03))
        assert row["quality"]
        assert row["error"] == ""
    assert broken["probability"] == broken["flagged"] == ""
    assert "broken.jpg" in broken["error"]
    assert done.returncode == 3
    assert done.stdout == ""
    assert "1 of 3 photos could not be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_warnings_are_lines_of_one_form_without_the_name_of_a_photo(tmp_path, other_file):
    photo = tmp_path / "mrs-smith.png"
    lesion(0).save(photo, icc_profile=b"no profile")
    done = _run("screen", photo, "--model", other_file)
    warned = re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING (\S+): (.+)$", done.stderr, re.MULTILINE)
    assert done.returncode == 0
    assert [name for name, _ in warned] == ["isic_screen.engine", "isic_screen.photo"]
    assert warned[0][1].startswith("There is no ONNX Runtime graph for resnet10t-")
    assert warned[1][1] == PROFILE_IGNORED
    assert "smith" not in done.stderr


def test_a_killed_run_goes_on_without_losing_or_doubling_a_row(photos, tmp_path, lite0_file, capsys):
    out, whole = tmp_path / "out.csv", tmp_path / "whole.csv"
    command = ["screen", str(photos), "--model", str(lite0_file), "--csv"]
    assert main([*command, str(whole)]) == 3
    lines = whole.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:2]) + lines[2][:7])
    assert main([*command, str(out), "--resume"]) == 3
    resumed, uninterrupted = _rows(out), _rows(whole)
    assert [row["file"] for row in resumed] == [row["file"] for row in uninterrupted]
    for row, expected in zip(resumed, uninterrupted, strict=True):
        assert row["error"] == expected["error"]
        assert float(row["probability"] or 0) == pytest.approx(float(expected["probability"] or 0), rel=1e-3)
    assert main([*command, str(out), "--resume"]) == 3  # nothing is left to do
    assert _rows(out) == resumed
    capsys.readouterr()
    assert main(["screen", str(photos), "--resume"]) == 2
    assert "--csv" in capsys.readouterr().err


def test_a_run_is_not_gone_on_with_by_another_model(photos, tmp_path, lite0_file, other_file, capsys):
    out = tmp_path / "out.csv"
    command = ["screen", str(photos), "--csv", str(out), "--threshold", "0.1"]
    assert main([*command, "--model", str(lite0_file)]) == 3
    before = out.read_bytes()
    assert main([*command, "--model", str(other_file), "--resume"]) == 2
    assert "is of another model, or deep/er/a.PNG has changed since" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_a_run_is_not_gone_on_with_when_its_last_photo_cannot_be_read_any_more(photos, tmp_path, lite0_file, capsys):
    out = tmp_path / "out.csv"
    command = ["screen", str(photos), "--csv", str(out), "--model", str(lite0_file)]
    assert main(command) == 3
    before = out.read_bytes()
    (photos / "deep" / "er" / "a.PNG").write_bytes(b"no photo any more")
    assert main([*command, "--resume"]) == 2
    assert "deep/er/a.PNG has changed since" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_nothing_that_is_called_a_photo_is_passed_over(photos, tmp_path):
    (photos / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (photos / "linked").symlink_to(photos / "deep")
    (photos / "deep" / "up").symlink_to(photos)  # leads back up, and would never end
    found = [name for name, _ in find_photos([photos])[0]]
    assert {"b.jpg", "broken.jpg", "gone.jpg"} <= set(found)
    assert [name for name in found if name.endswith("er/a.PNG")] in (["deep/er/a.PNG"], ["linked/er/a.PNG"])
    long = Path("a" * 300 + ".jpg")
    assert find_photos([long, photos / "b.jpg"])[0][1] == (str(long), long)


def test_a_folder_that_may_not_be_entered_has_a_row(photos, monkeypatch):
    closed = photos / "deep"
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: _denied(path) if Path(path) == closed else real(path))
    found, _ = find_photos([photos])
    assert [name for name, _ in found] == ["b.jpg", "broken.jpg", "deep"]
    assert isinstance(read_photo(str(found[2][1])), PhotoError)


def _denied(path):
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_photos_of_two_folders_can_be_told_apart(photos, tmp_path):
    (tmp_path / "more").mkdir()
    lesion(3).save(tmp_path / "more" / "b.jpg")
    lesion(3).save(tmp_path / "more" / "c.jpg")
    found = dict(find_photos([photos, tmp_path / "more"])[0])
    both = {str(photos / "b.jpg"), str(tmp_path / "more" / "b.jpg")}
    assert set(found) == {*both, "broken.jpg", "c.jpg", "deep/er/a.PNG"}
    assert all(found[name] == Path(name) for name in both)


def test_standard_output_is_utf_8_and_may_be_closed_early(tmp_path, lite0_file):
    for number in range(12):
        lesion(number).save(tmp_path / f"üñï ✓ {number:02}.jpg")
    command = [sys.executable, "-m", "isic_screen", "screen", str(tmp_path), "--model", str(lite0_file)]
    options = {"cwd": ROOT, "env": {**os.environ, "PYTHONIOENCODING": "latin-1"}, "capture_output": True}
    done = subprocess.run([*command, "--csv", "-"], timeout=240, check=True, **options)
    first = next(csv.DictReader(done.stdout.decode("utf-8").splitlines()))
    assert first["file"] == "üñï ✓ 00.jpg"
    early = subprocess.run(["bash", "-c", f"{shlex.join(command)} | head -1; exit ${{PIPESTATUS[0]}}"], **options)
    assert early.stdout.decode().split(",")[0] == "file"
    assert early.returncode == 141
    assert b"Traceback" not in early.stderr
    assert b"error" not in early.stderr


@pytest.mark.parametrize(("typed", "threshold", "flagged"), [("0", "0", "1"), ("0,999999", "0.999999", "0")])
def test_files_keep_their_names_and_the_threshold_can_be_set(photos, capsys, lite0_file, typed, threshold, flagged):
    file = photos / "b.jpg"
    assert main(["screen", str(file), "--threshold", typed, "--model", str(lite0_file)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["file"] for row in rows] == [str(file)]
    assert (rows[0]["threshold"], rows[0]["flagged"]) == (threshold, flagged)


def test_a_file_that_is_not_there_keeps_its_row(photos, tmp_path, lite0_file, capsys):
    out = tmp_path / "out.csv"
    paths = [str(photos / "b.jpg"), str(photos / "gone.jpg")]
    assert main(["screen", *paths, "--csv", str(out), "--model", str(lite0_file)]) == 3
    assert "gone.jpg" in _rows(out)[1]["error"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{empty}"], "There is no photo in the folder"),
        (["{photo}", "--model", "{photo}"], "no whole safetensors file"),
        (["{photo}", "--model", "gone.safetensors"], "There is no model file"),
        (["{photo}", "--csv", "{empty}"], "Is a directory"),
        (["{photo}", "--csv", "{empty}/no/such/out.csv"], "No such file or directory"),
        (["{photo}", "--csv", "{photo}"], "would replace a photo"),
        (["{photo}", "--csv", "{empty}/next.jpg"], "would replace a photo"),
        (["{photo}", "--model", "{model}", "--csv", "{model}"], "would replace a model file"),
        (["{photo}", "--csv", "{empty}/next.safetensors"], "would replace a model file"),
        (["{photo}", "--csv", "-", "--resume"], "name it with --csv"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_status_2(arguments, sentence, photos, tmp_path, lite0_file, capsys):
    (tmp_path / "empty").mkdir()
    own = shutil.copy(lite0_file, tmp_path / "own")
    words = [word.format(empty=tmp_path / "empty", photo=photos / "b.jpg", model=own) for word in arguments]
    if "--model" not in words:
        words += ["--model", str(lite0_file)]
    assert main(["screen", *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.strip().splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize("threshold", ["-0.1", "1.1", "often"])
def test_a_threshold_that_is_no_probability_is_refused(threshold, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["screen", "a.jpg", "--threshold", threshold])
    assert stop.value.code == 2
    assert "--threshold" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no disk that is always full")
def test_a_disk_that_fills_up_is_a_sentence(photos, lite0_file, capsys):
    assert main(["screen", str(photos), "--csv", "/dev/full", "--model", str(lite0_file)]) == 2
    assert "error: No space left on device\n" in capsys.readouterr().err


def test_help_is_for_people_and_does_not_load_torch():
    code = (
        "import sys, isic_screen.__main__ as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit as stop: print('status', stop.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "screen" in done.stdout
    assert "evaluate" in done.stdout
    assert "not a diagnosis" in done.stdout
    assert "status 0 False" in done.stdout


def test_evaluating_writes_the_report(lesion_folder, tmp_path, lite0_file):
    done = _run("evaluate", "--data", lesion_folder, "--out", tmp_path / "report", "--model", lite0_file)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert "NaN" not in json.dumps(metrics)
    for name in ("predictions.csv", "report.md"):
        assert (tmp_path / "report" / name).stat().st_size > 0
    assert list((tmp_path / "report" / "figures").glob("*.png"))


def test_several_models_screen_as_one(photos, tmp_path, lite0_file, other_file):
    def probabilities(name: str, *models: Path) -> tuple[list[float], list[dict[str, str]], str]:
        options = [option for model in models for option in ("--model", model)]
        done = _run("screen", photos, "--csv", tmp_path / name, *options)
        assert done.returncode == 3, done.stderr  # one photo is broken
        rows = _rows(tmp_path / name)
        return [float(row["probability"]) for row in rows if not row["error"]], rows, done.stderr

    ones, _, plain = probabilities("one.csv", lite0_file)
    others, _, _ = probabilities("other.csv", other_file)
    both, rows, told = probabilities("both.csv", lite0_file, other_file)
    assert ones != others
    for one, other, mean in zip(ones, others, both, strict=True):
        odds = math.sqrt(one / (1 - one) * other / (1 - other))
        assert mean == pytest.approx(odds / (1 + odds), rel=1e-4)
    odds = math.sqrt(0.03 / 0.97 * 0.3 / 0.7)
    for row in rows:
        assert float(row["threshold"]) == pytest.approx(odds / (1 + odds), rel=1e-5)
    assert "own operating point has not been measured" in told
    assert "ensemble" not in plain


def test_several_models_at_different_prevalences_are_refused(photos, tmp_path, lite0_file, capsys):
    torch.manual_seed(1)
    network = build_network("resnet10t", weights=None, input_size=64)
    path = tmp_path / "common.safetensors"
    save_model(path, network, example_facts(network, calibration=Calibration(1.0, 0.0, 0.5, prevalence=0.05)))
    assert main(["screen", str(photos), "--model", str(lite0_file), "--model", str(path)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert str(lite0_file) in error
    assert str(path) in error


def test_evaluating_several_models_writes_one_report(lesion_folder, tmp_path, lite0_file, other_file):
    models = ["--model", lite0_file, "--model", other_file]
    done = _run("evaluate", "--data", lesion_folder, "--out", tmp_path / "report", *models)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert metrics["overall"]["n"] == 48
    assert "shipped_members' mean" in metrics["overall"]["operating_points"]
    assert "An ensemble of 2 models" in (tmp_path / "report" / "report.md").read_text()


def test_evaluating_on_one_class_says_so_and_invents_nothing(lesion_folder, tmp_path, lite0_file):
    folder = shutil.copytree(lesion_folder, tmp_path / "benign")
    table = (folder / "labels.csv").read_text().splitlines()
    (folder / "labels.csv").write_text("\n".join([table[0], *(line for line in table[1:] if line.endswith(",0"))]))
    done = _run("evaluate", "--data", folder, "--out", tmp_path / "report", "--model", lite0_file)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "report" / "report.md").read_text()
    assert "melanoma" in report


def test_real_photos_follow_the_contract(shared_data, tmp_path, bundled_model):
    out = tmp_path / "out.csv"
    assert main(["screen", str(shared_data / "photos"), "--csv", str(out)]) == 0
    rows = _rows(out)
    assert [row["file"] for row in rows] == sorted(path.name for path in (shared_data / "photos").glob("*.jpg"))
    assert all(row["probability"] and not row["error"] for row in rows)
