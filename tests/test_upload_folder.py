"""The folder of uploads is a server's own, is swept while it runs, and is gone with it."""

import asyncio
import errno
import os
import shutil
import time
from pathlib import Path

from isic_screen.serving import own_upload_folder, swept, upload_folder
from isic_screen.serving.upload_folder import delete_older
from tests.serving import run_apart


def test_the_folder_of_uploads_is_ones_own_and_goes(tmp_path):
    parent = tmp_path / "new"
    with own_upload_folder(str(parent)) as first, own_upload_folder(str(parent)) as second:
        assert first != second
        assert first.stat().st_mode & 0o077 == 0
        (first / "photo").mkdir()
        (first / "photo" / "a.jpg").touch()
    assert list(parent.iterdir()) == []


def test_old_files_are_deleted_and_the_pages_own_and_new_ones_stay(tmp_path):
    for name in ("old", "own", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").touch()
    for name in ("old", "own"):
        os.utime(tmp_path / name / "a.jpg", (1000, 1000))
    delete_older(tmp_path, time.time() - 900, {tmp_path / "own" / "a.jpg"})
    assert {path.parent.name for path in tmp_path.rglob("*.jpg")} == {"own", "new"}


def test_an_old_folder_goes_when_it_is_empty_and_a_broken_off_upload_with_the_rest(tmp_path):
    for name in ("empty", "full", "own"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "new.jpg").touch()
    (tmp_path / "tmp0123").touch()  # what an upload leaves that was broken off
    for path in (*map(tmp_path.joinpath, ("empty", "full", "own")), tmp_path / "tmp0123"):
        os.utime(path, (1000, 1000))
    delete_older(tmp_path, time.time() - 900, {tmp_path / "own"})
    assert {path.name for path in tmp_path.rglob("*")} == {"full", "new.jpg", "own"}


def test_one_file_that_cannot_be_deleted_keeps_no_other(tmp_path, monkeypatch, caplog):
    for name in ("deep/stuck.jpg", "patient.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000, 1000))
    unlink = Path.unlink

    def guarded(path: Path) -> None:
        if path.name == "stuck.jpg":
            raise PermissionError(errno.EPERM, "Operation not permitted", str(path))
        unlink(path)

    monkeypatch.setattr(Path, "unlink", guarded)
    delete_older(tmp_path, time.time() - 900)
    assert [path.name for path in tmp_path.rglob("*.jpg")] == ["stuck.jpg"]
    assert "Operation not permitted" in caplog.text
    assert "stuck" not in caplog.text


def test_what_a_killed_server_left_is_deleted_and_nothing_else(tmp_path):
    with own_upload_folder(str(tmp_path)) as living:
        killed = tmp_path / "isic-screen-killed"
        shutil.copytree(living, killed)  # the same, but that no server holds it
        (killed / "photo.jpg").touch()
        for other in ("isic-screen-main", "elsewhere"):
            (tmp_path / other).mkdir()
            (tmp_path / other / "photo.jpg").touch()
        shutil.copy(next(living.iterdir()), tmp_path / "elsewhere")
        (tmp_path / "isic-screen-link").symlink_to(tmp_path / "elsewhere")
        with own_upload_folder(str(tmp_path)):
            pass
        assert living.is_dir()
        left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("photo.jpg")}
        assert left == {"isic-screen-main/photo.jpg", "elsewhere/photo.jpg"}


def test_a_new_folder_that_another_server_takes_for_a_left_one_is_given_up(tmp_path, monkeypatch):
    lock, taken = upload_folder._lock, []

    def first_taken(file):
        if not taken:
            taken.append(Path(file.name).parent)
            return False
        return lock(file)

    monkeypatch.setattr(upload_folder, "_lock", first_taken)
    with own_upload_folder(str(tmp_path)) as folder:
        assert folder not in taken


def test_the_server_sweeps_while_it_runs(tmp_path):
    own = tmp_path / "own.jpg"
    own.touch()
    os.utime(own, (1000, 1000))

    async def served():
        async with asyncio.timeout(60), swept(tmp_path, 0, 900)(None):
            late = tmp_path / "late.jpg"
            late.touch()
            os.utime(late, (1000, 1000))
            while late.exists():
                await asyncio.sleep(0)

    run_apart(served())
    assert own.exists()
