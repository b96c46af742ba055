"""PNG files."""

import logging
import zlib

from PIL import PngImagePlugin

from isic_screen.errors import PhotoError
from isic_screen.formats.exif import orientation_in
from isic_screen.formats.photo_file import (
    MAX_PROFILE_BYTES,
    PROFILE_IGNORED,
    SAVE_AS_JPEG,
    PhotoFile,
    animated,
    damaged,
    unpack,
)

_log = logging.getLogger(__name__)


def read_png(data: bytes) -> PhotoFile:
    kept, exif, at, header = [data[:8]], b"", 8, b""
    while True:
        if at >= len(data):
            raise damaged()  # no IEND: cut short
        length, name = unpack(">I", data, at), data[at + 4 : at + 8]
        chunk, body = data[at : at + 12 + length], data[at + 8 : at + 8 + length]
        if len(chunk) < 12 + length:
            raise damaged()
        at += 12 + length
        if name == b"IHDR":
            header = body
        if name == b"acTL" and unpack(">I", body, 0) > 1:
            raise animated("PNG")
        if name == b"eXIf":
            exif = body
        if name == b"tRNS" and header[8:9] == b"\x10":
            raise PhotoError(f"marks one colour of a 16-bit PNG as transparent. {SAVE_AS_JPEG}")
        if name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT") or (name == b"iCCP" and _profile_fits(body)):
            kept.append(chunk)
        elif name == b"iCCP":
            _log.warning(PROFILE_IGNORED)
        if name == b"IEND":
            kept.append(chunk)
            break
    return PhotoFile(PngImagePlugin.PngImageFile, b"".join(kept), orientation_in(exif))


def _profile_fits(body: bytes) -> bool:
    """Whether a compressed profile is whole and small; a broken or giant one is left out, as browsers do."""
    try:
        profile = zlib.decompressobj().decompress(body[body.index(b"\0") + 2 :], MAX_PROFILE_BYTES)
    except (zlib.error, ValueError):
        return False
    return len(profile) < MAX_PROFILE_BYTES
