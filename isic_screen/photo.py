"""A file or bytes in, an upright RGB photo out. The only place that decodes images, in training and in serving."""

import logging
import os
import stat
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin

from isic_screen.errors import PhotoError
from isic_screen.formats.photo_file import (
    GET_IT_AGAIN,
    MAX_PROFILE_BYTES,
    PROFILE_IGNORED,
    DeepGrey,
    PhotoFile,
)
from isic_screen.formats.read import read_photo_file
from isic_screen.frames import without_border

_log = logging.getLogger(__name__)

MAX_PIXELS = 120_000_000
MAX_SIDE = 65_535  # the most a JPEG can hold
MAX_BYTES = 256_000_000  # of the file
DRAFT_SIDE = 512
DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".dic"})
PHOTO_SUFFIXES = DICOM_SUFFIXES | frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".webp", ".tif", ".tiff", ".btf", ".tf8", ".bmp", ".dib"}
    | {".heic", ".heics", ".heif", ".heifs", ".hif", ".avif", ".avifs"}
    | {".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jpm"}
)

Source = str | os.PathLike[str] | bytes | BinaryIO

# Decoding may take this many bytes for each pixel allowed: 600 MB at MAX_PIXELS, so that 1 GB holds the network too.
_BYTES_PER_PIXEL = 5
_STRIP_PIXELS = 4_000_000  # colours are converted strip by strip, so that memory stays near that of the decoded image

# All that the headers and decoders may raise on damaged files; Pillow's own Image.open catches a part of them only.
# They are called by class: Image.open would warn above 89 megapixels, and it cannot be told another limit.
# A fault of ours that is hidden here still fails the tests on sound files, and stays in the error's cause.
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    RuntimeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    AttributeError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_photo(source: Source, *, max_pixels: int = MAX_PIXELS, name: str | None = None) -> Image.Image:
    """The photo in a file, a byte string or an open binary file: upright, RGB, 8 bit, sRGB, without any metadata.

    Told by content, these are read: JPEG (of a phone's file with several pictures the first, without a video behind
    it), PNG, WebP, TIFF and BigTIFF, BMP, HEIC, AVIF, JPEG 2000, and DICOM files of one frame. A photo whose shorter
    side has at least 2, 4 or 8 times ``DRAFT_SIDE`` pixels comes back that many times smaller: the JPEG decoder does so
    while decoding, several times faster, and the other formats are averaged down to the same size.
    A border around the photo, as of a slide or a screenshot, is cut off: ``info["cut"]``, a frames.Cut, says how much.
    Transparency is laid over white; an ICC profile is converted to sRGB, and a broken one ignored, as browsers do.

    ``max_pixels`` bounds width times height, checked before decoding; encodings that take more memory to decode
    (WebP, HEIC, progressive JPEG, …) get proportionally fewer: 600 MB are enough for any file at the default.
    ``name`` stands for the file in messages. Raises PhotoError for anything that is not one whole photo.
    """
    if name is None and isinstance(source, str | os.PathLike):
        name = Path(source).name or str(source)
    try:
        photo_file = read_photo_file(_read(source))
        try:
            return _decode(photo_file, max_pixels)
        except _DECODE_ERRORS as error:
            raise PhotoError(f"is damaged or cut short, and cannot be decoded. {GET_IT_AGAIN}") from error
    except PhotoError as fault:
        subject = "".join(c if c.isprintable() else "?" for c in name) if name else "The file"
        raise PhotoError(f"{subject} {fault}") from fault.__cause__


def draft_scale(width: int, height: int) -> int:
    """How many times smaller (1, 2, 4 or 8) a photo is decoded so that its shorter side keeps ``DRAFT_SIDE`` pixels.

    The rule of Pillow's ``JpegImageFile.draft``.
    """
    return next((scale for scale in (8, 4, 2) if min(width, height) // DRAFT_SIDE >= scale), 1)


def _read(source: Source) -> bytes:
    if isinstance(source, bytes):
        return _bounded(source)
    try:
        if not isinstance(source, str | os.PathLike):
            return _bounded(source.read(MAX_BYTES + 1))
        mode = os.stat(source).st_mode
        if stat.S_ISDIR(mode):
            raise PhotoError("is a folder, not a photo. Choose a photo inside it.")
        if not stat.S_ISREG(mode):  # reading a pipe or a device might never end
            raise PhotoError("is not an ordinary file. Choose a photo.")
        with open(source, "rb") as file:
            return _bounded(file.read(MAX_BYTES + 1))
    except FileNotFoundError:
        raise PhotoError("does not exist. Check the path.") from None
    except PermissionError as error:
        raise PhotoError("may not be read by this user. Change its permissions or copy it.") from error
    except (OSError, ValueError) as error:  # an unreadable disk, a name that no file can have
        raise PhotoError("cannot be read from disk. Check the path, or copy the file and try again.") from error


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise PhotoError(
            f"has more than {MAX_BYTES // 1_000_000} MB, too much for a photo. Save it as JPEG and try again."
        )
    return data


def _decode(photo_file: PhotoFile, max_pixels: int) -> Image.Image:
    max_pixels = min(max_pixels, photo_file.most_pixels or max_pixels)
    if photo_file.size is not None:
        _check_size(photo_file.size, photo_file.cost, max_pixels)
    with photo_file.decoder(BytesIO(photo_file.data)) as image:
        _check_size(image.size, photo_file.cost, max_pixels)
        scale = draft_scale(*image.size)
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))
            scale = 1
        image.load()
        photo = _to_srgb(image, scale, photo_file.deep_grey)
    upright = _TRANSPOSE.get(photo_file.orientation)
    return without_border(photo if upright is None else photo.transpose(upright))


