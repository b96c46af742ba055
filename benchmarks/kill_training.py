"""Kill a training without warning, again and again, and compare what it comes to with a run that was left alone.

    python -m benchmarks.kill_training [--kills N] [--recipe screen|paper] [--seed S] [--folder DIR]

Both recipes are run, made small by --set, on drawn lesions, by the real command `train/run.py`. Half of the kills fall
at a random moment, half as soon as a file appears or changes for the nth time, as that is when a half-written one could
be left. A run that is finished before its kill is compared and begun anew. Every model must be the same to the last
bit, and so must predictions, split, metrics and history but for its seconds; nothing half-written may be left behind.
Each go is a fork of a process that has the libraries loaded, which saves seconds a go. Writes
benchmarks/results/kill_training.json; the exit status is 1 when anything differed.
"""

import argparse
import os
import runpy
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file

import isic_screen.training.run  # noqa: F401 (loaded before the forks, as all that it brings in)
from benchmarks.measure import ROOT, write_result
from benchmarks.training_report import write_document

SETTINGS = {
    "screen": [
        *("folds=2", "epochs=2", "epoch_images=24", "batch_size=8", "hidden=16", "pixels=72", "learning_rate=2e-3"),
        *("input_size=64", "first_size=48", "train_size=64", "backbone=tf_efficientnet_lite0"),
    ],
    "paper": ["folds=2", "epochs=3", "batch_size=8", "input_size=64", "feature_views=1", "learning_rate=3e-3"],
}
SAME_TEXT = ("predictions.csv", "split.csv", "metrics.json", "recipe.toml", "report.md")
LIMIT = 300.0
"""Seconds after which a go that should have ended has hung."""
STAGES = {
    "Wrote": "done",
    "First a run to start from": "run to start from",
    "All images": "last training",
    "Fold 2": "second fold",
    "Fold 1": "first fold",
    "Training on": "first training",
}


@dataclass
class Tally:
    """What was done to a recipe and what became of it."""

    kills: int = 0
    finished: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of each recipe")
    parser.add_argument("--recipe", choices=SETTINGS, action="append", help="default: both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the runs go; they are deleted afterwards")
    given = parser.parse_args()
    result: dict[str, object] = {}
    different = False
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        data = Path(name) / "lesions"
        draw_set(data)
        for recipe in given.recipe or SETTINGS:
            tally = torment(recipe, data, Path(name) / recipe, given.kills, Random(given.seed))
            different |= bool(tally.differences)
            result[recipe] = {
                "kills": tally.kills,
                "killed_in": dict(tally.stages.most_common()),
                "runs_finished_and_compared": tally.finished,
                "differences": tally.differences,
            }
    write_result("kill_training", result)
    write_document()
    return 1 if different else 0


