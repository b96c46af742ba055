"""HEIC and AVIF photos: of a file with several pictures, the one that it says is to be shown."""

from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO

import pi_heif
from PIL import AvifImagePlugin, Image

from isic_screen.errors import PhotoError
from isic_screen.formats.coded_size import av1_sizes, hevc_sizes
from isic_screen.formats.colour import profile_of
from isic_screen.formats.iso_media import Item, Media, boxes, read_media
from isic_screen.formats.photo_file import SAVE_AS_JPEG, PhotoFile, animated, damaged
from isic_screen.formats.signatures import is_sequence, kind_of

_ROOM = 64  # pixels: a side is coded in blocks of up to so many
_MOST_METADATA = 32_000_000  # bytes; the decoders read it all, once for each item that names it
_Sizes = Callable[[bytes, bytes], Iterator[tuple[int, int]]]
# How the picture of each kind of item is coded: the box with its settings, and how to find sizes in its stream.
_CODED: dict[bytes, tuple[bytes, _Sizes]] = {
    b"hvc1": (b"hvcC", hevc_sizes),
    b"hev1": (b"hvcC", hevc_sizes),
    b"av01": (b"av1C", av1_sizes),
}
_PUT_TOGETHER = (b"grid", b"iden", b"iovl")


def read_heif(data: bytes) -> PhotoFile:
    """Bounds what decoding takes. Both decoders turn the picture as its own properties say, never as its Exif does."""
    name = {"AVIF": "AVIF", "HEIF": "HEIC"}[kind_of(data) or ""]
    if is_sequence(data[8:12]) and any(kind == b"moov" for kind, _, _ in boxes(data, 0, len(data))):
        raise animated(name)
    media = read_media(data)
    if media is None:
        raise damaged()
    primary = media.items[media.primary]
    pictures = _coded(media)
    kinds = {picture.kind for picture in pictures}
    if not kinds <= _CODED.keys() or (b"av01" in kinds and len(kinds) > 1):
        raise PhotoError(f"is a HEIF photo of a rare kind, which is not read here. {SAVE_AS_JPEG}")
    _check(data, media, primary, pictures)
    profile = _profile(primary, pictures[0])
    decoder = partial(_open_avif if b"av01" in kinds else _open_heic, profile=profile)
    orientation = _orientation(primary) if b"av01" in kinds else 1  # the decoder of HEIC turns it by itself
    return PhotoFile(decoder, data[: media.length], orientation, primary.size, _cost(pictures))


def _cost(pictures: list[Item]) -> float:
    """Bytes a pixel: the planes of the stream, and the picture made of them, which is handed over twice."""
    configuration = pictures[0].first(b"hvcC")
    if configuration is None:
        return _AVIF_COST
    planes = {0: 1.0, 1: 1.5, 2: 2.0, 3: 3.0}[configuration[16] & 3]
    return 8.5 + planes * (2 if configuration[17] & 7 else 1) + any(picture.described for picture in pictures)


_AVIF_COST = 16


def _coded(media: Media) -> list[Item]:
    """The coded pictures that are decoded for the primary one: its tiles, and those of its transparency."""
    found: list[Item] = []
    for number, item in media.items.items():
        if number == media.primary or media.primary in item.described:
            parts = item.parts if item.kind in _PUT_TOGETHER else [number]
            tiles = [media.items[part] for part in parts if part in media.items]
            found = tiles + found if number == media.primary else found + tiles
    if not found:
        raise damaged()
    return found


def _check(data: bytes, media: Media, primary: Item, pictures: list[Item]) -> None:
    width, height = primary.size
    area = 0
    checked: set[int] = set()
    for picture in pictures:
        across, down = picture.size
        area += across * down
        if id(picture) in checked:
            continue
        checked.add(id(picture))
        box, sizes_in = _CODED[picture.kind]
        configuration = picture.first(box)
        if configuration is None:
            raise damaged()
        for wide, high in sizes_in(configuration, media.content(data, picture)):
            if wide > across + _ROOM or high > down + _ROOM:
                raise damaged()
    others = [item for item in media.items.values() if item.kind in (b"Exif", b"mime", b"uri ")]
    metadata = sum(end - start for item in others for start, end in item.extents)
    # Tiles reach over the edges, and a map of depth or brightness comes on top; but not many times the picture.
    if area > 4 * width * height + (1 << 22) or metadata > _MOST_METADATA:
        raise damaged()


def _profile(primary: Item, first: Item) -> bytes | None:
    """The ICC profile of the picture, or one that is made of the numbers which stand in its place."""
    for item in (primary, first):
        colours = [body for kind, body in item.properties if kind == b"colr"]
        for body in colours:
            if body[:4] in (b"prof", b"rICC"):
                return body[4:]
        for body in colours:
            if body[:4] == b"nclx":
                return profile_of(int.from_bytes(body[4:6], "big"), int.from_bytes(body[6:8], "big"))
    return None


def _orientation(primary: Item) -> int:
    """The turn (`irot`) and the mirror (`imir`, done after it) as an Exif orientation."""
    turn, mirror = primary.first(b"irot"), primary.first(b"imir")
    quarters = turn[0] & 3 if turn else 0
    if mirror is None:
        return (1, 8, 3, 6)[quarters]
    return ((4, 2), (5, 7), (2, 4), (7, 5))[quarters][mirror[0] & 1]


def _open_heic(file: BytesIO, profile: bytes | None) -> Image.Image:
    # Called directly, not as a plugin of Pillow: that would change what Image.open does for the whole process.
    picture = pi_heif.open_heif(file)
    data = picture.data
    image = Image.frombytes(picture.mode, picture.size, data, "raw", picture.mode, picture.stride)
    image.info = {"icc_profile": profile} if profile else {}
    return image


def _open_avif(file: BytesIO, profile: bytes | None) -> Image.Image:
    image = AvifImagePlugin.AvifImageFile(file)
    image.info = {"icc_profile": profile} if profile else {}
    return image
