"""Decoded training images, kept on disk as one memory-mapped table.

Fine-tuning passes over every image many times, and decoding a photo costs as much as a part of a training step. The
table holds each photo whole, squashed to a square as the network will see it, at a size that leaves room to crop.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from isic_screen.data.hashing import hash_files
from isic_screen.data.images import read_photos
from isic_screen.errors import DataError, PhotoError
from isic_screen.processes import ALONE, Processes

_REVISION = 1  # raise it when this module decodes or resizes differently


@dataclass(frozen=True)
class Pixels:
    """`images` (N, size, size, 3) uint8, memory-mapped; `unreadable` says why rows have none (they are black)."""

    images: NDArray[np.uint8]
    unreadable: dict[int, str]


def cached_pixels(paths: Sequence[str], size: int, cache: Path, workers: int, processes: Processes = ALONE) -> Pixels:
    """The photos as squares of `size` pixels, from `cache` when it holds exactly these files' contents.

    Needs 3 * size² bytes a photo on disk. Raises DataError when no photo can be read.
    """
    contents = hash_files(paths, processes)
    key = hashlib.sha256(json.dumps([_REVISION, size, contents]).encode()).hexdigest()[:32]
    cache.mkdir(parents=True, exist_ok=True)
    table_file, reasons_file = cache / f"pixels-{key}.npy", cache / f"pixels-{key}.json"
    if not processes.from_main(table_file.is_file()):
        _decode(paths, size, table_file, reasons_file, workers, processes)
    unreadable = {int(row): reason for row, reason in json.loads(reasons_file.read_text()).items()}
    if paths and len(unreadable) == len(paths):
        raise DataError(f"None of the {len(paths):,} photos can be read; the first: {unreadable[0]}")
    return Pixels(np.load(table_file, mmap_mode="r"), unreadable)


def _decode(
    paths: Sequence[str], size: int, table_file: Path, reasons_file: Path, workers: int, processes: Processes
) -> None:
    """Write both files; the table last and whole, as its presence says that all is there."""

    def square(photo: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(photo.resize((size, size), Image.Resampling.BICUBIC))

    unfinished = table_file.with_name(processes.from_main(f".{table_file.name}.{os.getpid()}.unfinished"))
    own = processes.share(len(paths))
    unreadable: list[tuple[int, str]] = []
    try:
        if processes.main:
            np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=(len(paths), size, size, 3))
        processes.wait()
        table = np.lib.format.open_memmap(unfinished, mode="r+")
        quiet = len(paths) < 2000 or not processes.main
        photos = read_photos(paths[own], square, workers)
        for place, pixels in tqdm(photos, desc="Decoding", unit="image", total=len(paths[own]), disable=quiet):
            if isinstance(pixels, PhotoError):
                unreadable.append((own.start + place, str(pixels)))
            else:
                table[own.start + place] = pixels
        table.flush()
        del table
        reasons = dict(processes.gather_rows(unreadable))  # and all have written their rows
        if processes.main:
            reasons_file.write_text(json.dumps(reasons))
            os.replace(unfinished, table_file)
        processes.wait()
    finally:
        if processes.main:
            unfinished.unlink(missing_ok=True)
