"""Features of a frozen backbone, computed once for several augmented views of each image.

A frozen backbone gives the same features in every epoch, so running it again only buys fresh augmentation. View 0 is
the image as it is served (fp32, no augmentation); views 1 to k are augmented and may run in mixed precision.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from isic_screen.data.hashing import hash_files
from isic_screen.data.images import read_photos
from isic_screen.errors import PhotoError
from isic_screen.network import ScreenNet
from isic_screen.processes import ALONE, Processes
from isic_screen.training.augmentation import Augmentation
from isic_screen.training.precision import autocast

_IMAGES_PER_BATCH = 32
_REVISION = 1  # raise it when this module computes features differently


@dataclass(frozen=True)
class Features:
    """`views` (N, 1 + k, C) float32, memory-mapped; `unreadable` says why rows have none (they hold 0)."""

    views: NDArray[np.float32]
    unreadable: dict[int, str]

    @property
    def plain(self) -> NDArray[np.float32]:
        """Features (N, C) of the images as they are served."""
        return self.views[:, 0]


def image_rng(seed: int, content: str, view: int) -> np.random.Generator:
    """Random numbers of one view of one image, the same wherever the image stands in the data set."""
    return np.random.default_rng([seed, view, int(content[:16], 16)])


@dataclass(frozen=True)
class FeatureExtractor:
    """How features are computed: `views` augmented views an image beside the plain one, in `dtype` on `device`."""

    network: ScreenNet
    augmentation: Augmentation
    views: int
    seed: int
    device: torch.device
    dtype: torch.dtype
    workers: int
    processes: Processes = ALONE

    def cached(self, paths: Sequence[str], cache: Path) -> Features:
        """Features of every image, from `cache` when it holds them for exactly this backbone, transform and content.

        A run that was killed goes on where it stopped. An image that cannot be read is listed in `unreadable`.
        """
        contents = hash_files(paths, self.processes)
        key = self._key(contents)
        cache.mkdir(parents=True, exist_ok=True)
        finished, partial, state_file = (cache / f"{key}{suffix}" for suffix in (".npy", ".partial.npy", ".json"))
        if not self.processes.from_main(finished.is_file()):
            self._compute(paths, contents, partial, state_file)
            if self.processes.main:
                os.replace(partial, finished)
            self.processes.wait()
        unreadable = json.loads(state_file.read_text())["unreadable"]
        return Features(np.load(finished, mmap_mode="r"), {int(index): reason for index, reason in unreadable.items()})

    def _key(self, contents: Sequence[str]) -> str:
        described = {
            "revision": _REVISION,
            "backbone": self.network.backbone_name,
            "weights": _weights_hash(self.network),
            "input": asdict(self.network.input_spec),
            "augmentation": self.augmentation.description(),
            "views": self.views,
            "seed": self.seed,
            "dtype": str(self.dtype),
            "contents": list(contents),
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]

    def _compute(self, paths: Sequence[str], contents: Sequence[str], partial: Path, state_file: Path) -> None:
        shape = (len(paths), 1 + self.views, self.network.head.hidden.in_features)
        state: dict[str, Any] = {"done": 0, "unreadable": {}}
        if self.processes.main:
            if partial.is_file() and state_file.is_file():
                state = json.loads(state_file.read_text())
            else:
                np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
        # Also waits until the table is there, of which every process fills its rows.
        state = self.processes.from_main(state)
        table = np.lib.format.open_memmap(partial, mode="r+")
        self.network.to(self.device).eval()
        done, unreadable = state["done"], state["unreadable"]
        rounds = list(self._rounds(done, len(paths)))
        mine = [index for share in rounds for index in share]
        photos = read_photos([paths[index] for index in mine], self.network.input_spec.resize, self.workers)
        progress = tqdm(
            desc="Backbone features",
            unit="image",
            initial=done,
            total=len(paths),
            disable=not self.processes.main,
        )
        with progress:
            for share in rounds:
                waiting: dict[int, Image.Image] = {}
                failed: list[tuple[str, str]] = []
                for place, resized in islice(photos, len(share)):
                    if isinstance(resized, PhotoError):
                        failed.append((str(mine[place]), str(resized)))
                    else:
                        waiting[mine[place]] = resized
                for view in range(shape[1] if waiting else 0):
                    table[list(waiting), view] = self._embed(waiting, contents, view)
                table.flush()
                unreadable.update(self.processes.gather_rows(failed))  # and all have written their rows
                done = min(len(paths), done + self.processes.count * _IMAGES_PER_BATCH)
                if self.processes.main:
                    _write_json(state_file, {"done": done, "unreadable": unreadable})
                progress.update(done - progress.n)
        if not rounds and self.processes.main:
            _write_json(state_file, state)

    def _rounds(self, done: int, total: int) -> Iterator[range]:
        """The rows of this process, a batch of each round in which every process has one."""
        step = self.processes.count * _IMAGES_PER_BATCH
        for first in range(done, total, step):
            mine = first + self.processes.index * _IMAGES_PER_BATCH
            yield range(min(mine, total), min(mine + _IMAGES_PER_BATCH, total))

    def _embed(self, images: dict[int, Image.Image], contents: Sequence[str], view: int) -> NDArray[np.float32]:
        """Features (N, C) of one view of resized images."""
        spec, dtype = self.network.input_spec, self.dtype
        if view == 0:
            dtype = torch.float32  # what is validated must be what is served
            pictures = list(images.values())
        else:
            pictures = [
                self.augmentation(image, image_rng(self.seed, contents[index], view)) for index, image in images.items()
            ]
        batch = torch.stack([spec.tensor(picture) for picture in pictures]).to(self.device)
        with torch.inference_mode(), autocast(self.device, dtype):
            return self.network.features(batch).float().cpu().numpy()


def _weights_hash(network: ScreenNet) -> str:
    digest = hashlib.sha256()
    for name, tensor in network.backbone.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _write_json(file: Path, value: object) -> None:
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(value))
    os.replace(unfinished, file)
