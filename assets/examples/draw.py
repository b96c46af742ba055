"""Draws the example pictures of the page: skin lesions that nobody has.

    python assets/examples/draw.py [FOLDER]

A round, even naevus; an uneven lesion of many colours; and a photo of a naevus gone wrong (dark, out of focus). They
show how the page works and say nothing about how well the model does. The same seed draws the same picture everywhere.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 768, 576
FOLDER = Path(__file__).resolve().parent
Array = NDArray[np.float64]


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name, picture in draw_all().items():
        picture.save(folder / name, quality=88)


def draw_all() -> dict[str, Image.Image]:
    """The pictures by file name, 768 x 576 RGB."""
    return {
        "synthetic-naevus.jpg": _marked(naevus(np.random.default_rng(3))),
        "synthetic-irregular-lesion.jpg": _marked(irregular_lesion(np.random.default_rng(11))),
        "synthetic-poor-photo.jpg": _marked(poor_photo(np.random.default_rng(5))),
    }


def naevus(rng: np.random.Generator) -> Image.Image:
    """Light brown, round, fading evenly at the border, with a fine regular network."""
    picture = skin(rng, np.array([222.0, 174.0, 150.0]))
    distance = blob(rng, (0.50, 0.50), (0.22, 0.21), roughness=0.10)
    body = _step(distance, width=0.30)
    picture = _mixed(picture, np.array([176.0, 120.0, 88.0]), 0.85 * body)
    picture = _mixed(picture, np.array([128.0, 78.0, 54.0]), 0.55 * _step(distance + 0.42, width=0.75))
    fading = _step(distance + 0.10, width=0.35)
    picture = _mixed(picture, np.array([96.0, 54.0, 36.0]), 0.42 * fading * network(rng, cell=11, width=0.26))
    picture = _mixed(picture, np.array([112.0, 66.0, 44.0]), 0.35 * body * _clouds(rng, 60))
    picture = _mixed(picture, np.array([196.0, 142.0, 110.0]), 0.25 * body * _clouds(rng, 35))
    return _finished(rng, picture, hairs=6)


def irregular_lesion(rng: np.random.Generator) -> Image.Image:
    """Asymmetric, with a ragged border, many colours, a broken network, dots, a blue-white veil and pale regression."""
    picture = skin(rng, np.array([217.0, 168.0, 148.0]))
    lobes = [((0.43, 0.54), (0.19, 0.17)), ((0.59, 0.42), (0.16, 0.13)), ((0.57, 0.66), (0.11, 0.10))]
    distance = np.minimum.reduce([blob(rng, centre, axes, roughness=0.55) for centre, axes in lobes])
    body = _step(distance, width=0.22)
    shade = _clouds(rng, 110)
    picture = _mixed(picture, np.array([156.0, 100.0, 72.0]), 0.88 * body)
    picture = _mixed(picture, np.array([84.0, 48.0, 36.0]), 0.85 * body * _step(0.48 - shade, width=0.25))
    picture = _mixed(picture, np.array([176.0, 92.0, 84.0]), 0.45 * body * _patch(rng, (0.33, 0.47), (0.08, 0.09)))
    picture = _mixed(picture, np.array([44.0, 24.0, 20.0]), 0.75 * body * network(rng, cell=19, width=0.30) * shade)
    picture = _mixed(picture, np.array([40.0, 26.0, 27.0]), 0.88 * body * _patch(rng, (0.62, 0.40), (0.10, 0.09)))
    picture = _mixed(picture, np.array([48.0, 30.0, 28.0]), 0.70 * body * _patch(rng, (0.36, 0.62), (0.05, 0.045)))
    picture = _mixed(picture, np.array([116.0, 122.0, 142.0]), 0.62 * body * _patch(rng, (0.47, 0.50), (0.085, 0.07)))
    picture = _mixed(picture, np.array([208.0, 168.0, 156.0]), 0.66 * body * _patch(rng, (0.55, 0.64), (0.06, 0.05)))
    picture = _mixed(picture, np.array([46.0, 27.0, 24.0]), 0.8 * dots(rng, distance, count=60))
    return _finished(rng, picture, hairs=9)


def poor_photo(rng: np.random.Generator) -> Image.Image:
    """A naevus far from the middle, out of focus and badly lit."""
    picture = skin(rng, np.array([206.0, 152.0, 130.0]))
    distance = blob(rng, (0.61, 0.44), (0.13, 0.12), roughness=0.2)
    picture = _mixed(picture, np.array([122.0, 76.0, 56.0]), 0.9 * _step(distance, width=0.15))
    image = _finished(rng, picture, hairs=9).filter(ImageFilter.GaussianBlur(14))
    _, x = _grid()
    grain = rng.normal(0, 2.0, (HEIGHT, WIDTH, 1))
    return _image(np.asarray(image) * (0.18 + 0.34 * x[..., None]) + grain)


def skin(rng: np.random.Generator, tone: Array) -> Array:
    """Skin of a mean RGB ``tone``: slow changes of colour, faint vessels, and the net of fine furrows."""
    y, x = _grid()
    light = 1.05 - 0.13 * ((x - 0.5) ** 2 + (y - 0.5) ** 2) * 4
    picture = tone * (light + 0.07 * (_smooth(rng, 120) - 0.5) + 0.05 * (_smooth(rng, 25) - 0.5))[..., None]
    picture = _mixed(picture, np.array([196.0, 104.0, 96.0]), 0.22 * _smooth(rng, 70) ** 2)
    picture = _mixed(picture, tone * 0.84, 0.30 * network(rng, cell=20, width=0.16))
    return _mixed(picture, tone * 1.12, 0.10 * _smooth(rng, 5) + 0.30 * _clouds(rng, 200) ** 2)


def blob(rng: np.random.Generator, centre: tuple[float, float], axes: tuple[float, float], roughness: float) -> Array:
    """Distance from a warped ellipse, in units of its radius: -1 in the middle, 0 on the border.

    ``centre`` is given as shares of the picture's sides, ``axes`` as shares of its width.
    """
    y, x = _grid()
    dx, dy = (x - centre[0]) / axes[0], (y - centre[1]) * HEIGHT / WIDTH / axes[1]
    warp = [roughness * (_clouds(rng, 130) - 0.5) * 2.2 for _ in range(2)]
    return np.hypot(dx + warp[0], dy + warp[1]) - 1 + roughness * 0.5 * (_clouds(rng, 30) - 0.5)


def _patch(rng: np.random.Generator, centre: tuple[float, float], axes: tuple[float, float]) -> Array:
    """A soft, uneven patch of colour, 0 to 1."""
    return _step(blob(rng, centre, axes, roughness=0.6), width=0.75) * (0.55 + 0.45 * _clouds(rng, 24))


def network(rng: np.random.Generator, cell: float, width: float) -> Array:
    """Lines between cells of about ``cell`` pixels, 0 to 1: where the two nearest of many points are about as far."""
    rows, columns = int(HEIGHT / cell) + 3, int(WIDTH / cell) + 3
    jitter = rng.uniform(-0.36, 0.36, (rows, columns, 2))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / cell + 1
    x = x + 0.25 * (_smooth(rng, 14) - 0.5) * 2
    y = y + 0.25 * (_smooth(rng, 14) - 0.5) * 2
    nearest, second = np.full((2, HEIGHT, WIDTH), 9.0)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            row = np.clip(np.floor(y).astype(int) + down, 0, rows - 1)
            column = np.clip(np.floor(x).astype(int) + across, 0, columns - 1)
            offset = jitter[row, column]
            distance = np.hypot(x - column - 0.5 - offset[..., 0], y - row - 0.5 - offset[..., 1])
            second = np.minimum(second, np.maximum(nearest, distance))
            nearest = np.minimum(nearest, distance)
    return np.exp(-(((second - nearest) / width) ** 2)) * (0.2 + 0.8 * _clouds(rng, 45))


def dots(rng: np.random.Generator, distance: Array, count: int) -> Array:
    """Round dots and globules of 2 to 6 pixels, mostly near the border of a lesion."""
    inside = np.argwhere((distance < -0.02) & (distance > -0.5))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    found = np.zeros((HEIGHT, WIDTH))
    for row, column in inside[rng.integers(0, len(inside), count)]:
        radius = rng.choice([1.5, 2, 2.5, 3, 4, 5.5])
        found = np.maximum(found, np.clip(radius + 0.5 - np.hypot(y - row, x - column), 0, 1))
    return found


def _finished(rng: np.random.Generator, picture: Array, hairs: int) -> Image.Image:
    """Hairs, the glare of the contact fluid's bubbles, the dark corners of a dermoscope, lens blur and sensor noise."""
    image = _image(picture)
    image = _with_hairs(rng, image, hairs)
    image = _with_bubbles(rng, image, count=4)
    y, x = _grid()
    radius = np.hypot(x - 0.5, (y - 0.5) * HEIGHT / WIDTH) / 0.5
    vignette = (1 - 0.10 * radius**2) * (1 - 0.95 * _step(1.12 - radius, width=0.05))
    picture = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8))) * vignette[..., None]
    grain = rng.normal(0, 2.2, (HEIGHT, WIDTH, 1)) + rng.normal(0, 0.9, (HEIGHT, WIDTH, 3))
    return _image(picture + grain)


