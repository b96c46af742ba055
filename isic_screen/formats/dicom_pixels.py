"""The pixels of a DICOM file: as they are, or as the file of another kind that is packed in it (PS3.3, C.7.6.3)."""

import re
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from itertools import pairwise

import numpy as np
from PIL import Image, Jpeg2KImagePlugin

from isic_screen.errors import PhotoError
from isic_screen.formats.jpeg import read_jpeg
from isic_screen.formats.jpeg2000 import read_jpeg2000
from isic_screen.formats.photo_file import SAVE_AS_JPEG, PhotoFile, damaged, unpack

_RLE = "1.2.840.10008.1.2.5"
_COST = 16  # bytes a pixel: the values as stored, as 8 bits, in their right order, and the image of these
_WHITE_IS_ZERO, _GREY, _PALETTE = "MONOCHROME1", ("MONOCHROME1", "MONOCHROME2"), "PALETTE COLOR"
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422")

Palette = tuple[tuple[tuple[int, ...], bytes], ...]


@dataclass(frozen=True)
class Pixels:
    """How pixels are stored, by the names of the standard; ``order`` is that of the bytes, "<" or ">".

    ``palette`` is, for red, green and blue, (number of entries, first value, bits of an entry) and the entries.
    """

    samples: int
    planar: int
    rows: int
    columns: int
    allocated: int
    stored: int
    signed: int
    order: str
    photometric: str
    palette: Palette | None = None
    profile: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.columns, self.rows


def native(pixels: Pixels, content: bytes) -> PhotoFile:
    """Pixels that are not compressed."""
    _check(pixels)
    per_pixel = 2 if pixels.photometric == "YBR_FULL_422" else pixels.samples
    if len(content) < pixels.rows * pixels.columns * per_pixel * pixels.allocated // 8:
        raise damaged()
    return PhotoFile(partial(_open, pixels=pixels), content, size=pixels.size, cost=_COST)


def encapsulated(pixels: Pixels, frame: bytes, syntax: str) -> PhotoFile:
    """Compressed pixels: a whole JPEG or JPEG 2000 file, which is read as such, or runs of equal bytes."""
    if syntax == _RLE:
        _check(pixels)
        return PhotoFile(partial(_open_runs, pixels=pixels), frame, size=pixels.size, cost=_COST)
    if frame[:3] == b"\xff\xd8\xff":
        inner = read_jpeg(frame)
        if pixels.photometric == "RGB" and not _TELLS_COLOURS.search(inner.data, 0, 4096):
            inner = replace(inner, data=inner.data[:2] + _ADOBE_RGB + inner.data[2:])
    elif frame[:4] == b"\xff\x4f\xff\x51" or frame[4:8] == b"jP  ":
        inner = read_jpeg2000(frame)
    else:
        raise PhotoError(f"is a DICOM file compressed in a way that is not read here. {SAVE_AS_JPEG}")
    # How the photo is to be turned would stand in the DICOM file, and not in what is packed in it.
    return replace(inner, orientation=1, decoder=partial(_open_packed, inner=inner, pixels=pixels))


# Without a whole segment of Adobe's or JFIF's, the decoder takes three colours for YCbCr. This one says they are RGB.
_TELLS_COLOURS = re.compile(rb"\xff\xee\0[\x0e-\xff]Adobe|\xff\xe0..JFIF\0", re.DOTALL)
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


def _check(pixels: Pixels) -> None:
    expected = 3 if pixels.photometric in _COLOURS else 1
    known = pixels.photometric in (*_COLOURS, *_GREY) or (pixels.photometric == _PALETTE and pixels.palette)
    if not known or pixels.samples != expected or pixels.allocated not in (8, 16):
        raise PhotoError(f"is a DICOM file whose pixels are stored in a way that is not read here. {SAVE_AS_JPEG}")
    if not 0 < pixels.stored <= pixels.allocated:
        raise damaged()


