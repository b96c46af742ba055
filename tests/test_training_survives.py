"""Training goes on after what happens to it: kills, Ctrl-C, full disks, images that change."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.conftest import ROOT, lesion
from tests.forks import Fork, run

# The whole network, small enough to be trained in seconds. What is trained first, for it to start from, would be tested
# no otherwise than itself; the twenty kills fall on both.
SMALL = [
    *("--backbone", "tf_efficientnet_lite0", "--set", "from_teacher=false"),
    *("--set", "input_size=64", "--set", "first_size=48", "--set", "train_size=64", "--set", "pixels=72"),
    *("--set", "epochs=3", "--set", "epoch_images=32", "--set", "batch_size=8", "--set", "folds=2"),
    *("--set", "hidden=16", "--set", "learning_rate=2e-3", "--set", "amp=false"),
]


def _arguments(data: Path, folder: Path, *more: str) -> list[str]:
    places = ["--data", str(data), "--out", str(folder / "out"), "--cache", str(folder / "cache")]
    return ["train/run.py", *places, *SMALL, *more]


def _train(data: Path, folder: Path, *more: str, largest_file: int | None = None) -> subprocess.CompletedProcess[str]:
    return run(*_arguments(data, folder, *more), largest_file=largest_file)


def _stopped_at(pattern: str, data: Path, folder: Path, by: signal.Signals) -> subprocess.CompletedProcess[str]:
    """A run that is sent a signal as soon as a file is there."""
    running = Fork(*_arguments(data, folder))
    running.wait_for(folder, pattern)
    return running.sent(by)


@pytest.fixture(scope="module")
def whole(lesion_folder, tmp_path_factory) -> Path:
    """The output of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    done = _train(lesion_folder, folder)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def _assert_same(out: Path, whole: Path) -> None:
    for name in ("predictions.csv", "metrics.json", "split.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    expected = load_file(whole / "model.safetensors")
    for name, tensor in load_file(out / "model.safetensors").items():
        assert (tensor == expected[name]).all(), name


@pytest.mark.timeout(600)
def test_twenty_kills_come_to_what_an_untouched_run_comes_to(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _KILLS, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=590
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert sum(recipe["kills"] for recipe in found.values()) == 20
    assert all(recipe["runs_finished_and_compared"] for recipe in found.values())
    assert len({stage for recipe in found.values() for stage in recipe["killed_in"]}) >= 3


def test_parts_that_are_trained_side_by_side_come_to_the_whole(lesion_folder, whole, tmp_path):
    parts = [("--only", "1"), ("--only", "2", "--only", "0")]
    running = [Fork(*_arguments(lesion_folder, tmp_path, "--resume", *part)) for part in parts]
    ended = [part.ended() for part in running]
    told = [part.stderr for part in ended]
    assert [part.returncode for part in ended] == [0, 0], told
    assert "Fold 2" not in told[0]
    assert "Fold 1" not in told[1]
    assert not (tmp_path / "out" / "model.safetensors").exists()
    done = _train(lesion_folder, tmp_path, "--resume")
    assert done.returncode == 0, done.stderr
    assert "AUC on training draws" not in done.stderr  # nothing was trained again
    _assert_same(tmp_path / "out", whole)


def test_a_part_that_is_not_there_is_a_sentence(lesion_folder, tmp_path):
    done = _train(lesion_folder, tmp_path, "--only", "3")
    assert done.returncode == 2
    assert "error: --only 3: the folds are 1 to 2, and 0 is the network on all images." in done.stderr
    assert not (tmp_path / "out").exists()


# The command, but for its results, which are those of a longer run.
_KILLS = """
import sys
from unittest.mock import patch
from benchmarks import kill_training, measure
print_result = patch.object(kill_training, "write_result", lambda name, result: print(measure.json.dumps(result)))
with print_result, patch.object(kill_training, "write_document"):
    sys.argv = ["kill_training", "--kills", "10", "--folder", sys.argv[1]]
    raise SystemExit(kill_training.main())
"""


@pytest.mark.parametrize(
    ("by", "file"),
    [
        (signal.SIGINT, "cache/*.npy"),  # one that is being written, or was just now
        (signal.SIGTERM, "out/folds/fold-1.safetensors"),
    ],
)
def test_who_is_asked_to_stop_says_how_to_go_on_and_goes_on(by, file, lesion_folder, whole, tmp_path):
    stopped = _stopped_at(file, lesion_folder, tmp_path, by)
    assert stopped.returncode == 130, stopped.stderr
    assert f"Stopped. Go on with --resume --out {tmp_path / 'out'}" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    if by == signal.SIGINT:  # and by the other signal it is the same
        done = _train(lesion_folder, tmp_path, "--resume")
        assert done.returncode == 0, done.stderr
        _assert_same(tmp_path / "out", whole)


def test_a_full_disk_is_a_sentence_and_the_run_goes_on_when_there_is_room(lesion_folder, whole, tmp_path):
    full = _train(lesion_folder, tmp_path, largest_file=100_000)
    assert full.returncode == 2, full.stderr
    (sentence,) = (line for line in full.stderr.splitlines() if line.startswith("error:"))
    assert "File too large" in sentence
    assert ".partial.npy" in sentence
    assert "--resume" in sentence
    assert "Traceback" not in full.stderr
    assert not [path for path in tmp_path.rglob("*") if "unfinished" in path.name or path.name.startswith(".tmp")]
    done = _train(lesion_folder, tmp_path, "--resume")
    assert done.returncode == 0, done.stderr
    _assert_same(tmp_path / "out", whole)


def test_a_checkpoint_stays_whole_when_the_disk_fills_up(lesion_folder, whole, tmp_path):
    killed = _stopped_at("out/folds/fold-1.safetensors", lesion_folder, tmp_path, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    checkpoint = tmp_path / "out" / "folds" / "fold-1.safetensors"
    before = checkpoint.read_bytes()
    full = _train(lesion_folder, tmp_path, "--resume", largest_file=2_000_000)
    assert full.returncode == 2
    (sentence,) = (line for line in full.stderr.splitlines() if line.startswith("error:"))
    assert "File too large" in sentence
    assert "fold-1.safetensors" in sentence
    assert not [path for path in tmp_path.rglob("*") if "unfinished" in path.name or path.name.startswith(".tmp")]
    assert checkpoint.read_bytes() == before
    done = _train(lesion_folder, tmp_path, "--resume")
    assert done.returncode == 0, done.stderr
    _assert_same(tmp_path / "out", whole)


@pytest.fixture
def read_only(tmp_path) -> Path:
    """A folder in which nothing can be made, for root neither."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):  # root
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True)
        if mounted.returncode:
            pytest.skip("root writes everywhere, and may not mount here")
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
    else:
        yield folder


def test_a_read_only_folder_is_a_sentence_before_the_work(lesion_folder, read_only, tmp_path):
    for option, of in (("--out", read_only / "out"), ("--cache", read_only / "cache")):
        done = _train(lesion_folder, tmp_path, option, str(of))
        assert done.returncode == 2, done.stderr
        (sentence,) = (line for line in done.stderr.splitlines() if line.startswith("error:"))
        assert str(read_only) in sentence
        assert "Fold 1" not in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("change", ["another picture", "a label"])
def test_data_that_changed_between_two_goes_are_refused(change, lesion_folder, tmp_path):
    data = shutil.copytree(lesion_folder, tmp_path / "data")
    killed = _stopped_at("out/folds/fold-1.safetensors", data, tmp_path, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    if change == "a label":
        table = data / "labels.csv"
        table.write_text(table.read_text().replace("lesion-00,patient-00,1", "lesion-00,patient-00,0"))
    else:
        lesion(99, dark=True).save(data / "images" / "lesion-07.jpg")
    done = _train(data, tmp_path, "--resume")
    assert done.returncode == 2
    assert "belongs to a run with another recipe or other data" in done.stderr
    assert "Traceback" not in done.stderr
