"""What the server remembers of its visitors, forgotten when they have gone.

Gradio keeps a copy of the page's settings for every visitor, and makes a visitor of each call of its API; it forgets
none before there are thousands, which is some 300 kB for each photo that a program sends. What a visitor screened, it
keeps for an hour after the page was closed.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from anyio.to_thread import run_sync

from isic_screen.serving.memory import give_back
from isic_screen.serving.repeated import repeated

EMPTY_SECONDS = 5.0
"""How long a session is kept that holds nothing of its visitor's, as those of the API."""
MOST_SESSIONS = 500
"""Who comes when so many hold a photo takes the place of the one longest unused; a photo has a few megabytes."""


def forgetting(gone_seconds: float) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A server's lifespan that forgets who is gone; `gone_seconds` after they were last heard of."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        sessions = Sessions(app, gone_seconds)

        async def forget() -> None:
            sessions.forget(datetime.now())
            await run_sync(give_back)

        async with repeated(forget, EMPTY_SECONDS):
            yield

    return lifespan


class Sessions:
    """The sessions of a Gradio app. To be used in the thread of its event loop, where Gradio uses them too."""

    def __init__(self, app: Any, gone_seconds: float) -> None:
        self._app, self._gone = app, timedelta(seconds=gone_seconds)
        self._unread: dict[str, datetime] = {}

    def forget(self, now: datetime) -> None:
        """Forget sessions that hold nothing, those whose page was closed, and answers that nobody comes for."""
        holder = self._app.state_holder
        for session, state in list(holder.session_data.items()):
            unused = now - holder.time_last_used.get(session, now)
            empty = not state.state_data and unused >= timedelta(seconds=EMPTY_SECONDS)
            if empty or (state.is_closed and unused >= self._gone):
                holder.session_data.pop(session, None)
                holder.time_last_used.pop(session, None)
        for files in self._app.get_blocks().temp_file_sets:  # names of uploads, for Gradio's own sweep: not used here
            files.clear()
        self._forget_answers(now)

    def _forget_answers(self, now: datetime) -> None:
        queue = self._app.get_blocks()._queue
        unread = {}
        for session, events in list(queue.pending_event_ids_session.items()):
            if session in self._app.state_holder or any(event in queue.event_ids_to_events for event in events):
                continue
            since = unread[session] = self._unread.get(session, now)
            if not events or now - since >= self._gone:
                queue.pending_event_ids_session.pop(session, None)
                queue.pending_messages_per_session.pop(session, None)
                del unread[session]
        self._unread = unread
