"""Fingerprints of files, so that a model can name the very tables it was trained on."""

import hashlib
import os
from collections.abc import Sequence

from isic_screen.errors import DataError
from isic_screen.processes import ALONE, Processes
from isic_screen.progress import Bar

SHORT = 12
"""Digits of a SHA-256 by which people tell files apart."""
_FEW = 2000  # files that are read before a progress bar would be looked at


def sha256_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits. Raises ``DataError`` when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{os.fspath(path)} cannot be read: {error.strerror or error}.") from error


def short_hash(photo: str | os.PathLike[str] | bytes) -> str:
    """The first 12 digits of the SHA-256 of a file, given by its path or its content; empty when it cannot be read."""
    try:
        return (hashlib.sha256(photo).hexdigest() if isinstance(photo, bytes) else sha256_file(photo))[:SHORT]
    except DataError:  # whoever opens the photo says why
        return ""


def hash_files(paths: Sequence[str], processes: Processes = ALONE) -> list[str]:
    """``sha256_file`` of each, in order; several processes share the reading."""
    quiet = len(paths) < _FEW or not processes.main
    own = paths[processes.share(len(paths))]
    return processes.gather_rows(
        [sha256_file(path) for path in Bar(own, desc="Reading files", unit="file", disable=quiet)]
    )


def sha256_of_all(hashes: Sequence[str]) -> str:
    """One SHA-256 for files whose own are given in order."""
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()
