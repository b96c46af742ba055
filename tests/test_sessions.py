"""What the server remembers of visitors who are gone, and the memory that comes of it."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import gradio as gr
import httpx
import pytest

from isic_screen.serving import cleaning
from isic_screen.serving.sessions import EMPTY_SECONDS, Sessions
from tests.by_hand import Visitor
from tests.conftest import ROOT

GONE = 900
SOON, LATER = timedelta(seconds=EMPTY_SECONDS + 1), timedelta(seconds=GONE + 1)

# Gradio leaves event loops open when it builds a page in the process of the test.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


class Page:
    """A page with an event that keeps what was sent, one that keeps nothing, and one that waits to be released."""

    def __init__(self) -> None:
        self.release, self.waits = threading.Event(), threading.Event()

        def wait() -> str:
            self.waits.set()
            self.release.wait(60)
            return "done"

        with gr.Blocks(analytics_enabled=False) as self.blocks:
            case, text = gr.State(None), gr.Textbox()
            gr.Button().click(lambda sent: sent, text, case, api_name="keep")
            gr.Button().click(lambda sent: sent, text, text, api_name="echo")
            gr.Button().click(wait, None, text, api_name="wait")
        self.app, self.address, _ = self.blocks.queue().launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
        self.address = self.address.rstrip("/")
        self.sessions = Sessions(self.app, GONE)

    def forget(self, after: timedelta) -> None:
        """In the thread of the server's loop, as the server does it."""
        self.sessions.forget(datetime.now() + after)

    @property
    def held(self) -> dict:
        return self.app.state_holder.session_data

    @property
    def answers(self) -> tuple[dict, dict]:
        queue = self.blocks._queue
        return queue.pending_event_ids_session, queue.pending_messages_per_session


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))  # as app.py does
    page = Page()
    yield page
    page.release.set()
    page.blocks.close()
    gc.collect()  # what Gradio leaves open is told here, and not in whichever test comes next


def ask(page: Page, name: str, *data: str) -> str:
    answer = httpx.post(f"{page.address}/gradio_api/call/{name}", json={"data": list(data)})
    return answer.json()["event_id"]


def answer(page: Page, name: str, event: str) -> str:
    return httpx.get(f"{page.address}/gradio_api/call/{name}/{event}", timeout=60).text


def keep(page: Page) -> str:
    """The session of a visitor who has a case."""
    visitor = Visitor(page.address)
    try:
        visitor.join({"data": ["a case", None], "fn_index": 0}).raise_for_status()
        assert json.loads(visitor.completed().removeprefix("data:"))["success"]
    finally:
        visitor.close()
    return visitor.session


def test_calls_of_the_api_are_forgotten_when_they_are_answered(page):
    for number in range(3):
        assert str(number) in answer(page, "echo", ask(page, "echo", str(number)))
    assert len(page.held) == 3
    page.forget(timedelta())
    assert len(page.held) == 3  # somebody may be in the middle of something
    page.forget(SOON)
    assert page.held == page.app.state_holder.time_last_used == {}
    assert page.answers == ({}, {})


def test_a_visitors_case_is_kept_until_they_are_gone(page):
    session = keep(page)
    page.forget(LATER)
    assert session in page.held
    page.held[session].is_closed = True  # as Gradio does when the page's connection ends
    page.forget(SOON)
    assert session in page.held
    page.forget(LATER)
    assert session not in page.held


def test_an_answer_that_nobody_comes_for_is_forgotten(page):
    event = ask(page, "echo", "hello")
    deadline = time.monotonic() + 60
    while event in page.blocks._queue.event_ids_to_events:  # until it is answered
        assert time.monotonic() < deadline
    page.forget(SOON)
    page.forget(SOON)
    assert "hello" in answer(page, "echo", event)  # late, but not too late

    event = ask(page, "echo", "hello")
    while event in page.blocks._queue.event_ids_to_events:
        assert time.monotonic() < deadline
    page.forget(SOON)
    page.forget(SOON + LATER)
    assert page.answers == ({}, {})


def test_who_waits_is_not_forgotten(page):
    running = ask(page, "wait")
    assert page.waits.wait(60)
    waiting = ask(page, "wait")
    page.forget(SOON)
    page.forget(SOON + LATER)
    page.release.set()
    for event in (running, waiting):
        assert "done" in answer(page, "wait", event)


def test_the_server_sweeps_forgets_and_shares_its_memory_while_it_runs(tmp_path, monkeypatch):
    forgotten, shared = asyncio.Event(), []
    monkeypatch.setattr("isic_screen.serving.share_arenas", lambda: shared.append(True))
    monkeypatch.setattr("isic_screen.serving.sessions.EMPTY_SECONDS", 0)
    monkeypatch.setattr(Sessions, "forget", lambda self, now: forgotten.set())

    async def served():
        async with asyncio.timeout(60), cleaning(tmp_path, 0, GONE)(None):
            late = tmp_path / "late.jpg"
            late.touch()
            os.utime(late, (1000, 1000))
            while late.exists():
                await asyncio.sleep(0)
            await forgotten.wait()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, served()).result()
    assert shared == [True]


HELD_AND_FREED = """
import os
from pathlib import Path
from isic_screen.serving.memory import give_back, share_arenas

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20

share_arenas()
photos = [bytes(100_000) for _ in range(2000)]
last = bytes(100_000)  # above all the others, so that C's own free() gives none of them back
del photos
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other C libraries give memory back by themselves")
def test_freed_memory_goes_back_to_the_system():
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": str(2**30)}
    done = subprocess.run(
        [sys.executable, "-c", HELD_AND_FREED], cwd=ROOT, capture_output=True, text=True, env=environment, check=True
    )
    assert int(done.stdout) > 100  # of 200 megabytes
