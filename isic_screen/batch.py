"""Many photo files through one screener: decoding in threads, the network on batches, results in order."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from PIL import Image

from isic_screen.data.images import read_photos
from isic_screen.errors import PhotoError, ScreenError
from isic_screen.photo import PHOTO_SUFFIXES
from isic_screen.processes import Processes
from isic_screen.screener import Screening


class ScreensPhotos(Protocol):
    """A Screener or an Ensemble: RGB photos in, a Screening each out, in order."""

    def screen_many(self, photos: Sequence[Image.Image]) -> list[Screening]: ...


def find_photos(paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """(name, path) of every photo in files and folders, sorted by name.

    A file's name is the path as given; a photo found in a folder is named relative to that folder. A file that is not
    there is listed as well, so that reading it says so in its row. Raises ScreenError for a folder without photos.
    """
    found = []
    for path in paths:
        if not path.is_dir():
            found.append((str(path), path))
            continue
        inside = [file for file in path.rglob("*") if file.suffix.lower() in PHOTO_SUFFIXES and file.is_file()]
        if not inside:
            raise ScreenError(f"There is no photo in the folder {path} ({', '.join(sorted(PHOTO_SUFFIXES))}).")
        found += [(file.relative_to(path).as_posix(), file) for file in inside]
    return sorted(found)


def screen_files(
    screener: ScreensPhotos, paths: Sequence[Path | str], *, workers: int = 2, batch_size: int = 16
) -> Iterator[Screening | PhotoError]:
    """A Screening or the PhotoError of each file, in order. Memory is bounded by the batch, not by the number."""
    waiting: list[Image.Image | PhotoError] = []
    for _, photo in read_photos([str(path) for path in paths], lambda photo: photo, workers):
        waiting.append(photo)
        if len(waiting) == batch_size:
            yield from _screen(screener, waiting)
            waiting.clear()
    yield from _screen(screener, waiting)


def screen_shared(
    screener: ScreensPhotos,
    paths: Sequence[Path | str],
    processes: Processes,
    *,
    workers: int = 2,
    batch_size: int = 16,
) -> Iterator[Screening | PhotoError]:
    """`screen_files` by several processes that take turns batch by batch: all are given every result, in order.

    The batches are those of one process, and so are the results. All processes must draw from it to its end.
    """
    starts = range(0, len(paths), batch_size)
    mine = [path for start in starts[processes.index :: processes.count] for path in paths[start : start + batch_size]]
    found = screen_files(screener, mine, workers=workers, batch_size=batch_size)
    for _ in starts[:: processes.count]:
        yield from processes.gather_rows(list(islice(found, batch_size)))


def _screen(screener: ScreensPhotos, photos: list[Image.Image | PhotoError]) -> list[Screening | PhotoError]:
    screenings = iter(screener.screen_many([photo for photo in photos if not isinstance(photo, PhotoError)]))
    return [photo if isinstance(photo, PhotoError) else next(screenings) for photo in photos]
