"""Work that a server does again and again while it runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

_log = logging.getLogger(__name__)


@asynccontextmanager
async def repeated(work: Callable[[], Awaitable[object]], every: float) -> AsyncIterator[None]:
    """Do `work` `every` so many seconds until the block ends. When it fails that is logged, and its next time comes."""

    async def go_on() -> None:
        while True:
            await asyncio.sleep(every)
            try:
                await work()
            except Exception:
                _log.exception("%s failed", work.__qualname__)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
