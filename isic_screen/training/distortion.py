"""Strong augmentation of whole batches: the ways in which photos of the same lesion differ.

Sources differ in sharpness, compression, field of view, dark corners and colour; so do cameras, and in ISIC 2020 the
camera all but tells the class. Drawing each of these at random for every image leaves the lesion as what is worth
learning. Everything runs on tensors, on the training device, and draws from the generator that it is given.

One of several processes has only a part of a batch. It draws for the whole batch all the same, so that the images come
out alike however many processes there are.
"""

import math
from collections.abc import Sized
from dataclasses import dataclass
from io import BytesIO
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

Random = np.random.Generator
Number = TypeVar("Number", bound=np.generic)

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, what Pillow's conversion to grey uses


@dataclass(frozen=True)
class Part:
    """The rows `first` to `last` (the latter not among them) of a batch of `total` images."""

    first: int
    last: int
    total: int

    def of(self, drawn: NDArray[Number]) -> NDArray[Number]:
        """The part's rows of something that was drawn for each image of the batch."""
        return drawn[self.first : self.last]

    def place(self, row: np.intp) -> int | None:
        """Where in the part a row of the batch is; None when it is not."""
        return int(row) - self.first if self.first <= row < self.last else None


def whole(batch: Sized) -> Part:
    """The part that is all of a batch."""
    return Part(0, len(batch), len(batch))


@dataclass(frozen=True)
class Distortion:
    """What may happen to a training image. Values named for a thing are its probability (0..1), unless said.

    `crop` is the least share of the area that a crop asks for (its aspect of 3:4 to 4:3 can take up to 13 % more off
    one side), `rotation` in degrees to either side (beside the eight flips and quarter turns), `colour` a strength: 0
    leaves colours, 0.2 changes gains by up to about 20 %.
    """

    crop: float
    rotation: float
    colour: float
    soften: float
    jpeg: float
    vignette: float
    hairs: float
    cutout: float

    def __call__(
        self, images: NDArray[np.uint8], size: int, device: torch.device, random: Random, part: Part | None = None
    ) -> Tensor:
        """RGB images (N, S, S, 3) as augmented float32 images (N, 3, size, size) of values 0 to 1.

        `part` says which rows of a larger batch these are; by default they are all there is.
        """
        part = part or whole(images)
        batch = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        batch = recompress(batch, self.jpeg, random, part).to(device).float().div_(255)
        batch = soften(batch, self.soften, random, part)
        batch = geometry(batch, size, self.crop, self.rotation, random, part)
        batch = recolour(batch, self.colour, random, part)
        batch = draw_hairs(batch, self.hairs, random, part)
        batch = cut_out(batch, self.cutout, random, part)
        return vignette(batch, self.vignette, random, part).clamp_(0, 1)


def recompress(batch: Tensor, probability: float, random: Random, part: Part | None = None) -> Tensor:
    """JPEG compression of quality 25 to 90 for some images of a uint8 batch (N, 3, H, W)."""
    part = part or whole(batch)
    chosen = np.flatnonzero(part.of(random.random(part.total) < probability))
    qualities = part.of(random.integers(25, 91, part.total))
    if not len(chosen):
        return batch
    batch = batch.clone(memory_format=torch.contiguous_format)
    for row in chosen:
        compressed = BytesIO()
        Image.fromarray(batch[row].permute(1, 2, 0).numpy()).save(compressed, "JPEG", quality=int(qualities[row]))
        batch[row] = torch.from_numpy(np.array(Image.open(compressed))).permute(2, 0, 1)
    return batch


def soften(batch: Tensor, probability: float, random: Random, part: Part | None = None) -> Tensor:
    """Shrink some images to 30 to 80 % of their sides and enlarge them again, as a lesser camera would see them."""
    part = part or whole(batch)
    scales = part.of(random.uniform(0.3, 0.8, part.total))
    side = batch.shape[-1]
    for row in np.flatnonzero(part.of(random.random(part.total) < probability)):
        small = max(8, round(side * float(scales[row])))
        shrunk = interpolate(batch[row : row + 1], size=(small, small), mode="bilinear", antialias=True)
        batch[row] = interpolate(shrunk, size=(side, side), mode="bicubic")[0]
    return batch


