"""The folder of uploads: this process's own, unreadable for others, swept, and gone when the process ends."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync


@contextmanager
def own_upload_folder(parent: str | None) -> Iterator[Path]:
    """A new folder inside `parent` (None: the system's for temporary files), for this process's user alone.

    Its random name is part of every upload's address. At the end it is deleted with all that is in it.
    """
    if parent:
        Path(parent).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="isic-screen-", dir=parent or None)).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def swept(folder: Path, every: float, older: float) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A server's lifespan that deletes files older than `older`, `every` so often, both in seconds.

    Gradio deletes uploads itself, but not the copies that it writes for MCP. What is there at the start stays: it
    belongs to the page.
    """

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        keep = frozenset(path for path in folder.rglob("*") if path.is_file())

        async def sweep() -> None:
            while True:
                await asyncio.sleep(every)
                await run_sync(delete_older, folder, time.time() - older, keep)

        sweeping = asyncio.create_task(sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping

    return lifespan


def delete_older(folder: Path, than: float, keep: Collection[Path] = ()) -> None:
    """Delete the files under `folder` last written before `than` (seconds since the epoch), but for those to keep."""
    for path in folder.rglob("*"):
        try:
            if path.is_file() and path not in keep and path.stat().st_mtime < than:
                path.unlink()
        except FileNotFoundError:  # Gradio was faster
            continue
