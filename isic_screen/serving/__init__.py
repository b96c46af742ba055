"""How the page is served: its settings, its login, the headers of its answers, the folder of its uploads, and
what it remembers of its visitors.

Knows nothing of Gradio's Python; app.py hands what is made here to `launch`.
"""

import gc
import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.middleware import Middleware
from starlette.routing import Route

from isic_screen.artifact import ModelFacts
from isic_screen.serving.guard import Guard, Health, malformed
from isic_screen.serving.memory import share_arenas
from isic_screen.serving.sessions import MOST_SESSIONS, forgetting
from isic_screen.serving.settings import Login, Settings, check_address, prepare, read_settings
from isic_screen.serving.tools import answer_in_json
from isic_screen.serving.upload_folder import own_upload_folder, swept

__all__ = [
    "MOST_SESSIONS",
    "Guard",
    "Health",
    "Login",
    "Settings",
    "announce",
    "around",
    "check_address",
    "cleaning",
    "forgetting",
    "own_upload_folder",
    "prepare",
    "read_settings",
    "silence",
    "swept",
]


def around(uploads: Path, facts: ModelFacts, every: float, older: float) -> dict[str, Any]:
    """What Gradio is to put around its app, as FastAPI's options; `every` and `older` as in `cleaning`."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        if (tools := app.get_blocks().mcp_server_obj) is not None:
            answer_in_json(tools)
        async with cleaning(uploads, every, older)(app):
            yield

    return {
        "lifespan": lifespan,
        "middleware": [Middleware(Guard)],
        "exception_handlers": {RequestValidationError: malformed},
        "routes": [Route("/healthz", Health(facts.name, facts.version))],
    }


def silence() -> AbstractContextManager[Any]:
    """For Gradio's start: it announces its MCP server however quiet it is to be, and at an address without the root
    path."""
    return redirect_stdout(io.StringIO())


def announce(address: str, facts: ModelFacts) -> None:
    """The page is up: tell where, and which model answers."""
    # What is there by now stays. To look through it again and again would stop everybody for half a second.
    gc.collect()
    gc.freeze()
    print(f"Page:  {address}")
    print(f"Model: {facts.name} {facts.version}", flush=True)


def cleaning(uploads: Path, every: float, older: float) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The server's lifespan: its folder is swept, and who is gone for `older` seconds is forgotten."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        share_arenas()
        async with swept(uploads, every, older)(app), forgetting(older)(app):
            yield

    return lifespan
