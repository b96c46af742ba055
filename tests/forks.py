"""The project's programs in processes of their own: forks of one that has the libraries loaded, which takes seconds.

What each program says and does is that of its command, but for how it is started; for that, some test of each starts
it as a user does.
"""

import multiprocessing
import os
import resource
import runpy
import signal
import sys
import time
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

import torch

from tests.conftest import ROOT

PATIENCE = 280.0
"""Seconds after which a program that should have ended has hung."""
PROGRAMS = {"train/run.py": "train.run", "isic_screen": "isic_screen.__main__", "app.py": "app"}
# What the programs load when they need it.
_LATER = ["isic_screen.batch", "isic_screen.evaluation.model_evaluation", "isic_screen.ui.layout"]

_server = multiprocessing.get_context("forkserver")
# It computes nothing: threads of its own would be missing in the forks.
_server.set_forkserver_preload([__name__, *PROGRAMS.values(), *_LATER])


class Fork:
    """A program that goes on beside the test; `command` begins with one of `PROGRAMS`."""

    def __init__(
        self, *command: object, environment: Mapping[str, str] | None = None, largest_file: int | None = None
    ) -> None:
        self._folder = TemporaryDirectory(prefix="fork-")
        self._said = [Path(self._folder.name) / name for name in ("out", "err")]
        self._command = [str(word) for word in command]
        given = (self._command, self._said, dict(environment or {}), largest_file)
        self._process: BaseProcess = _server.Process(target=_run, args=given, daemon=True)
        self._process.start()

    def wait_for(self, folder: Path, pattern: str) -> None:
        """Until a file is there, or the program has ended."""
        deadline = time.monotonic() + PATIENCE
        while not list(folder.glob(pattern)) and self._process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)

    def sent(self, by: signal.Signals) -> "CompletedProcess[str]":
        """How it ends when it is sent a signal."""
        if self._process.is_alive():
            os.kill(self._process.pid or 0, by)
        return self.ended()

    def ended(self) -> "CompletedProcess[str]":
        """How it ends by itself."""
        self._process.join(PATIENCE)
        status = self._process.exitcode
        if status is None:
            self._process.kill()
        out, err = (path.read_text(encoding="utf-8") if path.exists() else "" for path in self._said)
        self._folder.cleanup()
        if status is None:
            raise TimeoutError(f"{self._command} hangs: {err[-2000:]}")
        return CompletedProcess(self._command, status, out, err)


def run(
    *command: object, environment: Mapping[str, str] | None = None, largest_file: int | None = None
) -> "CompletedProcess[str]":
    """How a program ends. A file of more than `largest_file` bytes is an error to it, as on a disk that is full."""
    return Fork(*command, environment=environment, largest_file=largest_file).ended()


def _run(command: list[str], said: list[Path], environment: dict[str, str], largest_file: int | None) -> None:
    for stream, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND), stream)
    os.chdir(ROOT)
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in a shell's background
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    torch.set_num_threads(1)  # for small photos and batches one is faster, and as many as the tests' own process has
    program, *sys.argv[1:] = command
    sys.argv[0] = str(ROOT / program)
    if program.endswith(".py"):
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