def _open(file: BytesIO, pixels: Pixels) -> Image.Image:
    rows, columns = pixels.rows, pixels.columns
    halved = pixels.photometric == "YBR_FULL_422"
    count = rows * columns * (2 if halved else pixels.samples)
    values = np.frombuffer(file.getvalue(), f"{pixels.order}u{pixels.allocated // 8}", count)
    if pixels.samples == 1:
        return _of_one_colour(values.reshape(rows, columns), pixels)
    values = _to_8_bit(values, pixels)
    if halved:
        pairs = values.reshape(rows, columns // 2, 1, 4)  # the brightness of two pixels, and the colour of both
        colours = np.broadcast_to(pairs[..., 2:], (rows, columns // 2, 2, 2))
        values = np.concatenate([pairs[..., :2].reshape(rows, columns // 2, 2, 1), colours], axis=-1)
    elif pixels.planar:
        values = values.reshape(3, rows, columns).transpose(1, 2, 0)
    mode = "RGB" if pixels.photometric == "RGB" else "YCbCr"
    return _with_profile(Image.frombytes(mode, pixels.size, values.tobytes()), pixels)


def _open_runs(file: BytesIO, pixels: Pixels) -> Image.Image:
    """PS3.5, annex G: a segment for each byte of a pixel, the more significant first, packed as PackBits."""
    frame = file.getvalue()
    count, width = unpack("<I", frame, 0), pixels.allocated // 8
    if count != pixels.samples * width:
        raise damaged()
    starts = [unpack("<I", frame, 4 + 4 * number) for number in range(count)] + [len(frame)]
    area = pixels.rows * pixels.columns
    planes = np.empty((pixels.samples, area, width), np.uint8)
    for number, (start, end) in enumerate(pairwise(starts)):
        # One line as long as the picture: runs may go on over the end of a row.
        plane = Image.frombytes("L", (area, 1), frame[start:end], "packbits", "L")
        planes[number // width, :, number % width] = np.asarray(plane)[0]
    whole = replace(pixels, planar=1, order=">", photometric=pixels.photometric.removesuffix("_422"))
    return _open(BytesIO(planes.tobytes()), whole)


def _open_packed(file: BytesIO, inner: PhotoFile, pixels: Pixels) -> Image.Image:
    image = inner.decoder(file)
    if pixels.photometric in (_WHITE_IS_ZERO, _PALETTE) and image.mode in ("L", "I;16"):
        bits = 16 if image.mode == "I;16" else 8
        # The decoders fill the whole range; a palette is asked for the values as they were stored.
        stored = pixels.stored if pixels.photometric == _PALETTE else bits
        values = np.asarray(image) >> max(0, bits - stored)
        return _of_one_colour(values, replace(pixels, stored=stored, signed=0))
    if pixels.photometric.startswith("YBR_FULL") and isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile):
        image = Image.frombytes("YCbCr", image.size, image.convert("RGB").tobytes())  # it undoes its own colours alone
    return _with_profile(image, pixels)


def _of_one_colour(values: np.ndarray, pixels: Pixels) -> Image.Image:
    """Grey, or numbers of a palette's colours."""
    if pixels.photometric != _PALETTE or pixels.palette is None:
        grey = _to_8_bit(values, pixels)
        return Image.fromarray(255 - grey if pixels.photometric == _WHITE_IS_ZERO else grey)
    channels = []
    for (entries, first, bits), packed in pixels.palette:
        entries = entries or 1 << 16
        wide = bits == 16 and len(packed) >= 2 * entries  # some writers say 16, and mean 8
        table = np.frombuffer(packed, f"{pixels.order}u2" if wide else "u1", entries)
        table = (table >> 8 if wide else table).astype(np.uint8)
        channels.append(table[np.clip(values.astype(np.int32) - first, 0, entries - 1)])
    return _with_profile(Image.fromarray(np.stack(channels, axis=-1)), pixels)


def _to_8_bit(values: np.ndarray, pixels: Pixels) -> np.ndarray:
    most = (1 << pixels.stored) - 1
    if pixels.signed:
        values = values + (1 << pixels.stored - 1)  # the lowest value becomes 0
    values = values & most
    scaled = values >> pixels.stored - 8 if pixels.stored >= 8 else values * (255 // most)
    return scaled.astype(np.uint8)


def _with_profile(image: Image.Image, pixels: Pixels) -> Image.Image:
    if pixels.profile is not None:
        image.info["icc_profile"] = pixels.profile
    return image
