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

from isic_screen.data.hashing import sha256_file
from isic_screen.data.images import read_photos
from isic_screen.errors import DataError, PhotoError

_REVISION = 1  # raise it when this module decodes or resizes differently


@dataclass(frozen=True)
class Pixels:
    """`images` (N, size, size, 3) uint8, memory-mapped; `unreadable` says why rows have none (they are black)."""

    images: NDArray[np.uint8]
    unreadable: dict[int, str]


def cached_pixels(paths: Sequence[str], size: int, cache: Path, workers: int) -> Pixels:
    """The photos as squares of `size` pixels, from `cache` when it holds exactly these files' contents.

    Needs 3 * size² bytes a photo on disk. Raises DataError when no photo can be read.
    """
    few = len(paths) < 2000
    contents = [sha256_file(path) for path in tqdm(paths, desc="Reading files", unit="file", disable=few)]
    key = hashlib.sha256(json.dumps([_REVISION, size, contents]).encode()).hexdigest()[:32]
    cache.mkdir(parents=True, exist_ok=True)
    table_file, reasons_file = cache / f"pixels-{key}.npy", cache / f"pixels-{key}.json"
    if not table_file.is_file():
        _decode(paths, size, table_file, reasons_file, workers)
    unreadable = {int(row): reason for row, reason in json.loads(reasons_file.read_text()).items()}
    if paths and len(unreadable) == len(paths):
        raise DataError(f"None of the {len(paths):,} photos can be read; the first: {unreadable[0]}")
    return Pixels(np.load(table_file, mmap_mode="r"), unreadable)


def _decode(paths: Sequence[str], size: int, table_file: Path, reasons_file: Path, workers: int) -> None:
    """Write both files; the table last and whole, as its presence says that all is there."""

    def square(photo: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(photo.resize((size, size), Image.Resampling.BICUBIC))

    unfinished = table_file.with_name(f".{table_file.name}.{os.getpid()}.unfinished")
    unreadable: dict[int, str] = {}
    try:
        table = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=(len(paths), size, size, 3))
        photos = read_photos(paths, square, workers)
        for row, pixels in tqdm(photos, desc="Decoding", unit="image", total=len(paths), disable=len(paths) < 2000):
            if isinstance(pixels, PhotoError):
                unreadable[row] = str(pixels)
            else:
                table[row] = pixels
        table.flush()
        del table
        reasons_file.write_text(json.dumps(unreadable))
        os.replace(unfinished, table_file)
    finally:
        unfinished.unlink(missing_ok=True)
