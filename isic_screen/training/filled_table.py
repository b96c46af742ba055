"""Tables on disk that are filled from photos, by one process or several, and go on where a killed run stopped."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from isic_screen.errors import PhotoError
from isic_screen.processes import Processes
from isic_screen.progress import Bar
from isic_screen.whole_file import whole_file

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")

_FEW = 2000  # photos that are done before a progress bar would be looked at


@dataclass(frozen=True)
class FilledTable:
    """`values` has a row for each photo and is memory-mapped; `unreadable` says why rows have none (they hold 0)."""

    values: NDArray[Any]
    unreadable: dict[int, str]


def filled_table(
    file: Path,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    read: Callable[[list[int]], Iterator[tuple[int, T | PhotoError]]],
    store: Callable[[NDArray[Any], dict[int, T]], None],
    *,
    block: int,
    what: str,
    processes: Processes,
) -> FilledTable:
    """The table in `file`, filled first when it is not there yet.

    `read` takes rows and yields (place among them, what was read) in order; `store` puts {row: what was read}, of at
    most `block` rows, into the table. `what` is the name of the progress bar. After every block the state is saved, and
    a table is given its name when it is whole. Another run that fills the same table waits for this one. The space is
    taken before the work, so a disk that is too full is an OSError at once.
    """
    state_file = file.with_suffix(".json")
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked(file.with_suffix(".lock")) if processes.main else nullcontext():
        if not processes.from_main(file.is_file()):
            _fill(file, state_file, shape, dtype, read, store, block=block, what=what, processes=processes)
            processes.wait()
    unreadable = json.loads(state_file.read_text())["unreadable"]
    return FilledTable(np.load(file, mmap_mode="r"), {int(row): reason for row, reason in unreadable.items()})


def _fill(
    file: Path,
    state_file: Path,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    read: Callable[[list[int]], Iterator[tuple[int, T | PhotoError]]],
    store: Callable[[NDArray[Any], dict[int, T]], None],
    *,
    block: int,
    what: str,
    processes: Processes,
) -> None:
    unfinished = file.with_name(f"{file.stem}.partial.npy")
    state: dict[str, Any] = {"done": 0, "unreadable": {}}
    if processes.main:
        if unfinished.is_file() and state_file.is_file():
            state = json.loads(state_file.read_text())
        else:
            state_file.unlink(missing_ok=True)  # of a table that is gone: after a kill it would call the new one filled
            _make(unfinished, shape, dtype)
            _save(state_file, state)
    # Also waits until the table is there, of which every process fills its rows.
    state = processes.from_main(state)
    table = np.lib.format.open_memmap(unfinished, mode="r+")
    done, unreadable, total = state["done"], state["unreadable"], shape[0]
    rounds = [
        range(min(first + processes.index * block, total), min(first + (processes.index + 1) * block, total))
        for first in range(done, total, processes.count * block)
    ]
    mine = [row for rows in rounds for row in rows]
    found = read(mine)
    quiet = total < _FEW or not processes.main
    with Bar(desc=what, unit="image", initial=done, total=total, disable=quiet) as progress:
        for rows in rounds:
            waiting: dict[int, T] = {}
            failed: list[tuple[str, str]] = []
            for place, result in islice(found, len(rows)):
                if isinstance(result, PhotoError):
                    failed.append((str(mine[place]), str(result)))
                else:
                    waiting[mine[place]] = result
            store(table, waiting)
            table.flush()
            unreadable.update(processes.gather_rows(failed))  # and all have written their rows
            done = min(total, done + processes.count * block)
            if processes.main:
                _save(state_file, {"done": done, "unreadable": unreadable})
            progress.update(done - progress.n)
    del table
    if processes.main:
        os.replace(unfinished, file)


def _make(file: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """A table of zeros, whose space is taken: writing to a map on a full disk would end the process, without a word."""
    try:
        np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=shape)
        if hasattr(os, "posix_fallocate"):  # not on macOS and Windows
            with open(file, "r+b") as opened:
                os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(file)) from error


def _save(file: Path, state: dict[str, Any]) -> None:
    with whole_file(file) as unfinished:
        unfinished.write_text(json.dumps(state))


@contextmanager
def locked(place: Path, *, wait: bool = True) -> Iterator[bool]:
    """Whether no other run holds `place`, which is held until the block ends; without `wait`, only if it is free now.

    A folder, or a file that is made when it is not there. A lock goes with its process, however that ends.
    """
    if sys.platform == "win32":
        yield True
        return
    lock = os.open(place, os.O_RDONLY if place.is_dir() else os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)
