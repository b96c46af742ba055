"""The paper's augmentation, with random numbers that belong to the image and not to the order it is read in."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transform


@dataclass(frozen=True)
class Augmentation:
    """Random flips (probabilities 0..1) and a rotation drawn evenly from -rotation..rotation degrees."""

    horizontal_flip: float
    vertical_flip: float
    rotation: float

    def __call__(self, image: Image.Image, random: np.random.Generator) -> Image.Image:
        """An augmented RGB image of the same size; corners that a rotation uncovers are black."""
        flips = random.random(2)
        angle = random.uniform(-self.rotation, self.rotation)
        if flips[0] < self.horizontal_flip:
            image = transform.hflip(image)
        if flips[1] < self.vertical_flip:
            image = transform.vflip(image)
        return transform.rotate(image, angle, interpolation=InterpolationMode.BILINEAR)

    def description(self) -> dict[str, Any]:
        """What a cache of augmented features has to be keyed by."""
        return {"augmentation": type(self).__name__, **asdict(self)}
