"""The server that the load test loads: the real app in a process of its own, and what it takes of the machine."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from benchmarks.measure import ROOT

START_SECONDS, STOP_SECONDS, QUIET_SECONDS = 120, 60, 120
MEGABYTE = 2**20


class Server:
    """What `command` starts, as `python app.py`, on one port of 127.0.0.1, with all its temporary files in `folder`."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self.uploads, self.temporary, self.log = folder / "uploads", folder / "tmp", folder / "server.log"
        self.temporary.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.peak = 0.0
        self._command = command
        self._app: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the app and wait until it answers; RuntimeError, with what it printed, where it does not."""
        given = [*self._command, "--host", "127.0.0.1", "--port", str(self.port)]
        environment = {**os.environ, "GRADIO_TEMP_DIR": str(self.uploads), "TMPDIR": str(self.temporary)}
        with open(self.log, "ab") as output:
            self._app = subprocess.Popen(given, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment)
        deadline = time.monotonic() + START_SECONDS
        async with httpx.AsyncClient(base_url=self.address, timeout=5) as http:
            while time.monotonic() < deadline and self._app.poll() is None:
                try:
                    if (await http.get("/healthz")).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        raise RuntimeError(f"the app did not start:\n{self.log.read_text(errors='replace')}")

    def kill(self) -> None:
        """As when the machine is short of memory: at once, without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As Docker and systemd do it; killed where it does not end."""
        if self._app is None or self._app.poll() is not None:
            return
        try:
            self._end(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            self.kill()

    def _end(self, with_signal: signal.Signals) -> None:
        assert self._app is not None
        self._app.send_signal(with_signal)
        self._app.wait(STOP_SECONDS)

    def memory(self) -> float:
        """Megabytes that the process and its children hold, resident."""
        held = sum(process.memory_info().rss for process in self._processes()) / MEGABYTE
        self.peak = max(self.peak, held)
        return held

    def open_files(self) -> int:
        return sum(process.num_fds() for process in self._processes())

    def connections(self) -> int:
        """Of visitors, open now."""
        open_now = [c for process in self._processes() for c in process.net_connections("tcp")]
        return sum(c.status == psutil.CONN_ESTABLISHED and c.laddr.port == self.port for c in open_now)

    def _processes(self) -> list[psutil.Process]:
        assert self._app is not None
        app = psutil.Process(self._app.pid)
        return [app, *app.children(recursive=True)]

    async def quiet(self, seconds: float) -> None:
        """Wait until nobody has been connected, and the memory has stood still, for so long; QUIET_SECONDS at most."""
        deadline, since, held = time.monotonic() + QUIET_SECONDS, time.monotonic(), self.memory()
        while time.monotonic() < min(deadline, since + seconds):
            await asyncio.sleep(0.25)
            if self.connections() > 0 or abs(self.memory() - held) > 1:
                since, held = time.monotonic(), self.memory()

    def files(self) -> list[Path]:
        """All that lies in the folders of this server and of those before it on this port."""
        return [path for folder in (self.uploads, self.temporary) for path in folder.rglob("*")]

    def disk(self) -> float:
        """Megabytes of these files."""
        return sum(path.stat().st_size for path in self.files() if path.is_file()) / MEGABYTE

    def upload_folders(self) -> set[Path]:
        """One for each server that runs, or that left its own."""
        return set(self.uploads.glob("isic-screen-*")) if self.uploads.is_dir() else set()

    async def swept(self, own: set[Path], every: float, older: float) -> None:
        """Make all files but `own` look older than they may become, and wait for the server's own sweep of them.

        It comes `every` so many seconds, for what is `older` than so many; two of them are waited for at most.
        """
        deadline = time.monotonic() + 2 * every + 30
        while time.monotonic() < deadline and (left := set(self.files()) - own):
            long_ago = time.time() - older - 60
            for path in left:
                with suppress(FileNotFoundError):  # swept just now
                    os.utime(path, (long_ago, long_ago))
            await asyncio.sleep(1)
