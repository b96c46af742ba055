"""What a photo file says of itself before any pixel of it is decoded: the result of every reader in this package."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

from isic_screen.errors import PhotoError

MAX_PROFILE_BYTES = 1_000_000  # Pillow refuses larger compressed profiles; a display profile has 0.5 to 600 kB
PROFILE_IGNORED = "A photo's colour profile is ignored, as it is damaged, too large or for other colours."
GET_IT_AGAIN = "Copy or download it again from the camera or archive."
SAVE_AS_JPEG = "Export it as JPEG and try again."


@dataclass(frozen=True)
class DeepGrey:
    """How grey values of more than 8 bits are stored, where Pillow hands them over as they are."""

    bits: int = 16
    white_is_zero: bool = False


@dataclass(frozen=True)
class PhotoFile:
    """A still photo, ready to be decoded.

    ``data`` is the file without its metadata, and ``decoder`` makes an image of it, whose pixels may be decoded when
    they are first asked for. ``orientation`` is the Exif one, 1 to 8. ``size`` is (width, height) where it has to be
    known before the decoder is made, else None. ``cost`` is the memory in bytes that decoding takes for each pixel of
    the file at most, beside the picture of the final size. ``most_pixels`` is a limit of the decoder's own.
    """

    decoder: Callable[[BytesIO], Image.Image]
    data: bytes
    orientation: int = 1
    size: tuple[int, int] | None = None
    cost: float = 4
    most_pixels: int | None = None
    deep_grey: DeepGrey = field(default_factory=DeepGrey)


def damaged() -> PhotoError:
    return PhotoError(f"is damaged or cut short. {GET_IT_AGAIN}")


def animated(kind: str) -> PhotoError:
    return PhotoError(f"is an animated {kind}, not one photo. Save the frame you mean as JPEG and try again.")


def unpack(layout: str, data: bytes, offset: int) -> int:
    """The one number of a layout at an offset. Raises struct.error where it lies outside."""
    return int(struct.unpack_from(layout, data, offset)[0])
