"""The cases of `benchmarks.fuzz`: how one is run, and the process that runs them one after the other."""

import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz_archives import Archives
from benchmarks.fuzz_models import Models
from benchmarks.fuzz_photos import Photos
from benchmarks.fuzz_targets import Files, Recipes, Tables, Target
from isic_screen.errors import ScreenError

TARGETS: dict[str, type[Target]] = {
    "photos": Photos,
    "archives": Archives,
    "models": Models,
    "tables": Tables,
    "recipes": Recipes,
}
MESSAGE_LENGTH = 2000
"""A message for people; a file that is quoted whole in one is a finding."""
_START_SECONDS = 300  # torch is slow to import on a busy machine
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Outcome:
    """What became of a case. `finding` is empty when it was read, or `refused` with the name of our error."""

    number: int
    seconds: float
    refused: str = ""
    finding: str = ""
    detail: str = ""


def case_of(target: Target, kind: str, seed: int, number: int) -> Files:
    """The files of a case, the same on every machine with the same libraries."""
    return target.make(Random(f"{kind} {seed} {number}"))


def run_case(target: Target, files: Files, folder: Path, number: int = 0) -> Outcome:
    """Read a case. Warnings count as exceptions: on a server nobody sees them, on the command line they are noise."""
    started = time.perf_counter()
    refused = finding = detail = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            target.check(files, folder)
    except ScreenError as error:
        refused, finding = type(error).__name__, _fault_of_message(str(error))
        detail = f"{refused}: {str(error)[:300]!r}" if finding else ""
    except Exception as error:
        finding, detail = _place(error), "".join(traceback.format_exception(error)[-12:])[-4000:]
    return Outcome(number, time.perf_counter() - started, refused, finding, detail)


def _fault_of_message(message: str) -> str:
    if not message.strip():
        return "a message that says nothing"
    if len(message) > MESSAGE_LENGTH:
        return f"a message of over {MESSAGE_LENGTH} characters"
    if not all(sign.isprintable() or sign == "\n" for sign in message):
        return "a message with control characters, which a terminal obeys"
    return ""


def _place(error: BaseException) -> str:
    """The exception and the innermost line of ours that it went through, which tells findings apart."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{os.sep}isic_screen{os.sep}" in frame.filename] or frames
    last = ours[-1]
    return f"{type(error).__name__} through {Path(last.filename).name}, line {last.lineno} ({last.name})"


@contextmanager
def address_space(megabytes: int) -> Iterator[None]:
    """At most so much more than is taken now, so that a file that asks for all memory does not stop the machine."""
    statm = Path("/proc/self/statm")
    if not statm.exists():  # Linux alone tells
        yield
        return
    taken = int(statm.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    wanted = taken + megabytes * _MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (wanted if before[1] < 0 else min(wanted, before[1]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _most_taken() -> float:
    """The most memory this process ever had, in megabytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) / _MEGABYTE


def _work(connection: Connection, kind: str, seed: int, first: int, megabytes: int) -> None:
    """Run cases from `first` on until the other side goes away.

    Sends the files of each case, so that they are known if it ends the process, then (Outcome, megabytes more than at
    the start).
    """
    target = TARGETS[kind]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for files in target.seeds:
            outcome = run_case(target, files, folder)
            if outcome.refused or outcome.finding:
                raise SystemExit(f"A valid file of {kind} was not read: {outcome}")
        start = _most_taken()
        connection.send("ready")
        # Twice, so that what goes over the limit is measured, and not hidden by the error that memory is short.
        with address_space(2 * megabytes), suppress(BrokenPipeError, ConnectionResetError):
            for number in count(first):
                files = case_of(target, kind, seed, number)
                connection.send(files)
                with _silence():
                    outcome = run_case(target, files, folder, number)
                connection.send((outcome, _most_taken() - start))


@contextmanager
def _silence() -> Iterator[None]:
    """libtiff writes of every fault that it meets to standard error, past Python."""
    before = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nothing)


class Worker:
    """A process that runs the cases of one kind from one on."""

    def __init__(self, kind: str, seed: int, first: int, megabytes: int) -> None:
        context = get_context("spawn")
        self._connection, other = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_work, args=(other, kind, seed, first, megabytes), daemon=True
        )
        self._process.start()
        other.close()
        if not self._connection.poll(_START_SECONDS) or self._receive() != "ready":
            self.stop()
            raise SystemExit(f"The process for {kind} did not start; its trace is above.")

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, ConnectionResetError):
            return None

    def next_case(self, number: int, seconds: float) -> tuple[Files, Outcome, float]:
        """The files of the next case, `number`, what became of it, and the megabytes taken up to now.

        That the process hangs or dies of it is a finding; the worker has to be stopped then.
        """
        files = self._receive() or {}
        if not self._connection.poll(seconds):
            return files, Outcome(number, seconds, finding=f"took over {seconds:g} s"), 0.0
        received = self._receive()
        if received is None:
            self._process.join()
            died = f"the process died of it (exit code {self._process.exitcode})"
            return files, Outcome(number, 0.0, finding=died), 0.0
        outcome, megabytes = received
        return files, outcome, megabytes

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()
