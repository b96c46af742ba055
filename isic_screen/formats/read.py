"""Any file's bytes in, a photo file that is ready to be decoded out, or the reason why it is none.

The kind of file is told by its first bytes, never by its name. Its reader refuses what is not one still photo, and
rewrites the file without what is not needed to decode it. That drops the metadata (GPS!), and it keeps hostile metadata
away from the decoders: Pillow would hold every tag of a TIFF or Exif directory in memory however many of them point at
the same bytes, so that 1 MB of tags can ask for 50 GB.
"""

import struct
from collections.abc import Callable

from isic_screen.errors import PhotoError
from isic_screen.formats.bmp import read_bmp
from isic_screen.formats.dicom import read_dicom
from isic_screen.formats.foreign import describe
from isic_screen.formats.heif import read_heif
from isic_screen.formats.jpeg import read_jpeg
from isic_screen.formats.jpeg2000 import read_jpeg2000
from isic_screen.formats.photo_file import GET_IT_AGAIN, PhotoFile, damaged
from isic_screen.formats.png import read_png
from isic_screen.formats.signatures import kind_of
from isic_screen.formats.tiff import read_tiff
from isic_screen.formats.webp import read_webp

_READERS: dict[str, Callable[[bytes], PhotoFile]] = {
    "JPEG": read_jpeg,
    "PNG": read_png,
    "WEBP": read_webp,
    "TIFF": read_tiff,
    "BMP": read_bmp,
    "JPEG2000": read_jpeg2000,
    "HEIF": read_heif,
    "AVIF": read_heif,
    "DICOM": read_dicom,
}


def read_photo_file(data: bytes) -> PhotoFile:
    """The photo file in ``data``. Raises PhotoError with a sentence that lacks its subject, the file's name."""
    if not data:
        raise PhotoError(f"is empty (0 bytes). {GET_IT_AGAIN}")
    if not data.strip(b"\0"):
        raise PhotoError(f"holds nothing but zero bytes: it was not copied completely. {GET_IT_AGAIN}")
    kind = kind_of(data)
    if kind is None:
        raise PhotoError(describe(data))
    try:
        return _READERS[kind](data)
    except (struct.error, IndexError, ValueError):  # a length or offset in the file points outside of it
        raise damaged() from None
