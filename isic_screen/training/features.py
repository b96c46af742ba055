"""Features of a frozen backbone, computed once for several augmented views of each image.

A frozen backbone gives the same features in every epoch, so running it again only buys fresh augmentation. View 0 is
the image as it is served (fp32, no augmentation); views 1 to k are augmented and may run in mixed precision.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from isic_screen import frames
from isic_screen.data.images import read_photos
from isic_screen.errors import PhotoError
from isic_screen.hashing import hash_files, sha256_of_all
from isic_screen.network import ScreenNet
from isic_screen.processes import ALONE, Processes
from isic_screen.training.augmentation import Augmentation
from isic_screen.training.filled_table import filled_table
from isic_screen.training.precision import autocast

_IMAGES_PER_BATCH = 32
_REVISION = 1  # raise it when this module computes features differently


@dataclass(frozen=True)
class Features:
    """`views` (N, 1 + k, C) float32, memory-mapped; `unreadable` says why rows have none (they hold 0).

    `sha256` is of the contents of all image files and of what is cut off of them.
    """

    views: NDArray[np.float32]
    unreadable: dict[int, str]
    sha256: str = ""

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
        shape = (len(paths), 1 + self.views, self.network.head.hidden.in_features)
        self.network.to(self.device).eval()

        def read(rows: list[int]) -> Iterator[tuple[int, Image.Image | PhotoError]]:
            return read_photos([paths[row] for row in rows], self.network.input_spec.resize, self.workers)

        def store(table: NDArray[np.float32], images: dict[int, Image.Image]) -> None:
            for view in range(shape[1] if images else 0):
                table[list(images), view] = self._embed(images, contents, view)

        table = filled_table(
            cache / f"{self._key(contents)}.npy",
            shape,
            np.float32,
            read,
            store,
            block=_IMAGES_PER_BATCH,
            what="Backbone features",
            processes=self.processes,
        )
        return Features(table.values, table.unreadable, sha256_of_all([*contents, f"borders {frames.REVISION}"]))

    def _key(self, contents: Sequence[str]) -> str:
        described = {
            "revision": _REVISION,
            "borders": frames.REVISION,
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
