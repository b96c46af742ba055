"""Several processes come to what one does. They are started as a user would, on CPUs, talking over gloo."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from isic_screen.batch import screen_files, screen_shared
from isic_screen.errors import ScreenError
from isic_screen.processes import ALONE, Processes, device_named, launched
from isic_screen.screener import Screener
from tests import forks
from tests.conftest import ROOT, lesion
from tests.forks import PROGRAMS
from tests.shared_work import JOBS

QUICK = [
    *("--set", "input_size=64", "--set", "first_size=48", "--set", "train_size=64", "--set", "pixels=72"),
    *("--set", "epochs=2", "--set", "epoch_images=32", "--set", "batch_size=8"),
    *("--set", "folds=2", "--set", "amp=false", "--set", "learning_rate=1e-4", "--set", "from_teacher=false"),
]


def _run(processes: int, *command: object, status: int = 0) -> str:
    """What a command of this project says, by one process or by several, which a launcher starts."""
    if processes == 1 and command[0] in PROGRAMS:
        alone = forks.run(*command)
        assert alone.returncode == status, alone.stderr
        return alone.stderr
    launcher = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes)]
    launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    done = subprocess.run(
        [sys.executable, *(launcher if processes > 1 else []), *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == status, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def jobs(tmp_path_factory) -> dict[int, Path]:
    """The folders in which one process and two have left the results of tests/shared_work.py."""
    folders = {count: tmp_path_factory.mktemp(f"by-{count}") for count in (1, 2)}
    for count, folder in folders.items():
        _run(count, "-m", "tests.shared_work", folder)
    return folders


# Rounding differs, and AdamW makes much of it: it divides small gradients by their size.
@pytest.mark.parametrize(
    ("job", "tolerance"),
    [("norm_and_dropout", 1e-6), ("head_on_features", 1e-5), ("head_on_images", 1e-5), ("fine_tuning", 2e-3)],
)
def test_two_processes_compute_what_one_does(job, tolerance, jobs):
    alone, together = (load_file(folder / job) for folder in jobs.values())
    assert alone.keys() == together.keys()
    for name, expected in alone.items():
        scale = max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(together[name], expected, rtol=0, atol=tolerance * scale, msg=name)


def test_every_job_is_compared():
    assert set(JOBS) == {"norm_and_dropout", "head_on_features", "head_on_images", "fine_tuning"}


@pytest.mark.parametrize(
    ("recipe", "more"),
    [
        # So short a training, lest rounding grows in it, can be calibrated by chance only: as it is when asked once.
        ("screen", ["--set", "views=1"]),
        ("paper", ["--set", "folds=2", "--set", "learning_rate=3e-3"]),
    ],
)
def test_two_processes_train_the_model_that_one_trains(recipe, more, lesion_folder, tmp_path):
    settings = QUICK if recipe == "screen" else ["--set", "input_size=64", "--set", "epochs=2", "--set", "amp=false"]
    settings = ["--recipe", recipe, "--backbone", "tf_efficientnet_lite0", *settings, *more]
    for count in (1, 2):
        out, cache = tmp_path / str(count), tmp_path / f"cache-{count}"
        _run(count, "train/run.py", "--data", lesion_folder, "--out", out, "--cache", cache, *settings)
    first, second = (pd.read_csv(tmp_path / name / "predictions.csv") for name in "12")
    auc, again = (roc_auc_score(found["target"], found["logit"]) for found in (first, second))
    assert again == pytest.approx(auc, abs=0.005)  # two pairs of the 512 that rounding may turn round
    assert second["image_id"].tolist() == first["image_id"].tolist()  # each once, in order
    np.testing.assert_allclose(second["logit"], first["logit"], atol=0.02)
    assert {path.name for path in (tmp_path / "2").iterdir()} == {path.name for path in (tmp_path / "1").iterdir()}


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """37 photos, which are two batches and a bit, one of them broken."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(37):
        lesion(number, dark=number % 3 == 0, size=(120, 100)).save(folder / f"{number:02}.png")
    (folder / "17.png").write_bytes(b"no photo")
    return folder


def test_two_processes_write_the_csv_that_one_writes_and_go_on_with_it(photos, tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    _run(1, "isic_screen", "screen", photos, "--csv", one, status=3)
    # The launcher has a status of its own for a process that ends with any but 0.
    said = _run(2, "-m", "isic_screen", "screen", photos, "--csv", two, status=1)
    assert two.read_bytes() == one.read_bytes()
    assert said.count("1 of 37 photos could not be read") == 1
    two.write_bytes(b"".join(one.read_bytes().splitlines(keepends=True)[:20]) + b"19.png,0.0")
    _run(2, "-m", "isic_screen", "screen", photos, "--csv", two, "--resume", status=1)
    assert two.read_bytes() == one.read_bytes()


def test_shares_are_every_row_once_in_order():
    for total in (0, 1, 5, 32):
        for count in (1, 2, 3, 7):
            shares = [range(total)[Processes(index, count).share(total)] for index in range(count)]
            assert [row for share in shares for row in share] == list(range(total))


def test_one_process_shares_with_nobody(photos):
    assert launched() is ALONE
    assert ALONE.main
    assert ALONE.gather(3) == [3]
    assert ALONE.from_main("x") == "x"
    files = sorted(photos.iterdir())[:5]
    screener = Screener()
    alone, shared = screen_files(screener, files), screen_shared(screener, files, ALONE)
    assert [found.logit for found in shared] == [found.logit for found in alone]


def test_no_thread_of_gloo_outlives_the_work(tmp_path):
    """One that lets go of a tensor while Python ends aborts a command that has done all of it."""
    _run(2, "-m", "tests.last_threads", tmp_path)
    for index in (0, 1):
        left = (tmp_path / str(index)).read_text().splitlines()
        assert left
        assert not [name for name in left if "gloo" in name]


def test_an_unknown_device_is_a_sentence():
    assert device_named("cpu").type == "cpu"
    for name in ("abacus", "hpu", "xla", "mtia"):  # each refused by PyTorch with an error of another kind
        with pytest.raises(ScreenError, match=f"'{name}' cannot be used"):
            device_named(name)


def test_a_batch_that_cannot_be_shared_evenly_is_a_sentence(lesion_folder, tmp_path):
    said = _run(
        2,
        *("train/run.py", "--data", lesion_folder, "--out", tmp_path / "out", "--cache", tmp_path, *QUICK),
        *("--set", "batch_size=6"),
        status=1,
    )
    assert "evenly and in pairs, for mixup: --set batch_size=8" in said
    assert not (tmp_path / "out").exists()
