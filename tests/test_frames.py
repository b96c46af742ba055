"""Borders around photos are cut off, and photos that merely end in one colour keep their pixels."""

import csv
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from isic_screen.frames import Cut, find_photo, without_border
from isic_screen.photo import open_photo
from isic_screen.quality import assess
from tests.conftest import ROOT, lesion

Picture = tuple[Image.Image, tuple[int, int, int, int]]
SIZE = (400, 300)
WITHIN = 0.02  # of the picture's width or height


def photo(size: tuple[int, int] = SIZE) -> Image.Image:
    return lesion(3, dark=True, size=size)


def framed(sides: tuple[int, int, int, int], colour: str, size: tuple[int, int] = SIZE) -> Picture:
    """A photo with so many pixels of a colour on the left, top, right and bottom; and where it lies."""
    left, top, right, bottom = sides
    box = (left, top, left + size[0], top + size[1])
    picture = Image.new("RGB", (box[2] + right, box[3] + bottom), colour)
    picture.paste(photo(size), box)
    return picture, box


def as_scanned(picture: Image.Image, noise: float, quality: int) -> Image.Image:
    grain = np.random.default_rng(0).normal(0, noise, (picture.height, picture.width, 3))
    noisy = Image.fromarray((np.asarray(picture, dtype=float) + grain).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    noisy.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def with_ruler() -> Picture:
    """A ruler that lies across the border and the photo."""
    picture, box = framed((90, 60, 70, 40), "black")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 180, 300, 205), fill="#e8e0a0")
    for tick in range(0, 300, 8):
        draw.line((tick, 180, tick, 192), fill="black", width=2)
    return picture, box


def with_scale() -> Picture:
    """Ticks all along one border."""
    picture, box = framed((40, 30, 40, 90), "#202024")
    for tick in range(0, picture.width, 9):
        ImageDraw.Draw(picture).line((tick, 370, tick, 400), fill="white", width=2)
    return picture, box


def with_date() -> Picture:
    """Printed half on the border, half on the photo."""
    picture, box = framed((30, 40, 30, 50), "#f0ece0")
    ImageDraw.Draw(picture).text((220, 325), "2004-07-21 10:33", fill="#e05010", font=ImageFont.load_default(28))
    return picture, box


def double() -> Picture:
    picture, box = framed((30, 40, 50, 30), "white")
    outside = Image.new("RGB", (picture.width + 60, picture.height + 40), "black")
    outside.paste(picture, (30, 20))
    return outside, (box[0] + 30, box[1] + 20, box[2] + 30, box[3] + 20)


def slide(degrees: float) -> Picture:
    """A mount with rounded corners, a little askew and out of focus."""
    picture, box = framed((40, 50, 60, 45), "#141216", (480, 360))
    opening = Image.new("L", picture.size)
    ImageDraw.Draw(opening).rounded_rectangle((*box[:2], box[2] - 1, box[3] - 1), 20, fill=255)
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    opening = opening.rotate(degrees, Image.Resampling.BICUBIC, center=middle).filter(ImageFilter.GaussianBlur(1.5))
    turned = picture.rotate(degrees, Image.Resampling.BICUBIC, center=middle, fillcolor="#141216")
    return Image.composite(turned, Image.new("RGB", picture.size, "#141216"), opening), box


def screenshot() -> Picture:
    """A status bar, a toolbar, a photo with a margin, and what was written below it."""
    picture = Image.new("RGB", (540, 1170), "white")
    draw, large, small = ImageDraw.Draw(picture), ImageFont.load_default(24), ImageFont.load_default(18)
    draw.text((30, 12), "14:02", fill="black", font=large)
    draw.rectangle((460, 14, 510, 36), fill="black")
    draw.rectangle((0, 48, 540, 130), fill="#075e54")
    draw.text((60, 70), "Dermatology group", fill="white", font=large)
    picture.paste(photo((500, 375)), (20, 400))
    for line in range(5):
        draw.text((20, 800 + 28 * line), "What do you think about this lesion on", fill="black", font=small)
    draw.rectangle((0, 1080, 540, 1170), fill="#eeeeee")
    draw.rectangle((180, 1140, 360, 1148), fill="black")
    return picture, (20, 400, 520, 775)


def round_field() -> Picture:
    """A dermatoscope's round field of view that ends well inside of a black picture."""
    field = Image.new("L", (600, 480))
    ImageDraw.Draw(field).ellipse((130, 60, 430, 360), fill=255)
    return Image.composite(photo((600, 480)), Image.new("RGB", field.size), field), (130, 60, 431, 361)


FRAMED: dict[str, Callable[[], Picture]] = {
    "black": lambda: framed((60, 40, 60, 40), "black"),
    "one side": lambda: framed((0, 0, 90, 0), "black"),
    "unequal": lambda: framed((20, 150, 120, 30), "white"),
    "three grey sides": lambda: framed((70, 0, 30, 50), "#808080"),
    "blue": lambda: framed((50, 50, 50, 50), "#20408c"),
    "letterbox": lambda: framed((0, 160, 0, 160), "black"),
    "pillarbox": lambda: framed((450, 0, 450, 0), "black"),
    "narrow": lambda: framed((12, 9, 12, 9), "black"),
    "ruler across": with_ruler,
    "scale along": with_scale,
    "date": with_date,
    "white in black": double,
    "slide": lambda: slide(0),
    "slide askew": lambda: slide(2),
    "slide askew the other way": lambda: slide(-1.5),
    "screenshot": screenshot,
    "round field": round_field,
}


