"""What tests/test_processes.py has done by two processes: `python -m tests.last_threads OUT`.

Each takes one step of training, and leaves the names of the threads that it ends with in OUT/INDEX.
"""

import atexit
import os
import sys
from pathlib import Path

import torch
from torch import nn

from isic_screen.processes import launched  # and no more: others import what the group of processes must not find


def leave_threads(file: Path) -> None:
    threads = Path("/proc/self/task").iterdir()
    file.write_text("\n".join((thread / "comm").read_text().strip() for thread in threads))


def main() -> None:
    # Python ends what was registered last first: these are the threads after all others have tidied up.
    atexit.register(leave_threads, Path(sys.argv[1], os.environ["RANK"]))
    module = launched().parallel(nn.Linear(5, 1))
    module(torch.randn(8, 5)).mean().backward()
    cycle: list[object] = [module]  # as objects of a training keep one another
    cycle.append(cycle)


if __name__ == "__main__":
    main()
