"""Many files: results in order, bounded memory, and what a kill leaves is gone on with."""

import csv
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image

from isic_screen.__main__ import main
from isic_screen.batch import screen_files
from isic_screen.data.images import LOOK_AHEAD
from isic_screen.errors import PhotoError
from isic_screen.quality import assess
from isic_screen.screener import Screening
from tests.conftest import ROOT, lesion

_QUALITY = assess(lesion(0))


class _Widths:
    """Tells each photo's width as its probability, and counts how many photos are in its hands at once."""

    def __init__(self) -> None:
        self.lock, self.now, self.most, self.threads = threading.Lock(), 0, 0, set[int]()

    def screen_many(self, photos):
        with self.lock:
            self.now += len(photos)
            self.most = max(self.most, self.now)
            self.threads.add(torch.get_num_threads())
        answers = [Screening(photo.width / 1000, 0.0, _QUALITY, np.zeros((7, 7), np.float32)) for photo in photos]
        with self.lock:
            self.now -= len(photos)
        return answers


class _Handed(list):
    """Paths that count the parts that were taken of them."""

    parts = 0

    def __getitem__(self, index):
        self.parts += isinstance(index, slice)
        return super().__getitem__(index)


@pytest.fixture
def files(tmp_path) -> list[Path]:
    """Thirty photos, 100 to 129 pixels wide; the seventh and the last cannot be read."""
    made = []
    for number in range(30):
        made.append(tmp_path / f"{number:02}.png")
        Image.new("RGB", (100 + number, 100)).save(made[-1])
    made[6].write_bytes(b"no photo")
    made[29].unlink()
    return made


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 30, 100])
def test_every_file_has_its_own_answer_in_its_place(files, workers, batch_size):
    found = list(screen_files(_Widths(), files, workers=workers, batch_size=batch_size))
    assert len(found) == 30
    for number, result in enumerate(found):
        if number in (6, 29):
            assert isinstance(result, PhotoError)
            assert files[number].name in str(result)
        else:
            assert result.probability == (100 + number) / 1000


def test_no_more_photos_are_decoded_than_the_workers_hold(files):
    screener, paths = _Widths(), _Handed(files[:1] * 400)
    results = screen_files(screener, paths, workers=2, batch_size=4)
    next(results)
    assert paths.parts <= 2 * LOOK_AHEAD + 1
    assert len(list(results)) == 399
    # Answers that wait are small; photos are only in the hands of the two workers.
    assert screener.most <= 2 * 4


def test_the_workers_share_pytorchs_threads_and_give_them_back(files):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        screener = _Widths()
        list(screen_files(screener, files, workers=2))
        assert screener.threads == {2}
        assert torch.get_num_threads() == 4
        stopped = screen_files(_Widths(), files, workers=4)
        next(stopped)
        stopped.close()
        in_a_new_thread: list[int] = []
        thread = threading.Thread(target=lambda: in_a_new_thread.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert in_a_new_thread == [4]
    finally:
        torch.set_num_threads(before)


def test_no_files_and_files_that_all_fail(files):
    assert list(screen_files(_Widths(), [])) == []
    assert [type(found) for found in screen_files(_Widths(), [files[6], files[29]])] == [PhotoError, PhotoError]


PHOTOS = 60


def test_a_run_killed_again_and_again_has_every_row_once(tmp_path, lite0_file):
    folder, out, whole = tmp_path / "photos", tmp_path / "out.csv", tmp_path / "whole.csv"
    folder.mkdir()
    for number in range(PHOTOS):
        lesion(number, dark=number % 3 == 0).save(folder / f"{number:02}.jpg")
    (folder / "07.jpg").write_bytes(b"no photo")
    assert main(["screen", str(folder), "--model", str(lite0_file), "--csv", str(whole)]) == 3
    expected = _rows(whole)
    assert [row[0] for row in expected] == [f"{number:02}.jpg" for number in range(PHOTOS)]

    command = [sys.executable, "-m", "isic_screen", "screen", str(folder), "--resume", "--workers", "2"]
    command += ["--model", str(lite0_file), "--csv", str(out)]
    random = Random(0)
    reached = 0
    for _ in range(2):
        reached = _killed(command, min(PHOTOS - 20, reached + random.randrange(4, 16)))
        left = _whole_rows(out)
        assert reached <= len(left) < PHOTOS
        assert [row[0] for row in left] == [row[0] for row in expected[: len(left)]]
    assert main(command[3:]) == 3
    found = _rows(out)
    assert [row[0] for row in found] == [row[0] for row in expected]
    for row, other in zip(found, expected, strict=True):
        assert row[2:] == other[2:]
        assert float(row[1] or -1) == pytest.approx(float(other[1] or -1), abs=1e-5)


def _killed(command: list[str], after: int) -> int:
    """Kill the command without warning once its progress says that `after` photos are done; how many it said."""
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        said, done = b"", -1
        while done < after:
            more = process.stderr.read1(256)
            assert more, f"it ended before it was killed: {said.decode()}"
            said += more
            done = max(int(count) for count in re.findall(rb"(\d+)/%d " % PHOTOS, said) or [b"-1"])
        process.send_signal(signal.SIGKILL)
    return done


def _rows(file: Path) -> list[list[str]]:
    return list(csv.reader(file.read_text(encoding="utf-8").splitlines()))[1:]


def _whole_rows(file: Path) -> list[list[str]]:
    text = file.read_bytes()
    return list(csv.reader(text[: text.rfind(b"\r\n")].decode().splitlines()))[1:]
