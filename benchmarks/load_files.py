"""What the visitors of the load test send: good photos, hostile files, and numbers that mean nothing."""

import io
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks.measure import ROOT
from isic_screen.photo import PHOTO_SUFFIXES
from tests import odd_files

SOURCES = ("isic2020/train", "ham10000/images", "isic2017/images", "photos")
"""Folders of real photos, where the data lies."""
EXAMPLES = [ROOT / "assets" / "examples" / f"synthetic-{name}.jpg" for name in ("naevus", "irregular-lesion")]


@dataclass(frozen=True)
class File:
    """A file to upload; `suffix` ends the name that it is given."""

    suffix: str
    content: bytes


def photos(data: Path, count: int) -> list[File]:
    """`count` different photos, from each of SOURCES in turn as long as it has some; drawn ones where there is none."""
    order = random.Random(0)
    piles = []
    for source in SOURCES:
        pile = sorted(path for path in (data / source).rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
        order.shuffle(pile)
        piles.append(pile)
    chosen: dict[bytes, str] = {}
    while len(chosen) < count and any(piles):
        for pile in piles:
            if pile and len(chosen) < count:
                path = pile.pop()
                chosen.setdefault(path.read_bytes(), path.suffix.lower())
    found = [File(suffix, content) for content, suffix in chosen.items()]
    return found + [drawn(number) for number in range(count - len(found))]


def drawn(seed: int) -> File:
    """A drawn photo that the page will screen: a part of one of its examples, in a light of its own."""
    random = np.random.default_rng(seed)
    with Image.open(EXAMPLES[seed % len(EXAMPLES)]) as picture:
        photo = picture.convert("RGB")
    left, top, right, bottom = random.uniform(0, 0.12, 4) * np.tile((photo.width, photo.height), 2)
    part = photo.crop((round(left), round(top), round(photo.width - right), round(photo.height - bottom)))
    light = ImageEnhance.Brightness(part.resize((480, 360))).enhance(random.uniform(0.9, 1.1))
    return File(".jpg", odd_files.saved(light, "JPEG", quality=90))


def hostile(photo: bytes) -> dict[str, File]:
    """Files that are no photo to screen, each for a reason of its own; `photo` is a sound one, to be spoilt."""
    big = 13_000
    return {
        "a bomb: 169 megapixels in a few kilobytes": File(
            ".png", odd_files.png(big, big, 1, 0, bytes(((big + 7) // 8 + 1) * big))
        ),
        "a header that claims 65,000 x 65,000 pixels": File(".jpg", odd_files.jpeg_sized(65_000, 65_000)),
        "a photo cut short": File(".jpg", photo[: len(photo) // 3]),
        "text by the name of a photo": File(".jpg", b"Not a photo at all. " * 200),
        "a page by the name of a photo": File(".png", b"<!doctype html><script>alert(1)</script>"),
        "nothing at all": File(".jpg", b""),
        "a WebP header without a picture": File(".webp", odd_files.webp_sized(900, 700)),
        "a TIFF whose directory has no end": File(".tif", odd_files.tiff([], following=8)),
        "a BMP of an unknown compression": File(".bmp", odd_files.bmp_sized(900, 700, 99)),
        "an archive by the name of a photo": File(".jpg", archive({"a.jpg": photo})),
        "an animation": File(".gif", b"GIF89a" + photo[:500]),
    }


def archive(members: dict[str, bytes]) -> bytes:
    """A ZIP of these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return packed.getvalue()


BAD_POINTS: tuple[list[Any], ...] = (
    [2, 0.1],
    [-1, 0.1],
    [0.1, 0],
    [0.1, 1],
    ["one half", 0.1],
    [0.1, "rare"],
    [[0.1], {}],
    [{"path": "/etc/passwd"}, None],
    [float("nan"), 0.1],
    [0.1, float("inf")],
    [],
)
"""Thresholds and prevalences for /operating_point that mean nothing; the last one is none at all."""
GOOD_POINTS: tuple[list[Any], ...] = ([None, None], [0.01, 0.005], [0.5, 0.5], [0.03, None], [None, 0.2])
"""Those that have an answer."""

_URI = b'"data:image/jpeg;base64,'
LONG_BODIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "lists": ("/gradio_api/queue/join", lambda: b'{"data":[' + b"[]," * (10 * 2**20) + b"0]}"),
    "lists that fit": ("/gradio_api/run/screen", lambda: b'{"data":[' + b"[]," * (340 * 2**10) + b"0]}"),
    "as many lists as may be": ("/gradio_api/queue/join", lambda: b'{"data":{"":[' + b"[]," * 9_900 + b"0]}}"),
    "a deep list": ("/gradio_api/cancel", lambda: b'{"event_id":' + b"[" * 2**25 + b"]" * 2**25 + b"}"),
    "a long photo": ("/gradio_api/call/screen", lambda: b'{"data":[' + _URI + b"A" * 2**25 + b'"]}'),
    "as long a photo as may be": ("/gradio_api/queue/join", lambda: b'{"data":' + _URI + b"A" * 8_000_000 + b'"}'),
    "a form": ("/login", lambda: b"&" * 2**25),
}
"""By what is in them: the path of a request and its body, at which a server must not stand still."""
