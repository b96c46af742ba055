"""The folder of uploads: this process's own, unreadable for others, swept, and gone when the process ends."""

import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from anyio.to_thread import run_sync

from isic_screen.serving.repeated import repeated
from isic_screen.serving.settings import SettingsError

if sys.platform != "win32":
    import fcntl

_log = logging.getLogger(__name__)

_PREFIX = "isic-screen-"
_HELD = ".isic-screen-uploads"
"""A file in the folder, locked while its server lives. The system lifts the lock however the server ends."""


@contextmanager
def own_upload_folder(parent: str | None) -> Iterator[Path]:
    """A new folder inside `parent` (None: the system's for temporary files), for this process's user alone.

    Its random name is part of every upload's address. At the end it is deleted with all that is in it. A server that
    was killed could not do that: what it left in `parent` is deleted first. SettingsError where none can be made.
    """
    place = Path(parent or tempfile.gettempdir())
    try:
        place.mkdir(parents=True, exist_ok=True)
        delete_left(place)
        folder, held = _new_held(place)
    except OSError as error:
        raise SettingsError(
            f"No folder for uploads can be made in {place} ({error.strerror}): name another with GRADIO_TEMP_DIR."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        held.close()


def delete_left(place: Path) -> None:
    """Delete the folders of uploads in `place` whose server is no more. Not on Windows, which has no such locks."""
    for mark in place.glob(f"{_PREFIX}*/{_HELD}"):
        try:
            with open(mark, "r+b") as held:
                if _lock(held):
                    shutil.rmtree(mark.parent, ignore_errors=True)  # follows no links
        except OSError:  # another user's, or gone by now
            continue


def _new_held(place: Path) -> tuple[Path, BinaryIO]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place)).resolve()
        held = open(folder / _HELD, "xb")  # noqa: SIM115  # open, and so locked, as long as the server lives
        if sys.platform == "win32" or (_lock(held) and (folder / _HELD).exists()):
            return folder, held
        held.close()  # another server, which starts just now, took the new folder for one that was left


def _lock(file: BinaryIO) -> bool:
    """Lock a file for as long as it is open, unless another process has it."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def swept(folder: Path, every: float, older: float) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A server's lifespan that deletes files older than `older`, `every` so often, both in seconds.

    Gradio's own sweep would miss copies that it writes for MCP, what an upload left that was broken off, and folders;
    and it ends for good when a visitor names the folder of uploads as their photo. What is there at the start stays:
    it belongs to the page.
    """

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        keep = frozenset(folder.rglob("*"))

        async def sweep() -> None:
            await run_sync(delete_older, folder, time.time() - older, keep)

        async with repeated(sweep, every):
            yield

    return lifespan


def delete_older(folder: Path, than: float, keep: Collection[Path] = ()) -> None:
    """Delete what lies under `folder` and was last changed before `than` (seconds since the epoch), but for `keep`.

    A folder goes when it is empty: each upload has one, and they would fill a disk's list of files. What cannot be
    deleted is logged without its name, which is a visitor's.
    """
    for path, changed in _by_depth(folder):
        try:
            if path in keep or changed >= than:
                continue
            if not path.is_dir():
                path.unlink()
            elif not any(path.iterdir()):
                os.rmdir(path)
        except FileNotFoundError:  # somebody was faster
            continue
        except OSError as error:
            if not path.is_dir():  # else a photo came into the folder just now
                _log.error("An old upload cannot be deleted (%s); the next sweep tries again", error.strerror)


def _by_depth(folder: Path) -> list[tuple[Path, float]]:
    """What lies under a folder, the deepest first, and when each was last changed before anything is deleted."""
    found = []
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            found.append((path, path.lstat().st_mtime))
    return sorted(found, key=lambda entry: len(entry[0].parts), reverse=True)
