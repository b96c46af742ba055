"""Reading many photos at once: in order, in bounded memory, and past the ones that cannot be read."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from PIL import Image

from isic_screen.errors import DataError, PhotoError
from isic_screen.photo import open_photo
from isic_screen.processes import ALONE, Processes

if TYPE_CHECKING:  # screening needs no tables, and pandas takes a quarter of a second to import
    import pandas as pd

S = TypeVar("S")
T = TypeVar("T")

LOOK_AHEAD = 4  # items in flight per worker: enough to keep all busy, few enough that results wait in bounded memory


def in_order(
    work: Callable[[S], T], items: Iterable[S], workers: int, *, set_up: Callable[[], object] | None = None
) -> Iterator[T]:
    """``work`` of each item, done by threads, in the order of ``items``; ``set_up`` runs first in each thread.

    At most ``LOOK_AHEAD * workers`` results wait; when the caller stops early, what has not begun is dropped.
    """
    workers = max(1, workers)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="photos", initializer=set_up)
    waiting: deque[Future[T]] = deque()
    try:
        for item in items:
            if len(waiting) >= LOOK_AHEAD * workers:
                yield waiting.popleft().result()
            waiting.append(pool.submit(work, item))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def read_photo(path: str) -> Image.Image | PhotoError:
    """The photo, or why it cannot be read."""
    try:
        return open_photo(path)
    except PhotoError as error:
        return error


def read_photos(
    paths: Sequence[str], prepare: Callable[[Image.Image], T], workers: int
) -> Iterator[tuple[int, T | PhotoError]]:
    """Opens each photo, calls ``prepare`` on it, and yields ``(index, result)`` in the order of ``paths``.

    A photo that cannot be read yields its ``PhotoError`` instead. Threads serve, since Pillow decodes and resizes
    without Python's lock; ``prepare`` runs in them and should return something small, such as the resized photo.
    """

    def read(numbered: tuple[int, str]) -> tuple[int, T | PhotoError]:
        index, path = numbered
        try:
            return index, prepare(open_photo(path))
        except PhotoError as error:
            return index, error

    return in_order(read, enumerate(paths), workers)


def find_unreadable(
    rows: "pd.DataFrame", workers: int, processes: Processes = ALONE
) -> tuple["pd.DataFrame", list[tuple[str, str]]]:
    """The ``rows`` (column ``path``) whose photos can be read, and ``(path, reason)`` of the others.

    Decodes every photo: training gets the same from its first pass through ``read_photos`` and need not decode twice.
    Raises ``DataError`` when none can be read.
    """
    paths = rows["path"].tolist()
    own = processes.share(len(paths))
    failures = [
        (own.start + index, str(result))
        for index, result in read_photos(paths[own], lambda photo: None, workers)
        if isinstance(result, PhotoError)
    ]
    failed = dict(processes.gather_rows(failures))
    if paths and len(failed) == len(paths):
        raise DataError(f"None of the {len(paths):,} photos can be read; the first: {failed[0]}")
    good = [index for index in range(len(paths)) if index not in failed]
    return rows.iloc[good], [(paths[index], reason) for index, reason in failed.items()]
