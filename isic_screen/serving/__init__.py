"""How the page is served: its settings, its login, the headers of its answers, the folder of its uploads, and
what it remembers of its visitors.

Knows nothing of Gradio's Python; app.py hands what is made here to `launch`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from isic_screen.serving.guard import Guard, Health
from isic_screen.serving.memory import share_arenas
from isic_screen.serving.sessions import MOST_SESSIONS, forgetting
from isic_screen.serving.settings import Login, Settings, check_address, prepare, read_settings
from isic_screen.serving.upload_folder import own_upload_folder, swept

__all__ = [
    "MOST_SESSIONS",
    "Guard",
    "Health",
    "Login",
    "Settings",
    "check_address",
    "cleaning",
    "forgetting",
    "own_upload_folder",
    "prepare",
    "read_settings",
    "swept",
]


def cleaning(uploads: Path, every: float, older: float) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The server's lifespan: its folder is swept, and who is gone for `older` seconds is forgotten."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        share_arenas()
        async with swept(uploads, every, older)(app), forgetting(older)(app):
            yield

    return lifespan