def draw_set(folder: Path) -> None:
    """48 lesions of 24 patients as JPEG with a table of labels; a third are dark, and called melanomas."""
    (folder / "images").mkdir(parents=True)
    lines = ["image_name,patient_id,target"]
    for number in range(48):
        random, melanoma = np.random.default_rng(number), number // 2 % 3 == 0
        skin = np.array([222, 178, 155]) + random.normal(0, 6, (90, 120, 3))
        photo = Image.fromarray(skin.clip(0, 255).astype(np.uint8))
        left, top = random.integers(20, 40, 2)
        box = (int(left), int(top), int(left) + 50, int(top) + 40)
        ImageDraw.Draw(photo).ellipse(box, fill=(40, 25, 30) if melanoma else (150, 95, 65))
        photo.save(folder / "images" / f"lesion-{number}.jpg", quality=90)
        lines.append(f"lesion-{number},patient-{number // 2},{int(melanoma)}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def torment(recipe: str, data: Path, folder: Path, kills: int, random: Random) -> Tally:
    """Run `recipe` once in peace, then kill it `kills` times over as many runs as that takes, and compare each."""
    tally, started = Tally(), time.monotonic()
    whole = folder / "whole"
    if status := _wait(_start(recipe, data, whole), LIMIT):
        raise SystemExit(f"{recipe}: the run that nobody killed ended with status {status}:\n{_told(whole)}")
    seconds, events = time.monotonic() - started, len(list(_files(whole)))
    while tally.kills < kills or (folder / "killed").exists():
        out = folder / "killed"
        child = _start(recipe, data, out)
        if tally.kills == kills:
            killed = False
        elif tally.kills % 2:
            killed = not _wait_for_files(child, out, random.randint(1, events))
        else:
            killed = _wait(child, random.uniform(0.02, 0.6) * seconds) is None
        if killed:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            tally.kills += 1
            tally.stages[_stage(out)] += 1
            continue
        if tally.kills == kills and (status := _wait(child, LIMIT)):
            tally.differences.append(f"a resumed run ended with status {status}: {_told(out)[-500:]}")
        else:
            tally.finished += 1
            tally.differences += differences(whole, out)
        shutil.rmtree(out)
        if tally.differences:
            break
    return tally


def _start(recipe: str, data: Path, out: Path) -> int:
    """A forked process in which train/run.py goes on with the run in `out`, or begins it; its number."""
    out.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child:
        return child
    status = 99
    try:
        log = os.open(out / "log.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        # The parent has never computed anything, so that there is no pool of threads that a fork would break.
        torch.set_num_threads(1)
        settings = [word for setting in SETTINGS[recipe] for word in ("--set", setting)]
        backbone = ["--backbone", "tf_efficientnet_lite0"]
        places = ["--data", str(data), "--out", str(out / "run"), "--cache", str(out / "cache")]
        sys.argv = ["train/run.py", "--recipe", recipe, *places, *backbone, *settings, "--resume", "--workers", "1"]
        runpy.run_path(str(ROOT / "train" / "run.py"), run_name="__main__")
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        os._exit(status)


def _wait(child: int, seconds: float) -> int | None:
    """The exit status of a child, or None when it goes on after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def _wait_for_files(child: int, out: Path, times: int) -> bool:
    """Whether the child ended before a file appeared or changed for the nth time since now."""
    seen, changes, deadline = set(_files(out)), 0, time.monotonic() + LIMIT
    while changes < times and time.monotonic() < deadline:
        ended, _ = os.waitpid(child, os.WNOHANG)
        if ended:
            return True
        now = set(_files(out))
        changes += len(now - seen)
        seen |= now
        time.sleep(0.0005)
    return False


def _files(out: Path) -> Iterator[tuple[str, int]]:
    """(name, time of change) of each file, but for the log."""
    for folder, _, names in os.walk(out):
        for name in names:
            path = Path(folder) / name
            try:
                changed = path.stat().st_mtime_ns
            except FileNotFoundError:  # a file that has just been given its name
                continue
            if name != "log.txt":
                yield str(path), changed


def _told(out: Path) -> str:
    return (out / "log.txt").read_text(encoding="utf-8", errors="replace")


def _stage(out: Path) -> str:
    """Where a run was when it was killed, by the last thing that it said since it was last begun."""
    for line in reversed(_told(out).splitlines()):
        for said, stage in STAGES.items():
            if said in line:
                return stage
    return "reading and decoding"


def differences(whole: Path, resumed: Path) -> list[str]:
    """What differs between two finished runs, and what the second has left half-written."""
    found = []
    first, second = whole / "run", resumed / "run"
    for name in SAME_TEXT:
        if (first / name).read_bytes() != (second / name).read_bytes():
            found.append(f"{name} differs")
    one, two = load_file(first / "model.safetensors"), load_file(second / "model.safetensors")
    if one.keys() != two.keys() or not all(torch.equal(tensor, two[name]) for name, tensor in one.items()):
        found.append("the weights differ")
    histories = [pd.read_csv(run / "history.csv").drop(columns="seconds") for run in (first, second)]
    if not histories[0].equals(histories[1]):
        found.append("history.csv differs")
    left = [path.name for path in resumed.rglob("*") if "unfinished" in path.name or "partial" in path.name]
    found += [f"{name} was left" for name in left]
    return found


if __name__ == "__main__":
    raise SystemExit(main())
