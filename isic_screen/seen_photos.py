"""Which photos a model was trained on: marks that its file holds, so that an evaluation knows what is not new to it.

A photo of the ISIC archive is known by its id, as it is the same photo in every size and data set; any other by the
content of its file, as two hospitals may both have a photo "1".
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isic_screen.archive_ids import ARCHIVE_IDS, photo_name
from isic_screen.errors import DataError
from isic_screen.hashing import sha256_file


@dataclass(frozen=True)
class SeenPhotos:
    """`marks` are int64 (N,), rising: eight bytes of a SHA-256 each, which chance gives to two of a million photos
    once in 37 million sets of them (birthday bound: n^2 / 2^65)."""

    marks: Tensor

    @classmethod
    def of(cls, image_ids: Sequence[str], paths: Sequence[str]) -> Self:
        """Those of these photos that can be read."""
        known = {mark for mark in map(_mark, image_ids, paths) if mark is not None}
        return cls(torch.tensor(sorted(known), dtype=torch.int64))

    @classmethod
    def from_tensor(cls, marks: Tensor) -> Self:
        """Raises ValueError for a tensor that cannot be that of a model file."""
        if marks.dtype != torch.int64 or marks.ndim != 1 or not (marks[1:] > marks[:-1]).all():
            raise ValueError("its marks of seen photos are not rising 64-bit numbers")
        return cls(marks)

    def among(self, image_ids: Sequence[str], paths: Sequence[str]) -> npt.NDArray[np.bool_]:
        """(N,): which of these photos are among the seen. One that cannot be read is not."""
        known = set(self.marks.tolist())
        return np.array([_mark(*photo) in known for photo in zip(image_ids, paths, strict=True)], dtype=bool)

    def with_those_of(self, other: Self) -> Self:
        """The photos of either, each once."""
        return type(self)(torch.cat([self.marks, other.marks]).unique())


def _mark(image_id: str, path: str) -> int | None:
    name = photo_name(image_id)
    if ARCHIVE_IDS.fullmatch(name):
        digest = hashlib.sha256(name.encode()).digest()
    else:
        try:
            digest = bytes.fromhex(sha256_file(path))
        except DataError:  # whoever opens the photo says why
            return None
    return int.from_bytes(digest[:8], "big", signed=True)
