"""Many photo files through one screener: threads that decode and compute side by side, results in order."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image

from isic_screen.data.images import in_order, read_photo
from isic_screen.errors import PhotoError, ScreenError
from isic_screen.files import PassedOver, look_through
from isic_screen.processes import Processes
from isic_screen.screener import Screening

_BATCH = 4  # photos that one thread puts through the network at a time
_BLOCK = 8 * _BATCH  # photos after which several processes exchange what they found


class ScreensPhotos(Protocol):
    """A Screener or an Ensemble: RGB photos in, a Screening each out, in order."""

    def screen_many(self, photos: Sequence[Image.Image]) -> list[Screening]: ...


def find_photos(paths: Sequence[Path]) -> tuple[list[tuple[str, Path]], PassedOver]:
    """(name, path) of every photo in files and folders, sorted by name, and what is passed over in the folders.

    A file's name is the path as given; a photo found in a folder is named relative to that folder, or as a path from
    where the command runs when two would have one name. What counts as a photo there: files.py. What cannot be read, be
    it a file or a folder, is listed as well, so that reading it says so in its row. Raises ScreenError for a folder
    without photos.
    """
    found, passed_over = [], PassedOver()
    for path in paths:
        if not _is_folder(path):
            found.append((str(path), path))
            continue
        contents = look_through(path)
        inside = [path / file for file in contents.files] + contents.closed
        if not inside:
            over = f"; passed over: {contents.passed_over}" if contents.passed_over else ""
            raise ScreenError(f"There is no photo in the folder {path}{over}.")
        found += [(file.relative_to(path).as_posix(), file) for file in inside]
        passed_over.add(contents.passed_over)
    files_of: dict[str, set[Path]] = {}
    for name, file in found:
        files_of.setdefault(name, set()).add(file)
    return sorted((name if len(files_of[name]) == 1 else str(file), file) for name, file in found), passed_over


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # it may not be looked at, or its name is too long: to be told in its row
        return False


def screen_files(
    screener: ScreensPhotos, paths: Sequence[Path | str], *, workers: int = 2, batch_size: int = _BATCH
) -> Iterator[Screening | PhotoError]:
    """A Screening or the PhotoError of each file, in order.

    Each of `workers` threads reads `batch_size` photos and puts them through the network by itself: while one decodes
    another computes, and none waits for the others in the middle of a layer, which costs most of the time when PyTorch
    spreads one batch over all cores of a busy machine. Memory is bounded by workers times batch_size photos.
    """
    workers, threads = max(1, workers), torch.get_num_threads()
    parts = (paths[start : start + batch_size] for start in range(0, len(paths), batch_size))

    def screen(part: Sequence[Path | str]) -> list[Screening | PhotoError]:
        return _screen(screener, [read_photo(str(path)) for path in part])

    def share_cores() -> None:
        torch.set_num_threads(max(1, threads // workers))

    try:
        for found in in_order(screen, parts, workers, set_up=share_cores):
            yield from found
    finally:
        torch.set_num_threads(threads)  # it is a setting of the process as well, for threads that come later


def screen_shared(
    screener: ScreensPhotos,
    paths: Sequence[Path | str],
    processes: Processes,
    *,
    workers: int = 2,
) -> Iterator[Screening | PhotoError]:
    """`screen_files` by several processes that take turns block by block: all are given every result, in order.

    A block is whole batches, so that these are the ones of a single process, and so are the results. All processes must
    draw from it to its end.
    """
    if processes.count == 1:
        yield from screen_files(screener, paths, workers=workers)
        return
    starts = range(0, len(paths), _BLOCK)
    mine = [path for start in starts[processes.index :: processes.count] for path in paths[start : start + _BLOCK]]
    found = screen_files(screener, mine, workers=workers, batch_size=_BATCH)
    for _ in starts[:: processes.count]:
        yield from processes.gather_rows(list(islice(found, _BLOCK)))


def _screen(screener: ScreensPhotos, photos: Sequence[Image.Image | PhotoError]) -> list[Screening | PhotoError]:
    screenings = iter(screener.screen_many([photo for photo in photos if not isinstance(photo, PhotoError)]))
    return [photo if isinstance(photo, PhotoError) else next(screenings) for photo in photos]
