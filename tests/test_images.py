"""Reading many photos: in order, past the broken ones, in bounded memory."""

import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from isic_screen.data.images import LOOK_AHEAD, find_unreadable, read_photos
from isic_screen.data.tables import read_source
from isic_screen.errors import DataError, PhotoError


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Twelve photos, 20 to 31 pixels wide; 3 is cut short, 5 is text, 7 is missing, 9 is empty."""
    made = []
    for number in range(12):
        path = tmp_path / f"{number:02}.jpg"
        Image.effect_noise((20 + number, 20), 60).convert("RGB").save(path)
        made.append(path)
    made[3].write_bytes(made[3].read_bytes()[:200])
    made[5].write_text("I am no photo")
    made[7].unlink()
    made[9].write_bytes(b"")
    return [str(path) for path in made]


BROKEN = {3, 5, 7, 9}


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_results_come_in_order_and_errors_in_their_place(paths: list[str], workers: int) -> None:
    results = list(read_photos(paths, lambda photo: photo.size, workers))
    assert [index for index, _ in results] == list(range(12))
    for index, result in results:
        if index in BROKEN:
            assert isinstance(result, PhotoError)
            assert f"{index:02}.jpg" in str(result)
        else:
            assert result == (20 + index, 20)


def test_order_is_kept_when_later_photos_are_ready_first(paths: list[str]) -> None:
    def slow_first(photo: Image.Image) -> int:
        if photo.width == 20:
            time.sleep(0.1)
        return photo.width

    results = [result for _, result in read_photos(paths, slow_first, 3) if isinstance(result, int)]
    assert results == sorted(results)


def test_no_photos() -> None:
    assert list(read_photos([], lambda photo: photo, 2)) == []


def test_only_a_few_photos_are_read_ahead(paths: list[str]) -> None:
    many = paths[:1] * 100
    begun = []
    results = read_photos(many, lambda photo: begun.append(1), 2)
    next(results)
    time.sleep(0.2)  # long enough for 100 of these to be read, if nothing held them back
    assert 1 <= len(begun) <= 2 * LOOK_AHEAD + 1
    assert len(list(results)) == 99


def test_stopping_early_ends_the_workers(paths: list[str]) -> None:
    begun = []

    def slow(photo: Image.Image) -> None:
        begun.append(1)
        time.sleep(0.1)

    results = read_photos(paths[:1] * 100, slow, 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(begun) < 2 * LOOK_AHEAD  # those that waited were dropped
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("photos")]


def test_prepare_may_refuse_a_photo_and_its_faults_are_ours(paths: list[str]) -> None:
    def refuse(photo: Image.Image) -> None:
        raise PhotoError("too small")

    [(_, refused)] = read_photos(paths[:1], refuse, 1)
    assert str(refused) == "too small"
    with pytest.raises(ZeroDivisionError):  # not a fault of the photo: it must not be hidden
        list(read_photos(paths[:1], lambda photo: 1 // 0, 1))


def test_find_unreadable(paths: list[str]) -> None:
    rows = pd.DataFrame({"path": paths, "target": 0}, index=range(100, 112))
    good, failed = find_unreadable(rows, 2)
    assert [path for path, _ in failed] == [paths[index] for index in sorted(BROKEN)]
    assert all(reason for _, reason in failed)
    assert list(good.index) == [100 + index for index in range(12) if index not in BROKEN]


def test_nothing_readable(paths: list[str]) -> None:
    rows = pd.DataFrame({"path": [paths[5], paths[9]]})
    with pytest.raises(DataError, match=r"None of the 2 photos can be read; the first: .*05\.jpg"):
        find_unreadable(rows, 2)
    good, failed = find_unreadable(rows.iloc[:0], 2)
    assert len(good) == 0
    assert failed == []


def test_real_photos(shared_data: Path) -> None:
    rows = read_source(shared_data / "photos").rows
    good, failed = find_unreadable(rows, 2)
    assert failed == []
    assert len(good) == 8
