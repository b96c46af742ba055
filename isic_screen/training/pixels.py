"""Decoded training images, kept on disk as one memory-mapped table.

Fine-tuning passes over every image many times, and decoding a photo costs as much as a part of a training step. The
table holds each photo whole, squashed to a square as the network will see it, at a size that leaves room to crop.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isic_screen import frames
from isic_screen.data.images import read_photos
from isic_screen.errors import DataError, PhotoError
from isic_screen.hashing import hash_files, sha256_of_all
from isic_screen.processes import ALONE, Processes
from isic_screen.training.filled_table import filled_table

_BLOCK = 256  # photos between two savings of the state
_REVISION = 2  # raise it when this module decodes or resizes differently


@dataclass(frozen=True)
class Pixels:
    """`images` (N, size, size, 3) uint8, memory-mapped; `unreadable` says why rows have none (they are black).

    `sha256` is of the contents of all files and of what is cut off of them.
    """

    images: NDArray[np.uint8]
    unreadable: dict[int, str]
    sha256: str = ""


def cached_pixels(paths: Sequence[str], size: int, cache: Path, workers: int, processes: Processes = ALONE) -> Pixels:
    """The photos as squares of `size` pixels, from `cache` when it holds exactly these files' contents.

    Needs 3 * size² bytes a photo on disk. Raises DataError when no photo can be read.
    """
    contents = hash_files(paths, processes)
    key = hashlib.sha256(json.dumps([_REVISION, frames.REVISION, size, contents]).encode()).hexdigest()[:32]

    def square(photo: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(photo.resize((size, size), Image.Resampling.BICUBIC))

    def read(rows: list[int]) -> Iterator[tuple[int, NDArray[np.uint8] | PhotoError]]:
        return read_photos([paths[row] for row in rows], square, workers)

    def store(table: NDArray[np.uint8], squares: dict[int, NDArray[np.uint8]]) -> None:
        for row, pixels in squares.items():
            table[row] = pixels

    table = filled_table(
        cache / f"pixels-{key}.npy",
        (len(paths), size, size, 3),
        np.uint8,
        read,
        store,
        block=_BLOCK,
        what="Decoding",
        processes=processes,
    )
    if paths and len(table.unreadable) == len(paths):
        raise DataError(f"None of the {len(paths):,} photos can be read; the first: {table.unreadable[0]}")
    return Pixels(table.values, table.unreadable, sha256_of_all([*contents, f"borders {frames.REVISION}"]))
