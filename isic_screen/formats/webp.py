"""WebP files."""

from PIL import WebPImagePlugin

from isic_screen.formats.exif import orientation_in
from isic_screen.formats.photo_file import PhotoFile, animated, damaged, unpack


def read_webp(data: bytes) -> PhotoFile:
    at, exif, size = 12, b"", None
    while at + 8 <= len(data):
        name, length = data[at : at + 4], unpack("<I", data, at + 4)
        body = data[at + 8 : at + 8 + min(length, 1 << 16)]  # headers and Exif are all that is looked at
        if at + 8 + length > len(data):
            raise damaged()
        if name in (b"ANIM", b"ANMF"):
            raise animated("WebP")
        if name == b"EXIF":
            exif = body.removeprefix(b"Exif\0\0")
        if name == b"VP8X":
            size = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        elif name == b"VP8 " and size is None:
            size = unpack("<H", body, 6) & 0x3FFF, unpack("<H", body, 8) & 0x3FFF
        elif name == b"VP8L" and size is None:
            bits = unpack("<I", body, 1)
            size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        at += 8 + length + length % 2
    if size is None:
        raise damaged()
    # libwebp keeps two canvases beside the frame, and Pillow copies that twice: 4 bytes a pixel each.
    return PhotoFile(WebPImagePlugin.WebPImageFile, data, orientation_in(exif), size, cost=16)
