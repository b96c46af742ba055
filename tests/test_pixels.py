import errno
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from isic_screen import frames
from isic_screen.data.images import read_photos
from isic_screen.errors import DataError
from isic_screen.photo import open_photo
from isic_screen.training import pixels as pixels_module
from isic_screen.training.pixels import cached_pixels
from tests.conftest import lesion


@pytest.fixture
def paths(tmp_path) -> list[str]:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(6):
        lesion(number, dark=number % 2 == 0, size=(90 + 10 * number, 120)).save(folder / f"{number}.jpg", quality=90)
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The paths that were decoded, in order."""
    seen: list[str] = []

    def counting(paths, prepare, workers):
        seen.extend(paths)
        return read_photos(paths, prepare, workers)

    monkeypatch.setattr(pixels_module, "read_photos", counting)
    return seen


def test_pixels_are_pillows_bicubic_squares_in_order(paths, tmp_path):
    pixels = cached_pixels(paths, 48, tmp_path / "cache", workers=2)
    assert pixels.images.shape == (6, 48, 48, 3)
    assert pixels.images.dtype == np.uint8
    assert pixels.unreadable == {}
    for row, path in enumerate(paths):
        expected = np.asarray(open_photo(path).resize((48, 48), Image.Resampling.BICUBIC))
        np.testing.assert_array_equal(pixels.images[row], expected)


def test_a_second_time_nothing_is_decoded(paths, tmp_path, decoded):
    first = cached_pixels(paths, 32, tmp_path / "cache", workers=2)
    assert decoded == paths
    second = cached_pixels(paths, 32, tmp_path / "cache", workers=2)
    assert decoded == paths
    np.testing.assert_array_equal(first.images, second.images)
    assert isinstance(second.images, np.memmap)


def test_the_cache_is_for_contents_and_not_for_names(paths, tmp_path, decoded):
    cached_pixels(paths, 32, tmp_path / "cache", workers=2)
    moved = shutil.copytree(tmp_path / "images", tmp_path / "moved")
    cached_pixels([str(path) for path in sorted(moved.iterdir())], 32, tmp_path / "cache", workers=2)
    assert decoded == paths


def test_what_changes_the_pixels_is_decoded_anew(paths, tmp_path, decoded):
    cache = tmp_path / "cache"
    first = cached_pixels(paths, 32, cache, workers=2)
    backwards = cached_pixels(paths[::-1], 32, cache, workers=2)
    np.testing.assert_array_equal(backwards.images[::-1], first.images)
    assert cached_pixels(paths, 40, cache, workers=2).images.shape == (6, 40, 40, 3)
    assert len(decoded) == 18
    lesion(77, dark=True).save(paths[3], quality=90)
    changed = cached_pixels(paths, 32, cache, workers=2)
    assert len(decoded) == 24
    assert [row for row in range(6) if (changed.images[row] != first.images[row]).any()] == [3]


def test_where_other_borders_are_cut_photos_are_decoded_anew(paths, tmp_path, decoded, monkeypatch):
    first = cached_pixels(paths, 32, tmp_path / "cache", workers=2)
    monkeypatch.setattr(frames, "REVISION", frames.REVISION + 1)
    second = cached_pixels(paths, 32, tmp_path / "cache", workers=2)
    assert len(decoded) == 2 * len(paths)
    assert first.sha256 != second.sha256  # what was computed from the pixels is known by it


def test_unreadable_photos_are_black_and_told_again_from_the_cache(paths, tmp_path, decoded):
    (tmp_path / "images" / "2.jpg").write_bytes(b"no photo")
    for _ in range(2):
        pixels = cached_pixels(paths, 32, tmp_path / "cache", workers=2)
        assert list(pixels.unreadable) == [2]
        assert "2.jpg" in pixels.unreadable[2]
        assert not pixels.images[2].any()
        assert all(pixels.images[row].any() for row in (0, 1, 3, 4, 5))
    assert len(decoded) == 6


def test_no_readable_photo_is_an_error_each_time(paths, tmp_path):
    for path in paths:
        with open(path, "wb") as file:
            file.write(b"no photo")
    for _ in range(2):
        with pytest.raises(DataError, match="None of the 6 photos"):
            cached_pixels(paths, 32, tmp_path / "cache", workers=2)


def test_a_file_that_is_gone_is_named(paths, tmp_path):
    with pytest.raises(DataError, match="gone"):
        cached_pixels([*paths, str(tmp_path / "gone.jpg")], 32, tmp_path / "cache", workers=2)


def test_a_killed_pass_goes_on_where_it_stopped_and_only_whole_tables_are_used(paths, tmp_path, monkeypatch):
    cache, asked = tmp_path / "cache", []

    def breaking(paths, prepare, workers):
        yield from list(read_photos(paths, prepare, workers))[:3]
        raise KeyboardInterrupt

    def watched(paths, prepare, workers):
        asked.extend(paths)
        return read_photos(paths, prepare, workers)

    monkeypatch.setattr(pixels_module, "_BLOCK", 2)
    with monkeypatch.context() as patched:
        patched.setattr(pixels_module, "read_photos", breaking)
        with pytest.raises(KeyboardInterrupt):
            cached_pixels(paths, 32, cache, workers=2)
    assert not list(cache.glob("pixels-????????????????????????????????.npy"))
    monkeypatch.setattr(pixels_module, "read_photos", watched)
    pixels = cached_pixels(paths, 32, cache, workers=2)
    assert asked == paths[2:]
    assert all(image.any() for image in pixels.images)
    expected = cached_pixels(paths, 32, tmp_path / "other", workers=2)
    np.testing.assert_array_equal(pixels.images, expected.images)
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".lock", ".npy"]


def test_what_was_known_of_a_table_that_is_gone_is_not_believed_of_the_next(paths, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    cache = tmp_path / "cache"
    cached_pixels(paths, 32, cache, workers=2)
    next(cache.glob("*.npy")).unlink()
    monkeypatch.setattr(os, "posix_fallocate", killed)
    with pytest.raises(KeyboardInterrupt):
        cached_pixels(paths, 32, cache, workers=2)
    monkeypatch.undo()
    assert all(image.any() for image in cached_pixels(paths, 32, cache, workers=2).images)


def test_a_disk_without_room_is_told_before_the_work(paths, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        cached_pixels(paths, 32, tmp_path / "cache", workers=2)
    assert caught.value.filename.endswith(".partial.npy")
    monkeypatch.undo()
    assert all(image.any() for image in cached_pixels(paths, 32, tmp_path / "cache", workers=2).images)