def _with_hairs(rng: np.random.Generator, image: Image.Image, count: int) -> Image.Image:
    scale = 3  # drawn larger and reduced, for smooth edges
    mask = Image.new("L", (WIDTH * scale, HEIGHT * scale))
    draw = ImageDraw.Draw(mask)
    direction = rng.uniform(0, np.pi)
    for _ in range(count):
        start = rng.uniform((0, 0), (WIDTH, HEIGHT))
        heading, bend = direction + rng.normal(0, 0.35), rng.normal(0, 0.004)
        length, thickness = int(rng.uniform(35, 110)), rng.uniform(1.2, 2.4)
        point = start
        for step in range(length):
            heading += bend
            following = point + 4 * np.array([np.cos(heading), np.sin(heading)])
            taper = thickness * scale * (1 - 0.75 * step / length)
            line = [*(point * scale), *(following * scale)]
            draw.line(line, fill=215, width=max(1, round(taper)))
            point = following
    mask = mask.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    shadow = mask.filter(ImageFilter.GaussianBlur(3)).point(lambda value: value // 4)
    image.paste((60, 36, 28), (2, 3), shadow.crop((0, 0, WIDTH - 2, HEIGHT - 3)))
    image.paste((48, 32, 26), (0, 0), mask)
    return image


def _with_bubbles(rng: np.random.Generator, image: Image.Image, count: int) -> Image.Image:
    scale = 4
    mask = Image.new("L", (WIDTH * scale, HEIGHT * scale))
    draw = ImageDraw.Draw(mask)
    for _ in range(count):
        x, y = rng.uniform(0.1, 0.9) * WIDTH * scale, rng.choice([0.12, 0.88]) * HEIGHT * scale
        radius = rng.uniform(4, 10) * scale
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=70, width=scale)
        draw.arc((x - radius, y - radius, x + radius, y + radius), 200, 260, fill=190, width=2 * scale)
    image.paste((255, 250, 244), (0, 0), mask.resize((WIDTH, HEIGHT), Image.Resampling.BOX))
    return image