def _check_size(size: tuple[int, int], cost: float, max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PhotoError(f"is damaged: it claims a size of {width} x {height} pixels. {GET_IT_AGAIN}")
    # Beside what decoding takes for each pixel, two pictures of the final size, 4 bytes a pixel, exist at a time.
    cost += 8 / draft_scale(width, height) ** 2
    limit = max_pixels * min(1, _BYTES_PER_PIXEL / cost)
    if width * height > limit:
        raise PhotoError(
            f"has {width} x {height} pixels ({width * height / 1e6:.0f} megapixels), more than the {limit / 1e6:.0f} "
            "megapixels that are read of such a file. Scale it down, save it as JPEG, and try again."
        )
    if max(size) > MAX_SIDE:
        raise PhotoError(f"has {width} x {height} pixels, too long for a photo. Crop it to the lesion and try again.")


def _to_srgb(image: Image.Image, scale: int, deep_grey: DeepGrey) -> Image.Image:
    """A decoded image of any mode as RGB, averaged down ``scale`` times."""
    to_srgb = _profile_transform(image)
    width, height = image.size
    photo = Image.new("RGB", (-(-width // scale), -(-height // scale)))
    rows = max(1, _STRIP_PIXELS // (width * scale)) * scale
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        photo.paste(_strip_to_rgb(strip, to_srgb, deep_grey).reduce(scale), (0, top // scale))
    return photo


def _strip_to_rgb(strip: Image.Image, to_srgb: ImageCms.ImageCmsTransform | None, deep_grey: DeepGrey) -> Image.Image:
    strip = _to_8_bit(strip, deep_grey)
    alpha = strip.getchannel("A") if strip.mode in ("LA", "RGBA") else None
    colours = strip.convert({"LA": "L", "RGBA": "RGB"}.get(strip.mode, strip.mode))
    rgb = colours.convert("RGB") if to_srgb is None else to_srgb.apply(colours)
    if alpha is not None:
        rgb = Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)
    return rgb


def _to_8_bit(strip: Image.Image, deep_grey: DeepGrey) -> Image.Image:
    """One of the modes L, LA, RGB, RGBA and CMYK."""
    if strip.mode.startswith("I;16"):
        # The high byte, which is also what Pillow makes of 16-bit colour.
        grey = (np.asarray(strip) >> (deep_grey.bits - 8)).astype(np.uint8)
        return Image.fromarray(255 - grey if deep_grey.white_is_zero else grey)
    if "transparency" in strip.info or strip.mode in ("PA", "La", "RGBa"):
        return strip.convert("RGBA")
    if strip.mode in ("1", "L"):
        return strip.convert("L")
    if strip.mode in ("P", "YCbCr", "RGBX"):
        return strip.convert("RGB")
    if strip.mode not in ("LA", "RGB", "RGBA", "CMYK"):
        kind = {"I": "whole numbers of 32 bits", "F": "floating-point numbers"}.get(
            strip.mode, f"the form {strip.mode}"
        )
        raise PhotoError(f"holds pixels as {kind}, not as colours. Export it as 8-bit JPEG or PNG and try again.")
    return strip


def _profile_transform(image: Image.Image) -> ImageCms.ImageCmsTransform | None:
    """From the photo's colour profile to sRGB; None where there is no profile or it does not fit the photo.

    A photo with a profile that is broken or made for other colours is shown by browsers and viewers as if it had none.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return None
    mode = {"1": "L", "LA": "L", "L": "L", "CMYK": "CMYK"}.get(
        image.mode, "L" if image.mode.startswith("I;16") else "RGB"
    )
    try:
        if len(profile) > MAX_PROFILE_BYTES:
            raise ValueError
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        _log.warning(PROFILE_IGNORED)
        return None
