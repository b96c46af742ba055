"""`train/run.py` in a process of its own: a fork of one that has the libraries loaded, as loading takes seconds."""

import multiprocessing
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import NamedTemporaryFile

import torch

from tests.conftest import ROOT
from train.run import main

LIMIT = 280.0
"""Seconds after which a training that should have ended has hung."""
_SERVER = multiprocessing.get_context("forkserver")
# It computes nothing, so that there are no threads which a fork would lose.
_SERVER.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Ended:
    """How a training ended: its exit status, or minus the number of the signal that ended it, and what it said."""

    status: int
    said: str


class Training:
    """One that goes on beside the test; its arguments are those of the command line."""

    def __init__(self, *arguments: object, largest_file: int | None = None) -> None:
        with NamedTemporaryFile(prefix="training-", suffix=".log", delete=False) as log:
            self.log = Path(log.name)
        words = tuple(map(str, arguments))
        self.process: BaseProcess = _SERVER.Process(target=_run, args=(words, self.log, largest_file), daemon=True)
        self.process.start()

    def wait_for(self, folder: Path, pattern: str) -> None:
        """Until a file is there, or the training has ended."""
        deadline = time.monotonic() + LIMIT
        while not list(folder.glob(pattern)) and self.process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)

    def sent(self, by: signal.Signals) -> Ended:
        """How it ends when it is sent a signal."""
        if self.process.is_alive():
            os.kill(self.process.pid or 0, by)
        return self.ended()

    def ended(self) -> Ended:
        self.process.join(LIMIT)
        if self.process.exitcode is None:
            self.process.kill()
            raise TimeoutError(f"a training hangs: {self.log.read_text()[-2000:]}")
        said = self.log.read_text()
        self.log.unlink()
        return Ended(self.process.exitcode, said)


def trained(*arguments: object, largest_file: int | None = None) -> Ended:
    """How a training ends. A file of more than `largest_file` bytes is an error to it, as on a disk that is full."""
    return Training(*arguments, largest_file=largest_file).ended()


def _run(arguments: tuple[str, ...], log: Path, largest_file: int | None) -> None:
    said = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(ROOT)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in a shell's background
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    torch.set_num_threads(1)  # batches this small are done sooner by one
    sys.argv = [str(ROOT / "train" / "run.py"), *arguments]
    raise SystemExit(main())