@pytest.mark.parametrize(("noise", "quality"), [(0, 95), (2, 75), (6, 90), (1, 30)])
@pytest.mark.parametrize("kind", FRAMED)
def test_a_border_is_found(kind, noise, quality):
    picture, box = FRAMED[kind]()
    found = find_photo(as_scanned(picture, noise, quality))
    off = np.abs(np.subtract(found, box)) / np.tile(picture.size, 2)
    assert off.max() <= WITHIN, (found, box)


def _vignette(reach: float) -> Image.Image:
    """Black beyond a circle, whose radius is this share of the shorter side."""
    field = Image.new("L", SIZE)
    x, y, radius = SIZE[0] / 2, SIZE[1] / 2, reach * min(SIZE)
    ImageDraw.Draw(field).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return Image.composite(photo(), Image.new("RGB", SIZE), field.filter(ImageFilter.GaussianBlur(2)))


def _gel() -> Image.Image:
    """The rim of a drop of gel, brighter than the skin beside it."""
    inside = Image.new("L", SIZE)
    ImageDraw.Draw(inside).ellipse((20, 10, 390, 330), fill=255)
    return Image.composite(photo(), photo().point(lambda level: min(255, level + 30)), inside)


def _brighter(factor: float) -> Image.Image:
    return photo().point(lambda level: min(255, round(level * factor)))


def _large_lesion() -> Image.Image:
    """Nearly black up to the edges, with skin in one corner."""
    rng = np.random.default_rng(0)
    dark = Image.fromarray(rng.integers(10, 60, (12, 16, 3), dtype=np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    lesion_at = Image.new("L", SIZE, 255)
    ImageDraw.Draw(lesion_at).ellipse((300, 200, 500, 400), fill=0)
    return Image.composite(dark, photo(), lesion_at.filter(ImageFilter.GaussianBlur(6)))


KEPT: dict[str, Callable[[], Image.Image]] = {
    "a photo": photo,
    "skin nearly white": lambda: _brighter(1.3),
    "burnt out": lambda: _brighter(1.9),
    "dark": lambda: _brighter(0.15),
    "dark corners": lambda: _vignette(0.6),
    "round up to two sides": lambda: _vignette(0.5),
    "gel": _gel,
    "a lesion up to the edges": _large_lesion,
    "blurred": lambda: photo().filter(ImageFilter.GaussianBlur(12)),
    "one colour": lambda: Image.new("RGB", SIZE, "white"),
    "too small": lambda: framed((10, 10, 10, 10), "black", (70, 70))[0],
}


@pytest.mark.parametrize(("noise", "quality"), [(0, 95), (2, 75), (1, 30)])
@pytest.mark.parametrize("kind", KEPT)
def test_a_photo_without_a_border_keeps_its_pixels(kind, noise, quality):
    picture = as_scanned(KEPT[kind](), noise, quality)
    assert without_border(picture) is picture


@pytest.mark.parametrize("mark", ["dark_corner", "gel_border", "ruler"])
def test_real_photos_keep_their_pixels(shared_data, mark):
    """Those few that lose some have a black bar, or a ruler's edge along the whole side."""
    rows = csv.DictReader((shared_data / "artefacts.csv").read_text().splitlines())
    files = [shared_data / "isic2017" / "images" / f"{row['image_name']}.jpg" for row in rows if row[mark] == "1"]
    photos = [open_photo(file) for file in [file for file in files if file.is_file()][:60]]
    assert len(photos) > 20
    assert sum("cut" in photo.info for photo in photos) <= 0.05 * len(photos)


def test_a_photo_is_opened_without_its_border_and_the_quality_says_so():
    picture, box = framed((100, 0, 0, 100), "black")
    file = io.BytesIO()
    picture.save(file, "PNG")
    opened = open_photo(file.getvalue())
    assert opened.tobytes() == picture.crop(box).tobytes()
    assert opened.info == {"cut": Cut(0.2, 0, 0, 0.25)}
    assert assess(photo()).summary == "fit"
    assert assess(opened).summary == (
        "fit: a border was cut off (left 20 %, top 0 %, right 0 %, bottom 25 %; the rest was screened)"
    )


@pytest.mark.parametrize("bars", [(300, 0, 300, 0), (0, 240, 0, 240), (400, 0, 300, 0)])
def test_black_bars_make_no_drawing_of_a_photo(bars):
    """Also where they are not cut: given straight to `assess`."""
    assert "drawing" not in assess(framed(bars, "black")[0]).summary


def test_a_drawing_on_black_is_one():
    chart = Image.new("RGB", SIZE, "black")
    for bar in range(8):
        ImageDraw.Draw(chart).rectangle((20 + 47 * bar, 280 - 30 * bar, 55 + 47 * bar, 280), fill="#d08040")
    assert "drawing" in assess(chart).summary


def test_the_examples_have_no_border():
    for file in (ROOT / "assets" / "examples").glob("*.jpg"):
        assert open_photo(file).info == {}
