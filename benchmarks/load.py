"""Whether the page survives: many visitors at once, hostile files, broken lines, a full queue, and a kill under load.

    python -m benchmarks.load [--clients 50] [--requests 2000] [--photos DIR] [--seed N] [--no-sweep]

Starts the real app, asks it for every file alone, then lets the visitors send a seeded mix of requests, each held
against the answer alone. After a quarter of the requests the server is killed (SIGKILL) and started again on its port;
visitors who were cut off ask again. Between half of the requests, when that server is warm, and the end, memory may
grow by GROWTH_LIMIT at most. At last the uploads are made to look old and the server's own sweep, which comes every
five minutes, must clear them away. Traffic goes to 127.0.0.1 alone. Exit status 1 where anything was wrong. Writes
benchmarks/results/load.json and the table in docs/serving.md.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks import load_files
from benchmarks.load_report import write_document
from benchmarks.load_requests import MIX, TOLERANCE, Known, WrongError, faults_of, learn
from benchmarks.load_server import Server
from benchmarks.load_visitor import CutOffError, UnclearError, Visitor
from benchmarks.measure import ROOT, write_result
from isic_screen.serving.sessions import EMPTY_SECONDS
from isic_screen.ui.layout import DELETE_CACHE

GROWTH_LIMIT = 0.10
"""Share of the warm server's memory by which it may have grown at the end."""
GROWTH_JUDGED_FROM = 500
"""Requests; after fewer, a server is not warm by half of them."""
TRIES = 20
"""How often a request is made anew that a kill cut off."""
PHOTOS = 40
SETTLING = 2 * EMPTY_SECONDS + 1
"""Seconds of quiet before memory is read: the server forgets, and gives memory back, every EMPTY_SECONDS."""


@dataclass
class Tally:
    """What happened, so far."""

    done: Counter[str] = field(default_factory=Counter)
    """Requests by kind."""
    seconds: list[float] = field(default_factory=list)
    """From the choice of a good photo to its answer, uploads and waiting included."""
    cut_off: int = 0
    kills: int = 0
    http_requests: int = 0
    findings: list[str] = field(default_factory=list)
    wrong: int = 0


class Run:
    """One load test: a server, what it is known to answer, and the visitors."""

    def __init__(self, server: Server, known: Known, seed: int) -> None:
        self.server, self.known, self.tally = server, known, Tally()
        self.own = set(server.files())
        """What lies in the server's folders before anybody has sent anything."""
        self._seed, self._numbers = seed, iter(range(10**9))
        self._life = 0  # of the server: another one after each kill
        self._up = asyncio.Event()
        self._up.set()

    async def part(self, clients: int, requests: int, kill_after: int | None = None) -> None:
        """Let `clients` make `requests` in all, and kill the server under them after some."""
        last = self.tally.done.total() + requests
        waiting = iter([(next(self._numbers), kind) for kind in self._mixed(requests)])
        async with asyncio.TaskGroup() as group:
            watching = asyncio.create_task(self._watch_memory())
            visitors = [group.create_task(self._visitor(waiting)) for _ in range(clients)]
            if kill_after is not None:
                while self.tally.done.total() < last - requests + kill_after:
                    await asyncio.sleep(0.01)
                await self._kill_and_restart()
            await asyncio.wait(visitors)
            watching.cancel()

    def _mixed(self, requests: int) -> list[str]:
        """The kinds of so many requests: each at least once, and by their shares, in an order that the seed gives."""
        counts = {kind: max(1, round(requests * share / 100)) for kind, (_, share) in MIX.items()}
        commonest = max(counts, key=lambda kind: counts[kind])
        counts[commonest] += requests - sum(counts.values())
        kinds = list(Counter(counts).elements())
        random.Random(f"{self._seed} {self.tally.done.total()}").shuffle(kinds)
        return kinds

    async def _visitor(self, waiting: Iterator[tuple[int, str]]) -> None:
        for number, kind in waiting:
            await self._request(kind, number)
            self.tally.done[kind] += 1

    async def _request(self, kind: str, number: int) -> None:
        for attempt in range(TRIES):
            await self._up.wait()
            life, started, visitor = self._life, time.monotonic(), Visitor(self.server.address)
            try:
                await MIX[kind][0](visitor, self.known, random.Random(f"{self._seed} {number} {attempt}"))
            except WrongError as wrong:
                self.tally.wrong += 1
                self.tally.findings.append(f"wrong answer, {kind}: {wrong}")
            except (UnclearError, CutOffError, httpx.TransportError, httpx.TimeoutException) as fault:
                if self._life != life:  # the server that was asked is no more
                    self.tally.cut_off += 1
                    continue
                self.tally.findings.append(f"{kind}: {type(fault).__name__}: {fault}")
            finally:
                self.tally.http_requests += visitor.asked
                await visitor.close()
            if kind == "good photo":
                self.tally.seconds.append(time.monotonic() - started)
            return
        self.tally.findings.append(f"{kind}: cut off {TRIES} times, though the server was killed {self.tally.kills}")

    async def _kill_and_restart(self) -> None:
        left = self.server.upload_folders()
        self._up.clear()
        self._life += 1
        self.tally.kills += 1
        self.server.kill()
        await self.server.start()
        if left & self.server.upload_folders():
            self.tally.findings.append("the killed server's uploads are still there after a restart")
        self.own = set(self.server.files())
        await self.spied_on()
        self._up.set()

    async def spied_on(self) -> None:
        """The photo of a visitor whom others try to spy on."""
        visitor = Visitor(self.server.address)
        await visitor.upload("secret.jpg", self.known.secret.content)
        await visitor.close()

    async def _watch_memory(self) -> None:
        while True:
            if self._up.is_set():
                self.server.memory()
            await asyncio.sleep(0.5)