def _marked(image: Image.Image) -> Image.Image:
    """The word "synthetic" in a corner, so that a copy of the picture still says what it is."""
    draw = ImageDraw.Draw(image)
    # Small and dim: bright letters in a dark corner would draw the model's attention.
    draw.text((WIDTH - 8, HEIGHT - 6), "synthetic", fill=(128, 122, 120), font=ImageFont.load_default(12), anchor="rs")
    return image


def _smooth(rng: np.random.Generator, size: float) -> Array:
    """Random clouds about ``size`` pixels across, 0 to 1."""
    rows, columns = int(HEIGHT / size) + 2, int(WIDTH / size) + 2
    coarse = Image.fromarray(rng.uniform(0, 1, (rows, columns)).astype(np.float32))
    return np.clip(np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=float), 0, 1)


def _clouds(rng: np.random.Generator, size: float) -> Array:
    """Clouds with finer and finer detail, from ``size`` pixels down to a few, 0 to 1."""
    sizes = [size / 2**octave for octave in range(6) if size / 2**octave > 3]
    layers = [_smooth(rng, each) - 0.5 for each in sizes]
    total = sum((layer * 0.6**octave for octave, layer in enumerate(layers)), np.zeros((HEIGHT, WIDTH)))
    return np.clip(0.5 + total / 1.3, 0, 1)


def _grid() -> tuple[Array, Array]:
    """Row and column of each pixel, as shares of the picture's sides."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return y / HEIGHT, x / WIDTH


def _step(distance: Array, width: float) -> Array:
    """1 where the distance is well below 0, 0 where it is well above, smooth over ``width``."""
    return 1 / (1 + np.exp(np.clip(distance / (width / 4), -50, 50)))


def _mixed(picture: Array, colour: Array, share: Array) -> Array:
    return picture + (colour - picture) * share[..., None]


def _image(picture: Array) -> Image.Image:
    return Image.fromarray(np.clip(np.round(picture), 0, 255).astype(np.uint8))


if __name__ == "__main__":
    main()
