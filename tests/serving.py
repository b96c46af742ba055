"""The real app in a process of its own, for tests that talk to it, and asynchronous work of theirs."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.conftest import ROOT

START_SECONDS = 120

T = TypeVar("T")


@contextmanager
def running_app(log: Path, *arguments: str, port: int | None = None) -> Iterator[str]:
    """The address of `python app.py` on a port, by default a free one; its output goes to `log`."""
    if port is None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port", str(port), *arguments]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(log.parent / "uploads")}
    with open(log, "w") as output:
        app = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait_for(address, app, log)
            yield address
        finally:
            app.terminate()
            app.wait(30)


def run_apart(coroutine: Coroutine[None, None, T]) -> T:
    """What it returns, from a thread of its own: Playwright keeps a loop running in that of the tests, where browser
    tests came before."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def _wait_for(address: str, app: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if app.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the app did not start:\n{log.read_text()}")