async def load(
    folder: Path,
    clients: int,
    requests: int,
    photos: list[load_files.File],
    seed: int,
    sweep: bool = True,
    command: Sequence[str] = (sys.executable, "app.py"),
    kill: bool = True,
) -> dict[str, Any]:
    """Run the whole test with its files in `folder`; what is to be told of it. `findings` holds all that was wrong.

    `command` starts the server, and takes app.py's options. `sweep`: wait for the server's own sweep of old uploads.
    """
    server = Server(folder, command)
    try:
        await server.start()
        return await _loaded(server, clients, requests, photos, seed, sweep, kill)
    finally:
        server.stop()


async def _loaded(
    server: Server, clients: int, requests: int, photos: list[load_files.File], seed: int, sweep: bool, kill: bool
) -> dict[str, Any]:
    settling = SETTLING if requests >= GROWTH_JUDGED_FROM else 1
    first = Visitor(server.address)
    known = await learn(first, photos, load_files.hostile(photos[0].content), load_files.drawn(10**6))
    await first.close()
    run = Run(server, known, seed)
    run.tally.findings += faults_of(known)
    await run.spied_on()
    await server.quiet(settling)
    alone = server.memory()

    began = time.monotonic()
    half = requests // 2
    await run.part(clients, half, kill_after=half // 2 if kill else None)
    halfway = time.monotonic() - began
    await server.quiet(settling)
    warm, open_warm = server.memory(), server.open_files()
    began = time.monotonic()
    await run.part(clients, requests - half)
    seconds = halfway + time.monotonic() - began
    await server.quiet(settling)
    after, open_after = server.memory(), server.open_files()
    growth = after / warm - 1
    tally = run.tally
    if requests >= GROWTH_JUDGED_FROM and growth > GROWTH_LIMIT:
        tally.findings.append(f"memory grew by {growth:.0%}, from {warm:.0f} to {after:.0f} MB")
    if open_after > open_warm + clients:
        tally.findings.append(f"files left open: {open_warm} before, {open_after} after")

    disk = {"after the last request": round(server.disk(), 1)}
    if sweep:
        await server.swept(run.own, *DELETE_CACHE)
        left = set(server.files()) - run.own
        disk["after the server's own sweep"] = round(server.disk(), 1)
        disk["files and folders left by the sweep"] = len(left)
        if left:
            tally.findings.append(f"the sweep left {len(left)} files or folders, such as {min(left).name}")
    server.stop()
    left = {path for path in server.files() if path.is_file()} | server.upload_folders()
    disk["files and folders left when it stopped"] = len(left)
    if left:
        tally.findings.append(f"the stopped server left {len(left)} files or folders, such as {min(left).name}")
    if "shutdown failed" in server.log.read_text(errors="replace"):
        tally.findings.append("the server did not stop in good order")

    done = dict(tally.done)
    return {
        "clients": clients,
        "requests": tally.done.total(),
        "seed": seed,
        "photos": len(photos),
        "cores": os.cpu_count(),
        "seconds": round(seconds, 1),
        "requests_per_second": round(requests / seconds, 2),
        "http_requests": tally.http_requests,
        "seconds_to_an_answer": {
            "median": round(statistics.median(tally.seconds), 2),
            "95 %": round(statistics.quantiles(tally.seconds, n=20)[-1], 2),
        },
        "requests_by_kind": done,
        "faults_injected": {
            "hostile files": done.get("hostile file", 0) + done.get("batch with a ZIP", 0),
            "cancelled uploads": done.get("cancelled upload", 0),
            "dropped answers": done.get("dropped answer", 0),
            "slow clients": done.get("slow client", 0),
            "attempts on others' files": done.get("trespass", 0),
            "kills": tally.kills,
            "requests cut off by a kill and made again": tally.cut_off,
        },
        "queue_full_sentences": known.busy,
        "answers_compared": known.compared,
        "tolerance": TOLERANCE,
        "wrong_answers": tally.wrong,
        "memory_mb": {
            "alone": round(alone),
            "warm, after half of the requests": round(warm),
            "after all requests": round(after),
            "peak": round(server.peak),
            "growth": round(growth, 3),
            "limit": GROWTH_LIMIT,
        },
        "open_files": {"warm": open_warm, "after": open_after},
        "disk_mb": disk,
        "findings": tally.findings,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument(
        "--photos", type=Path, default=ROOT.parent / "shared" / "data", help="the folder of the sources"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-sweep", dest="sweep", action="store_false", help="do not wait for the sweep")
    parser.add_argument("--no-result", dest="result", action="store_false", help="print only")
    given = parser.parse_args(arguments)
    photos = load_files.photos(given.photos, PHOTOS)
    with tempfile.TemporaryDirectory(prefix="isic-screen-load-") as folder:
        result = asyncio.run(load(Path(folder), given.clients, given.requests, photos, given.seed, given.sweep))
        if result["findings"]:
            print(Path(folder, "server.log").read_text(errors="replace")[-4000:], file=sys.stderr)
    if given.result:
        write_result("load", result)
        write_document(result)
    else:
        print(json.dumps(result, indent=1))
    for kind, same in Counter(finding[:300] for finding in result["findings"]).most_common():
        print(f"{same} x {kind}", file=sys.stderr)
    return 1 if result["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