def geometry(
    batch: Tensor, size: int, crop: float, rotation: float, random: Random, part: Part | None = None
) -> Tensor:
    """One of the eight symmetries of the square, a rotation, and a crop of free aspect, in one resampling step.

    What lies outside the photo is its mirror image: black corners would teach that corners mean something.
    """
    part = part or whole(batch)
    count = part.total
    area = random.uniform(crop, 1, count)
    aspect = np.exp(random.uniform(math.log(3 / 4), math.log(4 / 3), count))
    # Half sides of the crop in units of the photo's half side, at most the whole photo.
    wide, high = np.minimum(np.sqrt(area * aspect), 1), np.minimum(np.sqrt(area / aspect), 1)
    centre = np.stack([random.uniform(-1, 1, count) * (1 - wide), random.uniform(-1, 1, count) * (1 - high)], 1)
    angle = np.radians(random.uniform(-rotation, rotation, count) + 90 * random.integers(0, 4, count))
    mirror = random.choice([-1.0, 1.0], count)
    cos, sin = np.cos(angle), np.sin(angle)
    theta = np.stack(
        [
            np.stack([wide * cos * mirror, -wide * sin, centre[:, 0]], 1),
            np.stack([high * sin * mirror, high * cos, centre[:, 1]], 1),
        ],
        1,
    )
    transforms = torch.from_numpy(part.of(theta)).float().to(batch.device)
    grid = affine_grid(transforms, [len(batch), 3, size, size], align_corners=False)
    return grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def recolour(batch: Tensor, strength: float, random: Random, part: Part | None = None) -> Tensor:
    """Change brightness, white balance, gamma and saturation."""
    if strength == 0:
        return batch
    own, device = part or whole(batch), batch.device

    def draw(spread: float, channels: int = 1) -> Tensor:
        drawn = np.exp(random.uniform(-spread, spread, (own.total, channels, 1, 1)))
        return torch.from_numpy(own.of(drawn)).float().to(device)

    gain = draw(strength) * draw(strength / 2, 3)
    batch = (batch * gain).clamp_(1e-4, 1).pow(draw(strength))
    grey = (batch * torch.tensor(_LUMINANCE, device=device).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return torch.lerp(grey, batch, draw(strength * 1.5))


def draw_hairs(batch: Tensor, probability: float, random: Random, part: Part | None = None) -> Tensor:
    """Draw 2 to 12 dark curved hairs over some images."""
    part, side = part or whole(batch), batch.shape[-1]
    for row in np.flatnonzero(random.random(part.total) < probability):
        layer = Image.new("L", (side, side))
        pen = ImageDraw.Draw(layer)
        for _ in range(random.integers(2, 13)):
            start, bend, end = random.uniform(-0.2, 1.2, (3, 2)) * side
            step = np.linspace(0, 1, 12)[:, None]
            curve = (1 - step) ** 2 * start + 2 * step * (1 - step) * bend + step**2 * end
            pen.line(
                [tuple(point) for point in curve.tolist()],
                fill=int(random.integers(120, 256)),
                width=int(random.integers(1, 4)),
            )
        shade = random.uniform(0, 0.35, (3, 1, 1))
        if (place := part.place(row)) is not None:
            cover = torch.from_numpy(np.asarray(layer).copy()).to(batch.device).float().div_(255)
            colour = torch.from_numpy(shade).float().to(batch.device)
            batch[place] = torch.lerp(batch[place], colour.expand_as(batch[place]), cover)
    return batch


def cut_out(batch: Tensor, probability: float, random: Random, part: Part | None = None) -> Tensor:
    """Cover a rectangle of 10 to 35 % of each side of some images with their mean colour (DeVries and Taylor, 2017)."""
    part, side = part or whole(batch), batch.shape[-1]
    for row in np.flatnonzero(random.random(part.total) < probability):
        high, wide = (random.uniform(0.1, 0.35, 2) * side).astype(int)
        top, left = random.integers(0, side - high), random.integers(0, side - wide)
        if (place := part.place(row)) is not None:
            batch[place, :, top : top + high, left : left + wide] = batch[place].mean((1, 2), keepdim=True)
    return batch


def vignette(batch: Tensor, probability: float, random: Random, part: Part | None = None) -> Tensor:
    """Darken what lies outside a circle, as a dermatoscope's tube does, in some images."""
    part = part or whole(batch)
    chosen = np.flatnonzero(random.random(part.total) < probability)
    places = [part.place(row) for row in chosen]
    count, side, device = len(chosen), batch.shape[-1], batch.device
    if not count:
        return batch
    own = [place is not None for place in places]

    def column(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values[own]).float().to(device).view(-1, 1, 1)

    axis = (torch.arange(side, device=device) + 0.5) * (2 / side) - 1
    # An ellipse, as photos are squashed to squares; from one that only dims the corners to one inside the borders.
    radius, aspect = column(random.uniform(0.85, 1.35, count)), column(np.exp(random.uniform(-0.29, 0.29, count)))
    x, y = (
        axis.view(1, 1, -1) - column(random.uniform(-0.1, 0.1, count)),
        axis.view(1, -1, 1) - column(random.uniform(-0.1, 0.1, count)),
    )
    distance = ((x * aspect.sqrt()) ** 2 + (y / aspect.sqrt()) ** 2).sqrt()
    edge = column(random.uniform(0.01, 0.25, count))
    light = ((radius - distance) / edge + 0.5).clamp(0, 1)
    floor = column(random.uniform(0, 0.3, count))
    rows = torch.tensor([place for place in places if place is not None], dtype=torch.int64, device=device)
    batch[rows] = batch[rows] * (floor + (1 - floor) * light).unsqueeze(1)
    return batch
